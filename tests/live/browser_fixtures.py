"""Fixtures of the tests in a real browser, a plugin as `fixtures` is."""

import pytest

from .browsing import DESKTOP, Visitor, chromium


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
