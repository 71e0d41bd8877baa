"""A real browser, and what it may not do: complain, or scroll sideways."""

import os
import re
import resource
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

DESKTOP = {'viewport': {'width': 1280, 'height': 800}}
PHONE = {
    'viewport': {'width': 390, 'height': 844},
    'device_scale_factor': 2,
    'is_mobile': True,
    'has_touch': True,
}
# Milliseconds. The first page of a server waits for its scripts and styles to be put together.
TIMEOUT = 60_000
DEVICES = pytest.mark.parametrize('device', [DESKTOP, PHONE], ids=['desktop', 'phone'])


@contextmanager
def chromium(path):
    """Start a browser.

    :param str path: The program.
    :return: Playwright's browser.
    """
    arguments = ['--no-sandbox'] if os.geteuid() == 0 else []
    with _unlimited_memory():
        playwright = sync_playwright().start()
    try:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
    finally:
        playwright.stop()


@contextmanager
def _unlimited_memory():
    """Lift the limit that Odoo sets for its process: Chromium reserves far more than it uses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class Visitor:
    """Somebody with a browser of their own, without a login.

    :param browser: Playwright's browser.
    :param dict device: `DESKTOP` or `PHONE`.
    :param str shop: The address of the Odoo server; its pages must be without fault.
    :param str axe: The path of axe-core.
    :param Path folder: Where screenshots go.
    """

    def __init__(self, browser, device, shop, axe, folder):
        self._context = browser.new_context(**{'locale': 'en-US', **device})
        self._context.set_default_timeout(TIMEOUT)
        self._folder = folder
        self.shop = shop
        self._axe = axe
        self.page = self._context.new_page()
        self.complaints = []
        self.page.on('console', self._note_console)
        self.page.on('pageerror', lambda error: self.complaints.append(str(error)))

    def _note_console(self, message):
        if message.type == 'error' and message.location.get('url', '').startswith(self.shop):
            self.complaints.append(f'{message.location["url"]}: {message.text}')

    def close(self):
        """Close the browser's window."""
        self._context.close()

    def look(self, name):
        """Take a screenshot, and check that the page fits the screen and is accessible.

        :param str name: The name of the picture.
        """
        self.page.screenshot(path=self._folder / f'{name}.png', full_page=True)
        widths = self.page.evaluate(
            '[document.documentElement.scrollWidth, document.documentElement.clientWidth]'
        )
        assert widths[0] <= widths[1], f'{self.page.url} scrolls sideways: {widths}'
        if self.page.url.startswith(self.shop):
            barriers = self._find_barriers()
            assert not barriers, '\n'.join(barriers)

    def _find_barriers(self):
        """Return what keeps people from using the page, as far as axe-core finds it."""
        self.page.add_script_tag(path=self._axe)
        found = self.page.evaluate('async () => (await axe.run()).violations')
        return [
            f'{self.page.url} {fault["id"]}: {[node["html"] for node in fault["nodes"]]}'
            for fault in found
            if fault['impact'] in ('serious', 'critical')
        ]

    def log_in(self, login):
        """Log in to the portal, with the login as the password."""
        self.page.goto(f'{self.shop}/web/login')
        self.page.locator('input[name=login]').fill(login)
        self.page.locator('input[name=password]').fill(login)
        self.page.keyboard.press('Enter')
        # With the language before it, where that is not the site's.
        self.page.wait_for_url(re.compile(rf'^{re.escape(self.shop)}(/\w+)?/my(/|$)'))

    def wait_for(self, url):
        """Wait until the page is at an address that begins like this."""
        self.page.wait_for_url(re.compile(f'^{re.escape(url)}'))

    def tab_to(self, selector):
        """Press Tab until an element has the focus.

        :raise AssertionError: If it cannot be reached by keyboard.
        """
        for _press in range(60):
            self.page.keyboard.press('Tab')
            if self.page.evaluate('s => document.activeElement.matches(s)', selector):
                return
        raise AssertionError(f'{selector} cannot be reached by keyboard on {self.page.url}')

    @property
    def state(self):
        """The state that our page shows."""
        return self.page.locator('#o_stripe_checkout_page').get_attribute('data-state')
