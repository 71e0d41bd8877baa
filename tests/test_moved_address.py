from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .health_common import CONTROLLER, HealthCommon

NEW = 'https://new.example.com'


@tagged('post_install', '-at_install')
class TestMovedAddress(HealthCommon):
    """Neither webhook nor links follow Odoo's address before somebody knows where to."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls.create_user(
            'administrator', 'base.group_system,account.group_account_manager'
        )

    def setUp(self):
        super().setUp()
        self.link = self.create_invoice(100).stripe_payment_link_ids
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', NEW)

    def retry(self):
        return self.managed.action_stripe_checkout_retry_webhook()['params']

    def assert_address(self, address):
        """Check where the links and the webhook are."""
        self.assertTrue(self.link._get_url().startswith(f'{address}/pay/'))
        endpoint = self.client_api.v1.webhook_endpoints.retrieve(
            self.provider.stripe_checkout_endpoint_id
        )
        self.assertEqual(endpoint.url, self.provider._stripe_checkout_get_webhook_url(address))

    def test_no_other_trouble_hides_it(self):
        self.update_endpoint(enabled_events=['checkout.session.expired'])
        self.check()
        self.assert_health('warning', 'moved', NEW)
        self.assertIn(self.base_url(), self.managed.stripe_checkout_webhook_message)
        self.retry()
        self.assert_address(NEW)

    def test_retry_moves_to_the_address_that_was_shown(self):
        for shown in (NEW, 'https://newer.example.com'):
            self.env['ir.config_parameter'].sudo().set_param('web.base.url', shown)
            notification = self.retry()
            self.assertEqual(notification['type'], 'warning')
            for address in (shown, self.base_url()):
                self.assertIn(address, notification['message'])
            self.assert_health('warning', 'moved', shown)
            self.assert_address(self.base_url())
        self.assertEqual(self.retry()['type'], 'success')
        self.assert_address(shown)

    def test_new_key_leaves_it(self):
        self.set_account(secret_key='sk_test_rotated')
        self.check()
        self.connect()
        self.client_api = self.provider._stripe_checkout_get_client()
        self.assert_address(self.base_url())
        self.assert_health('warning', 'moved', NEW)

    def test_another_mode_names_both(self):
        self.go_live()
        self.stripe.account.store.livemode = False
        wizard = self.fill_in_keys()
        wizard.action_connect()
        self.assertIn(f"move from {self.base_url()} to {NEW}.", wizard.question)
        self.assert_address(self.base_url())
        self.leave_account(wizard)
        self.assert_address(NEW)

    def test_frozen_after_it_was_refused(self):
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', 'new.example.com')
        self.check()
        self.retry()
        self.assert_health('warning', 'refused', "Freeze Address")
        self.assertIn(self.base_url(), self.managed.stripe_checkout_webhook_message)
        view = self.env.ref(
            'payment_stripe_checkout.payment_provider_view_form_stripe_checkout'
        ).with_user(self.administrator)
        with Form(self.provider.with_user(self.administrator), view) as form:
            self.assertTrue(form.stripe_checkout_is_moved, "The button shows")
        self.provider.with_user(self.administrator).action_stripe_checkout_freeze_address()
        self.assert_health('confirmed')
        self.assertFalse(self.managed.stripe_checkout_is_moved)
        self.assert_address(self.base_url())

    @mute_logger(CONTROLLER)
    def test_nothing_arrives_there(self):
        """What the former endpoint goes on delivering says nothing of the new one."""
        self.check()
        self.retry()
        self.assert_health('pending')
        for minutes in (0, 30, 60):
            with freeze_time(datetime.now() + timedelta(minutes=minutes)):
                self.assertTrue(self.deliver(), "Through the former endpoint")
            self.check(minutes=minutes + 25)  # And sends the next probe.
            self.assert_health('warning', 'silent', NEW)
        with freeze_time(datetime.now() + timedelta(days=3, hours=1)):
            self.check()
            self.assertTrue(self.deliver(status=400))
            self.check(minutes=25)
        self.assert_health('warning', 'undelivered', NEW)
