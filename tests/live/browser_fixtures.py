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
def make_visitor(site, browser, screenshots):
    """Return what makes visitors without a login, each with a device that Playwright describes.

    Their browsers may not complain about any of our pages.
    """
    visitors = []

    def make(device):
        visitors.append(Visitor(browser, device, site.url, site.runtime.axe, screenshots))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.close()
    assert [complaint for visitor in visitors for complaint in visitor.complaints] == []


@pytest.fixture
def visitor(make_visitor, device):
    """Somebody without a login."""
    return make_visitor(device)


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


@pytest.fixture
def billing(connected, open_browser, device):
    """The billing admin, who is no administrator, before the connection."""
    billing = open_browser('billing', device)
    billing.open_settings()
    return billing
