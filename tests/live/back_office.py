"""Staff at the backend, in a real browser."""

from playwright.sync_api import TimeoutError

from .browsing import Visitor

SETTINGS = 'payment_stripe_checkout.action_server_stripe_checkout_settings'
EVENTS = 'payment_stripe_checkout.action_stripe_event'

ATTEMPTS = 4


class BackOffice(Visitor):
    """Somebody who is logged in to the backend; the password is the login."""

    def log_in(self, login):
        """Log in, and wait for the backend."""
        self.page.goto(f'{self.shop}/web/login')
        self.page.locator('input[name=login]').fill(login)
        self.page.locator('input[name=password]').fill(login)
        self.page.keyboard.press('Enter')
        self.page.locator('.o_main_navbar').wait_for()
        # What is opened before Odoo's first page is there, that page replaces.
        self.page.locator('.o_action_manager > *').first.wait_for()
        return self

    def open(self, action, view='form'):
        """Open an action by its XML id, in one of its views."""
        self.page.goto(f'{self.shop}/odoo/action-{action}?view_type={view}')
        self.page.locator(f'.o_{view}_view').wait_for()

    def open_settings(self):
        """Open the online payments of the company."""
        self.open(SETTINGS)

    def _find_barriers(self):
        """Leave Odoo's own backend to Odoo: nearly everything on these pages is not ours."""
        return []

    # === THE FORM === #

    def press(self, label):
        """Press a button of the form's header; on a phone, all but one are in a menu.

        Odoo draws the form anew after an action, and closes the menu with it: it is opened again
        then, as a person does.
        """
        for _attempt in range(ATTEMPTS - 1):
            try:
                self._find_button(label).click(timeout=5_000)
            except TimeoutError:
                self.page.keyboard.press('Escape')
            else:
                return
        # On a busy machine a phone's menu can stay half open: only a fresh page closes it.
        self.page.reload()
        self.page.locator('.o_form_view').wait_for()
        self._find_button(label).click()

    def offers(self, label):
        """Tell whether a button of the form's header can be pressed."""
        found = self._find_button(label).count() > 0
        self.page.keyboard.press('Escape')
        return found

    def _find_button(self, label):
        header = self.page.locator('.o_form_statusbar')
        shown = header.get_by_role('button', name=label, exact=True)
        # Not the hidden ones of the steps, which are there before the buttons are.
        more = header.locator('.dropdown-toggle:visible')
        if shown.count() or not more.count():
            return shown
        menu = self.page.locator('.o-dropdown--menu')
        if not menu.count():  # An open one covers the button that opens it.
            more.click(timeout=5_000)
            menu.wait_for()
        return menu.get_by_role('button', name=label, exact=True)

    def sees(self, text):
        """Wait until the form shows a text."""
        self.page.locator('.o_form_view').get_by_text(text).first.wait_for()

    def misses(self, text):
        """Wait until the form no longer shows a text: Odoo shows what it last knew at first."""
        self.page.locator('.o_form_view').get_by_text(text).first.wait_for(state='hidden')

    def shows(self, text):
        """Tell whether the form shows a text now."""
        return self.page.locator('.o_form_view').get_by_text(text).first.is_visible()

    # === DIALOGS AND NOTIFICATIONS === #

    @property
    def dialog(self):
        """The dialog in front."""
        return self.page.locator('.modal-dialog').last

    def wait_for_dialogs_to_close(self):
        self.page.locator('.modal-dialog').first.wait_for(state='detached')

    def answer(self, label):
        """Press a button of the dialog in front."""
        self.dialog.locator('footer').get_by_role('button', name=label, exact=True).click()

    def read_notification(self, text):
        """Wait for a notification that has a text; close it and return all that it says."""
        notification = self.page.locator('.o_notification', has_text=text)
        notification.wait_for()
        said = notification.locator('.o_notification_content').inner_text()
        notification.locator('.o_notification_close').click()
        return said

    def read_refusal(self):
        """Wait for Odoo's error dialog; close it and return what it says."""
        error = self.page.locator('.o_error_dialog')
        error.wait_for()
        said = error.locator('main').inner_text()
        error.get_by_role('button', name='Close').last.click()
        error.wait_for(state='detached')
        return said

    def type_keys(self, secret_key, publishable_key):
        """Fill the connect dialog in."""
        self.dialog.locator('[name=secret_key] input').fill(secret_key)
        self.dialog.locator('[name=publishable_key] input').fill(publishable_key)
