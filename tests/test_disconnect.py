from contextlib import suppress
from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time
from psycopg2.errors import QueryCanceled

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged
from odoo.tools import format_datetime, mute_logger

from ..hooks import uninstall_hook
from ..models.payment_provider_pause import PAUSE
from .common import StripeCheckoutCommon

PAUSING = 'odoo.addons.payment_stripe_checkout.models.payment_provider_pause'
CONTROLLER = 'odoo.addons.payment_stripe_checkout.controllers.webhook'


@tagged('post_install', '-at_install')
class TestDisconnect(StripeCheckoutCommon):
    """Disconnecting ends what can be paid, loses no debit, and keeps the books and the log."""

    def setUp(self):
        super().setUp()
        self.managed = self.provider.with_user(self.billing_admin)

    def start_debit(self, amount=100):
        invoice = self.create_invoice(amount)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        self.assertEqual(invoice.transaction_ids.state, 'pending')
        return invoice, session

    def settle(self, session):
        """Let the money of a debit arrive, and all be read of it."""
        self.stripe.settle_debit(session['id'])
        self.stripe.make_balance_transactions()
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_feed')
        self.run_cron('ir_cron_sweep')

    def assert_disconnected(self):
        self.assertRecordValues(
            self.provider,
            [
                {
                    'state': 'disabled',
                    'stripe_checkout_secret_key': False,
                    'stripe_checkout_publishable_key': False,
                    'stripe_checkout_webhook_secret': False,
                    'stripe_checkout_endpoint_id': False,
                    'stripe_checkout_webhook_state': 'none',
                    'stripe_checkout_connected_at': False,
                    'stripe_checkout_disconnecting': False,
                    'stripe_checkout_paused_until': False,
                }
            ],
        )

    def get_todos(self, invoice):
        return invoice.activity_ids.filtered(lambda a: "Bank debit" in (a.summary or ''))

    def test_open_sessions_end_and_everything_else_stays(self):
        paid = self.create_invoice(50)
        self.stripe.pay(self.open_link(paid)['id'])
        self.deliver()
        self.run_queue()
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        client = self.provider._stripe_checkout_get_client()
        self.provider.stripe_checkout_link_expiration = '336'
        self.disconnect()
        self.env.cr.postcommit.run()
        self.assert_disconnected()
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')
        self.assertEqual(client.v1.webhook_endpoints.list().data, [])
        self.assert_booked(paid, 50)
        self.assertTrue(self.env['stripe.event'].search_count([]))
        self.assertEqual(self.provider.stripe_checkout_link_expiration, '336')
        self.assertFalse(invoice.with_user(self.billing_admin).stripe_checkout_url)
        page = self.url_open(invoice.stripe_payment_link_ids._get_path())
        self.get_page(page, 'unavailable')

    @mute_logger(CONTROLLER)
    def test_later_events_are_refused(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        deliveries = self.stripe.deliveries.pop_all()
        self.disconnect(now=True)
        self.deliver(deliveries, status=400)

    def test_session_that_was_just_paid_is_settled(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.disconnect()
        self.assert_disconnected()
        self.assert_booked(invoice, 100)

    def test_waits_for_the_last_debit(self):
        (first, first_session), (second, second_session) = self.start_debit(), self.start_debit(70)
        other = self.create_invoice(30)
        self.disconnect()
        self.assertTrue(self.provider.stripe_checkout_disconnecting)
        self.assertFalse(other.with_user(self.billing_admin).stripe_checkout_url)
        self.get_page(self.url_open(other.stripe_payment_link_ids._get_path()), 'unavailable')
        self.settle(first_session)
        self.assert_booked(first, 100)
        self.assertTrue(self.provider.stripe_checkout_secret_key, "One debit is under way yet")
        self.settle(second_session)
        self.assert_booked(second, 70)
        self.assert_disconnected()
        self.assertFalse(self.get_todos(first + second))

    def test_waits_for_a_debit_that_nobody_told_of_yet(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.disconnect()
        self.assertTrue(self.provider.stripe_checkout_disconnecting)
        self.stripe.settle_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)

    def test_waits_for_a_debit_whose_invoice_staff_have_freed(self):
        invoice, session = self.start_debit()
        invoice.with_user(self.billing_admin).action_stripe_checkout_free()
        self.disconnect()
        self.assertTrue(self.provider.stripe_checkout_disconnecting)
        self.settle(session)
        self.assert_booked(invoice, 100)
        self.assert_disconnected()

    def test_waits_for_the_fee_of_the_last_debit(self):
        invoice, session = self.start_debit()
        self.disconnect()
        self.stripe.settle_debit(session['id'])
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.run_cron('ir_cron_sweep')  # Which settles it, and goes on to disconnect.
        payment = self.assert_booked(invoice, 100)
        self.assertTrue(self.provider.stripe_checkout_secret_key)
        self.stripe.make_balance_transactions()
        self.run_cron('ir_cron_feed')
        self.run_cron('ir_cron_sweep')
        self.assert_disconnected()
        self.assertTrue(payment.stripe_checkout_charge_id)
        self.assertTrue(payment.stripe_checkout_balance_ids.fee_line_id)

    def test_waits_for_a_fee_that_never_comes_no_longer_than_a_day(self):
        _invoice, session = self.start_debit()
        self.disconnect()
        self.stripe.settle_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_sweep')
        self.assertTrue(self.provider.stripe_checkout_secret_key)
        with freeze_time(datetime.now() + timedelta(hours=27)):
            self.run_cron('ir_cron_sweep')
        self.assert_disconnected()

    def test_freed_debit_becomes_a_todo_too(self):
        invoice, _session = self.start_debit()
        invoice.with_user(self.billing_admin).action_stripe_checkout_free()
        self.disconnect(now=True)
        self.assert_disconnected()
        self.assertEqual(len(self.get_todos(invoice)), 1)
        self.assertFalse(invoice.transaction_ids.stripe_checkout_freed)

    def test_disconnecting_over_which_a_worker_died(self):
        """Catches payments that are never taken again, and nobody is told why."""
        invoice = self.create_invoice(100)
        with self.committing(self.provider) as provider:
            provider._stripe_checkout_pause(datetime.now() + PAUSE)
        self.assertFalse(invoice.with_user(self.billing_admin).stripe_checkout_url)
        self.get_page(self.url_open(invoice.stripe_payment_link_ids._get_path()), 'unavailable')
        self.run_cron('ir_cron_sweep')
        self.assertTrue(self.provider.stripe_checkout_secret_key)
        with freeze_time(datetime.now() + PAUSE + timedelta(seconds=1)):
            self.open_link(invoice)

    def test_disconnecting_that_takes_longer_than_the_pause(self):
        """Catches a page that is opened once the pause is over, and paid unnoticed."""
        self.create_invoice(100)
        is_over = patch(f'{PAUSING}.PAUSE', timedelta(seconds=-1))
        with is_over, self.assertRaisesRegex(UserError, "took too long"):
            self.disconnect()
        self.assertTrue(self.provider.stripe_checkout_secret_key)
        self.disconnect()
        self.assert_disconnected()

    def test_disconnecting_that_the_database_refuses(self):
        """Catches payments that stay paused, and a connection half forgotten."""
        invoice = self.create_invoice(100)
        self.refuse_in_database('57014', 'UPDATE OF state ON payment_provider')
        # Odoo's assertRaises would take back what was committed.
        with mute_logger('odoo.sql_db'), suppress(QueryCanceled):
            self.disconnect()
        self.accept_in_database()
        self.assertTrue(self.provider.stripe_checkout_secret_key)
        self.open_link(invoice)

    def test_staying_connected_after_all(self):
        invoice, _session = self.start_debit()
        self.disconnect()
        self.managed.action_stripe_checkout_stay_connected()
        self.assertTrue(self.create_invoice(5).with_user(self.billing_admin).stripe_checkout_url)
        self.assertEqual(invoice.transaction_ids.state, 'pending')

    def test_now_turns_debits_into_todos_and_frees_the_invoices(self):
        invoice, _session = self.start_debit()
        self.disconnect(now=True)
        self.assert_disconnected()
        todo = self.get_todos(invoice)
        self.assertEqual(len(todo), 1)
        self.assertIn('100.00', todo.note)
        self.assertIn(invoice.transaction_ids.stripe_checkout_payment_intent, todo.note)
        self.assertEqual(invoice.transaction_ids.state, 'cancel')
        self.assertNotEqual(invoice._stripe_checkout_get_state(), 'processing')

    def test_debit_given_up_and_settled_after_connecting_again_is_booked_once(self):
        invoice, session = self.start_debit()
        self.disconnect(now=True)
        self.env.cr.postcommit.run()
        self.connect()
        self.stripe.settle_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)

    def test_debit_given_up_is_followed_again_with_its_account(self):
        """Catches a debit that arrives unseen, because its event was missed while disconnected."""
        invoice, session = self.start_debit()
        self.disconnect(now=True)
        self.env.cr.postcommit.run()
        other = self.stripe.add_account()
        self.connect(other.secret_key, other.publishable_key)
        self.assertFalse(invoice.transaction_ids.stripe_checkout_freed)
        self.disconnect(now=True)
        self.env.cr.postcommit.run()
        self.assertTrue(self.get_todos(invoice))
        self.connect()
        self.assertFalse(self.get_todos(invoice), "Else it would be booked twice")
        self.stripe.settle_debit(session['id'])
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.run_cron('ir_cron_sweep')
        self.assert_booked(invoice, 100)
        self.assertFalse(invoice.transaction_ids.stripe_checkout_freed)

    def test_unreachable_stripe_changes_nothing(self):
        invoice = self.create_invoice(100)
        self.open_link(invoice)
        self.stripe.faults.next(10, 'reset')
        try:
            self.disconnect()
        except UserError as error:
            self.assertIn("could not be reached", str(error))
        else:
            self.fail("A session could be paid unnoticed")
        self.assertTrue(self.provider.stripe_checkout_secret_key)
        self.stripe.faults.clear()
        self.open_link(self.create_invoice(50))

    def test_outage_leaves_the_endpoint_and_the_key_to_delete_it_with(self):
        endpoint_id = self.provider.stripe_checkout_endpoint_id
        self.stripe.faults.next(100, '500')
        try:
            self.disconnect()
        except UserError as error:
            self.assertIn("Stripe answered", str(error))
        else:
            self.fail("The endpoint stays at Stripe for ever")
        self.assertEqual(self.provider.stripe_checkout_endpoint_id, endpoint_id)
        self.assertTrue(self.provider.stripe_checkout_secret_key)
        self.stripe.faults.clear()
        self.disconnect()
        self.assert_disconnected()
        self.assertEqual(self.stripe.account.store.newest_first('webhook_endpoint'), [])

    def test_endpoint_that_is_gone_already(self):
        client = self.provider._stripe_checkout_get_client()
        client.v1.webhook_endpoints.delete(self.provider.stripe_checkout_endpoint_id)
        notification = self.disconnect()['params']
        self.assertEqual(notification['type'], 'success')
        self.assert_disconnected()

    def test_dead_key_can_be_forgotten_but_not_in_silence(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        endpoint_id = self.provider.stripe_checkout_endpoint_id
        key = self.stripe.account.secret_key
        self.addCleanup(setattr, self.stripe.account, 'secret_key', key)
        self.stripe.account.secret_key = 'sk_test_rotated'
        self.run_cron('ir_cron_check_webhook')
        action = self.managed.action_stripe_checkout_open_disconnect()
        wizard = self.env[action['res_model']].with_user(self.billing_admin)
        wizard = wizard.with_context(**action['context']).create({})
        self.assertTrue(wizard.key_refused)
        with self.committing(wizard) as pressed:
            notification = pressed.action_disconnect()['params']
        self.assert_disconnected()
        self.assertEqual(invoice.transaction_ids.state, 'cancel')
        # What stays at Stripe is named to whoever presses, and to who has to see to it.
        self.assertEqual(notification['type'], 'warning')
        self.assertIn(endpoint_id, notification['message'])
        self.assertIn("for up to a day: 1", notification['message'])
        self.assertIn(endpoint_id, self.provider.message_ids[0].body)
        todo = invoice.activity_ids.filtered(lambda a: "stays open" in (a.summary or ''))
        self.assertEqual(len(todo), 1)
        self.assertIn('100.00', todo.note)
        self.assertIn(session['id'], todo.note)
        end = invoice.transaction_ids.stripe_checkout_session_expires_at
        self.assertIn(format_datetime(self.env, end), todo.note)

    def test_wizard_names_what_runs(self):
        self.open_link(self.create_invoice(10))
        self.start_debit(100)
        self.start_debit(70)
        action = self.managed.action_stripe_checkout_open_disconnect()
        wizards = self.env[action['res_model']].with_user(self.billing_admin)
        with Form(wizards.with_context(**action['context'])) as form:
            self.assertEqual(form.open_session_count, 1)
            self.assertEqual(form.debit_count, 2)
            self.assertIn('170.00', form.debit_total)
            self.assertEqual(form.moment, 'settled')
            form.moment = 'now'
        with self.committing(form.record) as wizard:
            wizard.action_disconnect()
        self.assert_disconnected()

    def test_uninstalling_waits_for_it(self):
        """Nobody would book what is paid on an open page of an addon that is gone."""
        session = self.open_link(self.create_invoice(100))
        with self.assertRaisesRegex(UserError, self.company.name):
            uninstall_hook(self.env)
        self.assertEqual(self.stripe.session(session['id'])['status'], 'open')
        self.disconnect()
        uninstall_hook(self.env)
        self.assertEqual(self.provider.code, 'none')

    def test_uninstalling_is_for_before_the_first_payment(self):
        self.stripe.pay(self.open_link(self.create_invoice(100))['id'])
        self.deliver()
        self.run_queue()
        self.disconnect()
        with self.assertRaisesRegex(UserError, "payments using this payment method already exist"):
            uninstall_hook(self.env)

    def test_deleting_waits_for_it(self):
        """Catches a webhook endpoint that stays at Stripe, and that nobody answers."""
        company = self.setup_other_company(name="Another company")['company']
        self.billing_admin.company_ids += company
        other = self.connect(company=company)
        with self.assertRaisesRegex(UserError, "Disconnect Stripe before you delete"):
            other.unlink()
        self.assertTrue(other.stripe_checkout_endpoint_id)
        with self.committing(other.with_user(self.billing_admin)) as provider:
            provider.action_stripe_checkout_disconnect()
        other.unlink()
        self.assertFalse(other.exists())

    def test_audit_trail(self):
        key = self.stripe.account.secret_key
        # The environment of Odoo's accounting tests tracks nothing.
        managed = self.managed.with_context(tracking_disable=False, mail_notrack=False)
        managed.write({'stripe_checkout_link_expiration': '336'})
        self.env.flush_all()
        self.env.cr.precommit.run()
        managed.action_stripe_checkout_retry_webhook()
        with self.committing(managed) as pressed:
            pressed.action_stripe_checkout_disconnect(now=True)
        messages = self.provider.message_ids
        texts = ' '.join(messages.mapped('body'))
        for text in ("Connected to", "registered anew", "Disconnected from"):
            self.assertIn(text, texts)
        self.assertEqual(
            set(messages.tracking_value_ids.mapped('new_value_char')) - {False},
            {"2 weeks", "Disabled"},
        )
        acting = messages.filtered(lambda m: "Disconnected" in m.body)
        self.assertEqual(acting.author_id, self.billing_admin.partner_id)
        self.assertNotIn(key, texts)

    def test_only_billing_admins(self):
        nobody = self.env['res.users'].create({
            'name': "Nobody",
            'login': 'nobody',
            'group_ids': [(6, 0, self.env.ref('account.group_account_invoice').ids)],
            'company_id': self.company.id,
            'company_ids': [(6, 0, self.company.ids)],
        })
        for action in ('disconnect', 'stay_connected', 'open_disconnect'):
            with self.assertRaises(AccessError):
                getattr(self.provider.with_user(nobody), f'action_stripe_checkout_{action}')()
