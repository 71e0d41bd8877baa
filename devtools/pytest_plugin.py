"""A pytest plugin: a skipped test fails the run, for Odoo skips what it cannot do in silence."""

import pytest


class NoSkips:
    """Collects skipped tests and modules and turns them into a failure."""

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


def pytest_configure(config):
    config.pluginmanager.register(NoSkips(), "no-skips")
