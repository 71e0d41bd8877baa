"""What the tests of the health share: the regular check, and what it says."""

from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import tagged

from .common import StripeCheckoutCommon

WEBHOOK = 'odoo.addons.payment_stripe_checkout.models.payment_provider_webhook'
CONTROLLER = 'odoo.addons.payment_stripe_checkout.controllers.webhook'
PROBE = 'odoo.addons.payment_stripe_checkout.models.payment_provider_probe'


@tagged('post_install', '-at_install')
class HealthCommon(StripeCheckoutCommon):
    def setUp(self):
        # All tests of a class run in one transaction, by whose time a class that takes longer than
        # PROBE_PATIENCE would find its probes unanswered.
        self.env.cr._now = datetime.now()
        super().setUp()
        self.client_api = self.provider._stripe_checkout_get_client()
        self.endpoint_id = self.provider.stripe_checkout_endpoint_id
        self.managed = self.provider.with_user(self.billing_admin)

    def check(self, minutes=0):
        """Run the regular check, some minutes later."""
        with freeze_time(datetime.now() + timedelta(minutes=minutes)):
            self.run_cron('ir_cron_check_webhook')

    def assert_health(self, state, problem=False, message=''):
        self.assertRecordValues(
            self.provider,
            [{'stripe_checkout_webhook_state': state, 'stripe_checkout_problem': problem}],
        )
        self.assertIn(message, self.managed.stripe_checkout_webhook_message or '')
        todos = self.provider.activity_search(['payment_stripe_checkout.mail_activity_type_health'])
        self.assertEqual(len(todos), int(state == 'warning'))
        if todos:
            self.assertEqual(todos.user_id, self.billing_admin)
            self.assertIn(message, todos.note)

    def set_account(self, **values):
        """Change the account at Stripe until the end of the test."""
        for name, value in values.items():
            self.addCleanup(setattr, self.stripe.account, name, getattr(self.stripe.account, name))
            setattr(self.stripe.account, name, value)

    def update_endpoint(self, **values):
        self.client_api.v1.webhook_endpoints.update(self.endpoint_id, values)
