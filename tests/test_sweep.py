from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import payment_transaction_sweep
from .common import StripeCheckoutCommon

SWEEP = 'odoo.addons.payment_stripe_checkout.models.payment_transaction_sweep'
DAY = 24 * 60  # minutes


@tagged('post_install', '-at_install')
class TestSweep(StripeCheckoutCommon):
    """What webhooks miss is found by asking Stripe."""

    def sweep(self, minutes=10):
        with freeze_time(datetime.now() + timedelta(minutes=minutes)):
            self.run_cron('ir_cron_sweep')

    def test_paid_without_any_webhook(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.sweep()
        self.assert_booked(invoice, 100)

    def test_key_that_may_not_read_events_holds_up_no_session(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        key = self.stripe.add_restricted_key(without=['rak_event_read'])
        self.provider.stripe_checkout_secret_key = key
        with mute_logger(SWEEP):
            self.sweep()
        self.assert_booked(invoice, 100)

    def test_debit_that_settled_without_any_webhook(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.sweep()
        self.assertEqual(invoice.transaction_ids.state, 'pending')
        self.stripe.settle_debit(session['id'])
        self.sweep(minutes=20)
        self.assert_booked(invoice, 100)

    def test_debit_is_booked_on_the_day_it_arrived(self):
        """Charge and balance are of the day on which it was started, whoever reads them."""
        start = datetime.now()
        arrival = start + timedelta(days=5)
        roads = {'webhook': arrival, 'sweep': arrival, 'sweep without events': None}
        for road, arrived in roads.items():
            with self.subTest(road):
                invoice = self.create_invoice(100)
                session = self.open_link(invoice)
                self.stripe.pay(session['id'], 'us_bank_account')
                self.stripe.make_balance_transactions()
                self.sweep()
                self.assertEqual(invoice.transaction_ids.state, 'pending')
                with freeze_time(arrival, tick=True):
                    self.stripe.settle_debit(session['id'])
                    deliveries = self.stripe.deliveries.pop_all()
                    if road == 'webhook':
                        self.deliver(deliveries)
                        self.env['stripe.event'].sudo().search([]).next_attempt_at = start
                        self.run_queue()
                if road == 'sweep without events':
                    key = self.stripe.add_restricted_key(without=['rak_event_read'])
                    self.provider.stripe_checkout_secret_key = key
                with mute_logger(SWEEP):
                    self.sweep(minutes=7 * DAY)
                payment = self.assert_booked(invoice, 100)
                self.assertAlmostEqual(
                    payment.stripe_checkout_paid_at,
                    arrived or datetime.now() + timedelta(days=7),  # When Odoo saw it.
                    delta=timedelta(minutes=5),
                )
                day = self.provider._stripe_checkout_get_day(payment.stripe_checkout_paid_at)
                self.assertEqual(payment.date, day)

    def test_freed_debit_is_followed_until_it_has_ended(self):
        for arrives, state in ((True, 'done'), (False, 'cancel')):
            with self.subTest(arrives=arrives):
                invoice = self.create_invoice(100)
                session = self.open_link(invoice)
                self.stripe.pay(session['id'], 'us_bank_account')
                self.sweep()
                invoice.with_user(self.billing_admin).action_stripe_checkout_free()
                self.sweep(minutes=20)
                transaction = invoice.transaction_ids
                self.assertEqual(transaction.state, 'cancel')
                self.assertEqual(invoice._stripe_checkout_get_state(), 'payable')
                end = self.stripe.settle_debit if arrives else self.stripe.fail_debit
                end(session['id'])
                self.sweep(minutes=30)
                self.assertEqual(transaction.state, state)
                self.assertEqual(bool(self.get_payments(invoice)), arrives)
                self.stripe.calls.clear()
                self.sweep(minutes=40)
                self.assertFalse(
                    [call for call in self.stripe.calls if session['id'] in call.path],
                    "What has ended is asked about no more",
                )

    def test_fresh_sessions_are_left_to_the_webhook(self):
        self.open_link(self.create_invoice(100))
        self.stripe.calls.clear()
        self.sweep(minutes=0)
        self.assertEqual([call.path for call in self.stripe.calls], ['/v1/events'])

    def test_session_of_an_invoice_paid_otherwise_is_expired(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({})._create_payments()
        self.sweep()
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')
        self.assertEqual(invoice.transaction_ids.state, 'cancel')

    def test_session_of_an_ended_link_is_expired(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        invoice.sudo().stripe_payment_link_ids.revoked = True
        self.sweep()
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')

    def test_bounded_work_that_goes_on_where_it_stopped(self):
        self.patch(payment_transaction_sweep, 'SWEEP_LIMIT', 2)
        invoices = [self.create_invoice(100) for _number in range(5)]
        for invoice in invoices:
            self.stripe.pay(self.open_link(invoice)['id'])
        triggers = self.env['ir.cron.trigger'].sudo()
        cron = self.env.ref('payment_stripe_checkout.ir_cron_sweep')
        for count in (2, 4, 5):
            triggers.search([]).unlink()
            self.sweep()
            states = [invoice.payment_state for invoice in invoices]
            self.assertEqual(states, ['paid'] * count + ['not_paid'] * (5 - count))
            goes_on = triggers.search([('cron_id', '=', cron.id)])
            self.assertEqual(bool(goes_on), count < 5, "It wakes itself while there is more")

    def test_expired_session_frees_the_invoice(self):
        invoice = self.create_invoice(100)
        self.open_link(invoice)
        self.sweep(minutes=25 * 60)
        self.assertEqual(invoice.transaction_ids.state, 'cancel')

    @mute_logger(SWEEP)
    def test_unreachable_stripe_is_asked_again_next_time(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.stripe.faults.next(3, 'reset')
        self.sweep()
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.sweep()
        self.assert_booked(invoice, 100)

    @mute_logger(SWEEP)
    def test_session_that_fails_holds_up_no_other(self):
        first, second = self.create_invoice(100), self.create_invoice(50)
        broken, good = self.open_link(first), self.open_link(second)
        self.stripe.pay(broken['id'])
        self.stripe.pay(good['id'])
        self.stripe.faults.next(3, '500', path=f'/v1/checkout/sessions/{broken["id"]}*')
        self.sweep()
        self.assert_booked(second, 50)
        self.assertEqual(first.payment_state, 'not_paid')
