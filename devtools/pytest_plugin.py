"""A pytest plugin: a skipped test fails the run, and each process has Odoo's files for itself."""

import shutil
from pathlib import Path

import pytest


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


def pytest_configure(config):
    config.pluginmanager.register(NoSkips(), "no-skips")
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(OwnFiles(config.workerinput["workerid"]), "own-files")
