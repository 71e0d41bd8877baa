from odoo.exceptions import UserError
from odoo.tests import tagged

from ..models.payment_provider_key_doctor import OPTIONAL_PERMISSION, PERMISSION_PROBES
from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestKeyDoctor(StripeCheckoutCommon):
    """A restricted key that lacks something is told all of it; another account asks first."""

    def connect_in_vain(self, **keys):
        """Connect, and return what Odoo says against it.

        Not with `assertRaises`, whose savepoint would undo what a failure must not do.
        """
        before = self.provider.read(['stripe_checkout_key_hint', 'stripe_checkout_endpoint_id'])
        try:
            self.connect(**keys)
        except UserError as error:
            self.assertEqual(
                self.provider.read(['stripe_checkout_key_hint', 'stripe_checkout_endpoint_id']),
                before,
            )
            return str(error)
        return self.fail("The key was not refused")

    def test_key_with_exactly_the_named_permissions_works(self):
        key = self.stripe.add_restricted_key(set(PERMISSION_PROBES))
        self.connect(secret_key=key)
        self.deliver()
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)

    def test_each_missing_permission_is_named(self):
        for permission in PERMISSION_PROBES:
            with self.subTest(permission):
                without = {permission}
                if permission.endswith('_write'):  # Write includes read.
                    without.add(permission.replace('_write', '_read'))
                key = self.stripe.add_restricted_key(without=without)
                message = self.connect_in_vain(secret_key=key)
                self.assertIn(permission, message.partition('https://')[0])

    def test_all_missing_permissions_are_named_at_once(self):
        key = self.stripe.add_restricted_key({'rak_balance_read'})
        message = self.connect_in_vain(secret_key=key)
        named = message.partition('https://')[0]
        for permission in set(PERMISSION_PROBES) - {'rak_balance_read'}:
            self.assertIn(permission, named)
        self.assertNotIn('rak_balance_read', named)
        self.assertNotIn(key, message)

    def test_proving_a_key_leaves_no_trace(self):
        self.stripe.calls.clear()
        self.provider._stripe_checkout_prove_key(self.stripe.account.restricted_key, 'test')
        changed = [call for call in self.stripe.calls if call.method != 'GET' and call.status < 300]
        self.assertEqual(changed, [])

    def test_link_to_stripes_page_ticks_the_right_boxes(self):
        url = self.provider._stripe_checkout_get_create_key_url('test')
        self.assertTrue(url.startswith('https://dashboard.stripe.com/test/apikeys/create?'))
        for permission in (*PERMISSION_PROBES, OPTIONAL_PERMISSION):
            self.assertIn(f'={permission}', url)

    # === LIVE KEYS === #

    def test_live_key_needs_an_address_that_stripe_can_reach(self):
        parameters = self.env['ir.config_parameter'].sudo()
        calls = len(self.stripe.calls)
        for address in (
            'http://pay.example.com',
            'https://localhost',
            'https://127.0.0.1:8069',
            'https://192.168.1.7',
            'https://odoo.local',
            'https://odoo',
        ):
            parameters.set_param('web.base.url', address)
            with self.subTest(address):
                message = self.connect_in_vain(
                    secret_key='sk_live_1234567890', publishable_key='pk_live_1234567890'
                )
                self.assertIn(address, message)
                self.assertIn("https", message)
        self.assertEqual(len(self.stripe.calls), calls, "Refused before any call")

    # === ANOTHER ACCOUNT === #

    def open_wizard(self, account):
        return self.fill_in_keys(account.secret_key, account.publishable_key)

    def start(self):
        """Leave an open session and a running debit; return their invoices and sessions."""
        debited = self.create_invoice(100)
        debit = self.open_link(debited)
        self.stripe.pay(debit['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        opened = self.create_invoice(50)
        return debited, debit, opened, self.open_link(opened)

    def test_another_account_asks_first(self):
        debited, _debit, opened, session = self.start()
        other = self.stripe.add_account()
        wizard = self.open_wizard(other)
        action = wizard.action_connect()
        self.assertEqual((action['res_model'], action['res_id']), (wizard._name, wizard.id))
        for text in ("closed: 1.", "followed: 1 (", "100.00", "test mode"):
            self.assertIn(text, wizard.question)
        self.assertEqual(self.provider.stripe_checkout_account_id, self.stripe.account.id)
        self.assertEqual(self.open_link(opened), session)

        self.leave_account(wizard)
        self.assertEqual(self.provider.stripe_checkout_account_id, other.id)
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')
        self.assertEqual(debited.transaction_ids.state, 'cancel')
        self.assertIn("Bank debit", debited.activity_ids.summary)
        self.assertFalse(self.stripe.account.store.newest_first('webhook_endpoint'))
        # The same link now leads to the new account.
        self.assertNotEqual(self.open_link(opened)['id'], session['id'])

    def test_rotated_key_of_the_same_account_asks_nothing(self):
        opened = self.create_invoice(50)
        session = self.open_link(opened)
        wizard = self.open_wizard(self.stripe.account)
        wizard.secret_key = self.stripe.add_restricted_key()
        wizard.action_connect()
        self.assertFalse(wizard.question)
        self.assertEqual(self.open_link(opened), session)

    def test_key_that_cannot_read_its_account_proves_itself_by_our_endpoint(self):
        key = self.stripe.add_restricted_key(set(PERMISSION_PROBES))
        wizard = self.open_wizard(self.stripe.account)
        wizard.secret_key = key
        wizard.action_connect()
        self.assertFalse(wizard.question)
        other = self.stripe.add_account()
        wizard = self.open_wizard(other)
        wizard.secret_key = self.stripe.add_restricted_key(set(PERMISSION_PROBES), account=other)
        wizard.action_connect()
        self.assertTrue(wizard.question)

    def assert_asked_without_the_endpoint(self):
        """Delete the endpoint; keys that may not read their accounts are known all the same."""
        client = self.provider._stripe_checkout_get_client()
        client.v1.webhook_endpoints.delete(self.provider.stripe_checkout_endpoint_id)
        for account, is_asked in ((self.stripe.add_account(), True), (self.stripe.account, False)):
            wizard = self.open_wizard(account)
            key = self.stripe.add_restricted_key(set(PERMISSION_PROBES), account=account)
            wizard.secret_key = key
            wizard.action_connect()
            self.assertEqual(bool(wizard.question), is_asked)

    def test_key_that_cannot_read_its_account_proves_itself_by_an_open_session(self):
        session = self.open_link(self.create_invoice(100))
        self.assert_asked_without_the_endpoint()
        self.assertEqual(self.stripe.session(session['id'])['status'], 'open')

    def test_key_that_cannot_read_its_account_proves_itself_by_a_movement(self):
        self.stripe.pay(self.open_link(self.create_invoice(100))['id'])
        self.deliver()
        self.run_queue()
        self.stripe.make_balance_transactions()
        self.run_cron('ir_cron_feed')
        self.assert_asked_without_the_endpoint()
