import os
import subprocess
import sys
from pathlib import Path

import pytest

from .. import cli
from ..cli import parser
from ..console import DevError
from ..demo import own_keys
from ..demo_client import session_of
from ..odoo_config import summary
from ..pytest_plugin import DAY, get_wait
from ..testing import place

LINK = Path("/run/addons/payment_stripe_checkout")
TEST_KEYS = {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_PUBLISHABLE_KEY": "pk_test_1"}


def test_paths_go_through_the_link():
    placed = place(["devtools/tests/test_commands.py::test_x", "-k", "name"], LINK)
    assert placed == ["-k", "name", f"{LINK}/devtools/tests/test_commands.py::test_x"]


@pytest.mark.parametrize("arguments", [[], ["-x"], ["-k", "tests"]])
def test_without_a_path_all_folders_are_tested(arguments):
    assert place(arguments, LINK) == [*arguments, f"{LINK}/tests", f"{LINK}/devtools/tests"]


def test_paths_may_be_pasted_from_pytests_output():
    name = "devtools/tests/test_commands.py::test_x"
    assert place([f"addons/payment_stripe_checkout/{name}"], LINK) == [f"{LINK}/{name}"]


def test_arguments_after_two_dashes_are_pytests():
    assert parser().parse_args(["test", "--", "-k", "name", "-x"]).rest == ["-k", "name", "-x"]


def test_deep_plays_thousands_of_histories(monkeypatch):
    monkeypatch.setenv("PSC_HISTORIES", "200")
    monkeypatch.setattr(cli.signal, "signal", lambda *_handler: None)
    monkeypatch.setattr(cli, "_run_on_odoo", lambda *command, **_options: command)
    module, arguments = cli.main(["test", "--deep", "--", "-x"])
    assert int(os.environ["PSC_HISTORIES"]) >= 2000
    assert (module, arguments) == ("testing", [f"--timeout={cli.DEEP_TIMEOUT}", "-x"])


def test_demo_uses_the_stand_in_without_keys():
    assert own_keys({}, once=True) is None


def test_demo_takes_test_keys():
    assert own_keys(TEST_KEYS, once=False) == {
        "secret_key": "sk_test_1",
        "publishable_key": "pk_test_1",
    }


@pytest.mark.parametrize(
    "keys",
    [
        TEST_KEYS | {"STRIPE_SECRET_KEY": "sk_live_1"},
        TEST_KEYS | {"STRIPE_SECRET_KEY": "rk_live_1"},
        TEST_KEYS | {"STRIPE_PUBLISHABLE_KEY": "pk_live_1"},
        TEST_KEYS | {"STRIPE_PUBLISHABLE_KEY": ""},
        TEST_KEYS | {"STRIPE_SECRET_KEY": ""},
    ],
)
def test_demo_refuses_live_and_half_keys_without_repeating_them(keys):
    with pytest.raises(DevError) as refusal:
        own_keys(keys, once=False)
    assert "_live_1" not in str(refusal.value)


def test_demo_does_not_pay_by_itself_at_stripe():
    with pytest.raises(DevError, match="leave --once away"):
        own_keys(TEST_KEYS, once=True)


def test_session_in_an_address():
    assert session_of("http://127.0.0.1:1/c/pay/cs_test_a1B2#fid") == "cs_test_a1B2"
    assert session_of("http://127.0.0.1:1/pay/token/done") is None


def test_summary_is_the_last_exception():
    log = """\
2026-01-01 00:00:00,000 1 INFO db odoo.modules: loading
2026-01-01 00:00:00,001 1 ERROR db odoo.registry: Failed to load registry
Traceback (most recent call last):
  File "x.py", line 1, in f
odoo.tools.convert.ParseError: while parsing None:10
Error while parsing or validating view:

View inheritance may not use attribute 'title' as a selector.

2026-01-01 00:00:00,002 1 INFO db odoo.service.server: Initiating shutdown
"""
    told = summary(log)
    assert "View inheritance may not use attribute 'title'" in told
    assert "INFO" not in told and "Traceback" not in told


def test_summary_without_an_exception_is_the_errors():
    assert summary("x INFO a\ny ERROR b\nz INFO c") == "y ERROR b"


def run_pytest(folder, *options):
    """Run pytest with the plugin on the tests of a folder, and return what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "devtools.pytest_plugin", "-p", "no:odoo"]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={folder}", *options, folder]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


class TestSkips:
    def pytest(self, tmp_path, text):
        (tmp_path / "test_it.py").write_text(text)
        return run_pytest(tmp_path)

    def test_passing_run(self, tmp_path):
        result = self.pytest(tmp_path, "def test_a(): pass\n")
        assert result.returncode == 0, result.stdout + result.stderr
        assert "1 passed" in result.stdout

    def test_skipped_test(self, tmp_path):
        text = "import unittest\nclass T(unittest.TestCase):\n"
        text += "    def test_a(self): pass\n    def test_b(self): self.skipTest('no browser')\n"
        result = self.pytest(tmp_path, text)
        assert result.returncode == 1
        assert "no browser" in result.stdout and "1 skipped, none may be" in result.stdout

    def test_skipped_class(self, tmp_path):
        text = "import unittest\n@unittest.skip('not now')\nclass T(unittest.TestCase):\n"
        result = self.pytest(tmp_path, text + "    def test_a(self): pass\n")
        assert result.returncode == 1 and "not now" in result.stdout

    def test_skipped_module(self, tmp_path):
        text = "import pytest\npytest.skip('not here', allow_module_level=True)\n"
        result = self.pytest(tmp_path, text)
        assert result.returncode == 1 and "not here" in result.stdout

    def test_no_test(self, tmp_path):
        result = self.pytest(tmp_path, "")
        assert result.returncode == 5 and "no test ran" in result.stdout


def test_each_process_has_its_own_files(tmp_path):
    (tmp_path / "data" / "filestore" / "test" / "e1").mkdir(parents=True)
    (tmp_path / "data" / "filestore" / "test" / "e1" / "e155").touch()
    text = "from pathlib import Path\nfrom odoo.tools import config\n"
    # As pytest-odoo, which takes both from its options before a session starts.
    conftest = f"config['data_dir'] = {str(tmp_path / 'data')!r}\nconfig['db_name'] = ['test']\n"
    (tmp_path / "conftest.py").write_text(text + conftest)
    test = "def test_a():\n    Path(config.filestore('test'), 'e1', 'e155').unlink()\n"
    (tmp_path / "test_it.py").write_text(text + test)
    result = run_pytest(tmp_path, "-n", "2", "--dist", "each")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 passed" in result.stdout


@pytest.mark.parametrize(("before_midnight", "wait"), [(600, 0), (30, 30), (0, 0)])
def test_no_test_begins_just_before_midnight(before_midnight, wait):
    assert get_wait(20_000 * DAY - before_midnight) == wait
