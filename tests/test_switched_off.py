from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import UserError
from odoo.tests import JsonRpcException, tagged
from odoo.tools import mute_logger

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestSwitchedOff(StripeCheckoutCommon):
    """Disabled on Odoo's own form: no new payments, while nothing that is under way is lost."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls.create_user(
            'administrator', 'base.group_system,account.group_account_manager'
        )

    def setUp(self):
        super().setUp()
        self.managed = self.provider.with_user(self.billing_admin)

    def click(self, **values):
        """Save Odoo's own form of the provider, as an administrator does in the browser."""
        self.authenticate('administrator', 'administrator')
        self.make_jsonrpc_request(
            '/web/dataset/call_kw/payment.provider/web_save',
            {
                'model': 'payment.provider',
                'method': 'web_save',
                'args': [self.provider.ids, values],
                'kwargs': {'specification': {'state': {}}},
            },
        )
        self.env.invalidate_all()
        self.authenticate(None, None)

    def disable(self):
        self.click(state='disabled', is_published=False)
        self.assertEqual(self.provider.state, 'disabled')

    def process(self):
        self.deliver()
        self.run_queue()

    def sweep(self):
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.run_cron('ir_cron_sweep')

    # === NOTHING NEW === #

    def test_no_new_payment(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.disable()
        self.assertFalse(invoice.with_user(self.billing_admin).stripe_checkout_url)
        self.get_page(self.url_open(path), 'unavailable')
        self.assertEqual(self.get_sessions(), [])

    def test_panel_says_so(self):
        settings = self.env['res.config.settings'].with_user(self.administrator)
        self.assertFalse(self.managed.stripe_checkout_is_switched_off)
        self.click(is_published=False)
        self.assertTrue(self.managed.stripe_checkout_is_switched_off)
        self.click(state='disabled')
        self.assertTrue(self.managed.stripe_checkout_is_switched_off)
        self.assertTrue(settings.create({}).stripe_checkout_is_switched_off)
        self.disconnect()
        self.assertFalse(self.managed.stripe_checkout_is_switched_off)

    def test_open_page_is_closed(self):
        session = self.open_link(self.create_invoice(100))
        self.disable()
        self.sweep()
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')

    def test_billing_admin_switches_on_again(self):
        invoice = self.create_invoice(100)
        self.disable()
        self.managed.action_stripe_checkout_switch_on()
        self.assertRecordValues(self.provider, [{'state': 'test', 'is_published': True}])
        self.open_link(invoice)

    # === WHAT IS UNDER WAY === #

    def test_live_payment_that_arrives_is_booked(self):
        self.go_live()
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.disable()
        self.stripe.pay(session['id'])
        self.process()
        self.assert_booked(invoice, 100)
        self.assertEqual(self.get_payments(invoice).journal_id.stripe_checkout_mode, 'live')

    def test_payment_whose_row_is_lost_is_booked_as_live(self):
        self.go_live()
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        invoice.sudo().transaction_ids.unlink()
        self.disable()
        self.stripe.pay(session['id'])
        self.process()
        self.assert_booked(invoice, 100)
        self.assertTrue(invoice.transaction_ids.is_live)

    def test_payment_without_any_webhook_is_booked(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.disable()
        self.stripe.pay(session['id'])
        self.sweep()
        self.assert_booked(invoice, 100)

    def test_fees_are_booked(self):
        self.run_cron('ir_cron_feed')
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.disable()
        self.stripe.pay(session['id'])
        self.stripe.make_balance_transactions()
        self.process()
        self.run_cron('ir_cron_feed')
        items = self.env['account.move.line'].search([
            ('account_id', '=', self.provider.journal_id.default_account_id.id),
            ('parent_state', '=', 'posted'),
        ])
        [(at_stripe, *_)] = self.provider._stripe_checkout_compare_balance().values()
        self.assertLess(at_stripe, 100)
        self.assertAlmostEqual(sum(items.mapped('balance')), at_stripe)

    def test_connection_can_be_tested_registered_anew_and_ended(self):
        self.disable()
        answer = self.managed.action_stripe_checkout_test_connection()
        self.assertEqual(answer['params']['type'], 'success')
        self.managed.action_stripe_checkout_retry_webhook()
        self.deliver()
        self.assertEqual(self.provider.stripe_checkout_webhook_state, 'confirmed')
        self.disconnect()
        self.assertFalse(self.provider.stripe_checkout_secret_key)

    def test_endpoint_that_is_gone_is_noticed(self):
        self.disable()
        client = self.provider._stripe_checkout_get_client()
        client.v1.webhook_endpoints.delete(self.provider.stripe_checkout_endpoint_id)
        self.run_cron('ir_cron_check_webhook')
        self.assertEqual(self.provider.stripe_checkout_problem, 'deleted')

    def test_new_key_of_the_account_takes_no_payments_again(self):
        debited, invoice = self.create_invoice(50), self.create_invoice(100)
        self.stripe.pay(self.open_link(debited)['id'], 'us_bank_account')
        self.process()
        self.disconnect()
        self.disable()
        self.connect(secret_key=self.stripe.add_restricted_key())
        self.assertRecordValues(
            self.provider,
            [{'state': 'disabled', 'is_published': False, 'stripe_checkout_disconnecting': True}],
        )
        self.managed.action_stripe_checkout_switch_on()
        self.assertFalse(invoice.with_user(self.billing_admin).stripe_checkout_url)
        self.managed.action_stripe_checkout_stay_connected()
        self.env.invalidate_all()
        self.open_link(invoice)

    def test_another_account_is_asked_about_and_ends_the_open_pages(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.disable()
        other = self.stripe.add_account()
        wizard = self.fill_in_keys(other.secret_key, other.publishable_key)
        wizard.action_connect()
        self.assertIn("closed: 1.", wizard.question)
        self.leave_account(wizard)
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')
        self.assertNotEqual(self.open_link(invoice)['id'], session['id'])

    # === THE MODE === #

    @mute_logger('odoo.http')
    def test_state_of_the_other_mode_is_refused(self):
        with self.assertRaises(JsonRpcException):
            self.click(state='enabled', is_published=True)
        self.env.invalidate_all()
        self.assertRecordValues(self.provider, [{'state': 'test', 'stripe_checkout_mode': 'test'}])
        self.disable()
        with self.assertRaises(JsonRpcException):
            self.click(state='enabled')
        self.click(state='test', is_published=True)
        self.open_link(self.create_invoice(100))

    def test_no_state_without_keys(self):
        self.disconnect()
        for state in ('test', 'enabled'):
            with self.assertRaisesRegex(UserError, "not connected"):
                self.provider.state = state

    @mute_logger('odoo.addons.payment_stripe_checkout.models.payment_transaction_sweep')
    def test_session_of_the_other_mode_books_nothing(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.go_live()
        self.sweep()
        self.process()
        self.assertEqual(invoice.payment_state, 'not_paid')

    def test_audit_trail(self):
        # The environment of Odoo's accounting tests tracks nothing.
        context = {'tracking_disable': False, 'mail_notrack': False}
        administered = self.provider.with_user(self.administrator).with_context(**context)
        administered.write({'state': 'disabled', 'is_published': False})
        self.env.flush_all()
        self.env.cr.precommit.run()
        values = self.provider.message_ids.tracking_value_ids
        self.assertEqual(set(values.field_id.mapped('name')), {'state', 'is_published'})
        self.assertEqual(values.mail_message_id.author_id, self.administrator.partner_id)
