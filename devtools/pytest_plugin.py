"""A pytest plugin for what pytest and Odoo leave open.

A skipped test fails the run, each process has Odoo's files for itself, and each test its day.
"""

import shutil
import time
from pathlib import Path

import pytest

DAY = 24 * 3600  # seconds
LONGEST = 120  # seconds that a test takes, but for those that play days of their own


class NoSkips:
    """Collects skipped tests and modules and turns them into a failure.

    Odoo skips in silence what it cannot do.
    """

    def __init__(self):
        self.skipped = []

    def _note(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr
            self.skipped.append((report.nodeid, reason[2] if isinstance(reason, tuple) else reason))

    def pytest_runtest_logreport(self, report):
        self._note(report)

    def pytest_collectreport(self, report):
        self._note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        if self.skipped and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter, exitstatus):
        for test, reason in self.skipped:
            terminalreporter.write_line(f"SKIPPED {test}: {reason}", red=True)
        if self.skipped:
            count = len(self.skipped)
            terminalreporter.write_line(f"FAILED: {count} skipped, none may be.", red=True)
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            terminalreporter.write_line("FAILED: no test ran.", red=True)


class OwnFiles:
    """Gives a process of pytest-xdist a filestore of its own.

    pytest-odoo copies the database for each process, but lets all of them share one filestore. And
    after each class of tests Odoo removes the files that its own database does not know
    (``ir.attachment._gc_file_store_unsafe``): those that another process is about to read, too.
    """

    def __init__(self, process):
        """Remember the process's name, such as ``gw0``."""
        self.process = process

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self):
        from odoo.tools import config  # noqa: PLC0415 - without processes nothing of Odoo is needed

        own = f"{config['data_dir']}-{self.process}"
        for database in config["db_name"]:
            files = Path(config.filestore(database))
            shutil.copytree(files, Path(own, "filestore", database))
        config["data_dir"] = own


class OneDay:
    """Lets no test begin just before midnight: today is one day from its beginning to its end."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self):
        time.sleep(get_wait(time.time()))


def get_wait(now):
    """Return how long a test has to wait until it can begin.

    :param float now: Seconds since 1970; days are those of UTC, as in Odoo.
    :return: Seconds.
    :rtype: float
    """
    left = DAY - now % DAY
    return left if left < LONGEST else 0


def pytest_configure(config):
    config.pluginmanager.register(NoSkips(), "no-skips")
    config.pluginmanager.register(OneDay(), "one-day")
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(OwnFiles(config.workerinput["workerid"]), "own-files")
