"""Fixtures of the tests in a real browser, a plugin as `fixtures` is."""

import pytest

from .back_office import BackOffice
from .browsing import DESKTOP, Visitor, chromium
from .connection import ensure_connected


@pytest.fixture(scope='module')
def browser(running_site):
    with chromium(running_site.runtime.chrome) as browser:
        yield browser


@pytest.fixture(scope='session')
def screenshots(tmp_path_factory):
    return tmp_path_factory.mktemp('screenshots', numbered=False)


@pytest.fixture
def device():
    return DESKTOP


@pytest.fixture
def visitor(site, browser, device, screenshots):
    """Somebody without a login; their browser may not complain about any of our pages."""
    visitor = Visitor(browser, device, site.url, site.runtime.axe, screenshots)
    yield visitor
    visitor.close()
    assert visitor.complaints == []


@pytest.fixture
def connected(site):
    """The connection, confirmed by an event."""
    return ensure_connected(site)


@pytest.fixture
def open_browser(site, browser, screenshots):
    """Let somebody log in; their browsers may not complain about anything."""
    opened = []

    def log_in(login, device=None):
        somebody = BackOffice(browser, device or DESKTOP, site.url, site.runtime.axe, screenshots)
        opened.append(somebody)
        return somebody.log_in(login)

    yield log_in
    for somebody in opened:
        somebody.close()
    assert [complaint for somebody in opened for complaint in somebody.complaints] == []
