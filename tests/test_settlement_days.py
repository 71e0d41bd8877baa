from datetime import date, datetime, timedelta

from freezegun import freeze_time

from odoo.fields import Command
from odoo.tests import Form, tagged

from .balance_common import BalanceCommon

EVENING = datetime(2031, 3, 31, 20, 15, 30)
LOCK = date(2031, 6, 30)
OPEN = date(2031, 7, 1)


@tagged('post_install', '-at_install')
class TestSettlementDays(BalanceCommon):
    """On which day an online payment is booked, and how it is found in the books."""

    def process(self, deliveries=None):
        """Deliver events and work them off; by the database's clock the future is not due yet."""
        self.deliver(deliveries)
        self.env['stripe.event'].sudo().search([]).next_attempt_at = datetime(2026, 1, 1)
        self.run_queue()

    def pay_at(self, moment, locks=None, **values):
        """Have an invoice paid at a moment; books are locked before the payment is processed."""
        with freeze_time(moment):
            invoice = self.create_invoice(invoice_date=moment.date(), **values)
            session = self.open_link(invoice)
            self.stripe.pay(session['id'])
            self.stripe.make_balance_transactions()
            deliveries = self.stripe.deliveries.pop_all()
        with freeze_time(moment + timedelta(minutes=2)):
            self.company.sudo().write(locks or {})
            self.process(deliveries)
        payment = invoice.transaction_ids.payment_id
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertEqual(payment.stripe_checkout_paid_at, moment, "The exact time is kept")
        return payment

    def assert_booked_on(self, payment, day, is_moved):
        self.assertEqual(payment.date, day)
        self.assertEqual(payment.move_id.date, day)
        self.assertEqual(set(payment.move_id.line_ids.mapped('date')), {day})
        notes = [note for note in payment.message_ids.mapped('body') if "is locked" in note]
        self.assertEqual(len(notes), 1 if is_moved else 0, notes)
        if is_moved:
            self.assertIn("03/31/2031", notes[0])

    # === DAY === #

    def test_stripes_day_in_the_time_zone_of_the_provider(self):
        for time_zone, day in (
            ('Pacific/Auckland', date(2031, 4, 1)),
            ('UTC', date(2031, 3, 31)),
            ('America/Los_Angeles', date(2031, 3, 31)),
        ):
            with self.subTest(time_zone):
                self.provider.stripe_checkout_tz = time_zone
                self.assert_booked_on(self.pay_at(EVENING), day, False)
        self.assert_booked_on(self.pay_at(EVENING - timedelta(hours=16)), date(2031, 3, 30), False)

    # === LOCKS === #

    def test_locked_days(self):
        self.provider.stripe_checkout_tz = 'UTC'
        for lock, is_moved in (
            ('sale_lock_date', False),
            ('purchase_lock_date', False),
            ('tax_lock_date', False),
            ('fiscalyear_lock_date', True),
            ('hard_lock_date', True),
        ):
            with self.subTest(lock):
                payment = self.pay_at(EVENING, {lock: LOCK})
                self.assert_booked_on(payment, OPEN if is_moved else EVENING.date(), is_moved)
                if lock != 'hard_lock_date':  # Which is for ever.
                    self.company.sudo().write({lock: False})

    def test_tax_lock_moves_a_payment_with_the_taxes_of_a_discount(self):
        self.provider.stripe_checkout_tz = 'UTC'
        tax = self.env['account.tax'].create({
            'name': "10 %",
            'amount': 10,
            'type_tax_use': 'sale',
            'company_id': self.company.id,
            'country_id': self.company.account_fiscal_country_id.id,
        })
        for computation, is_moved in (('included', True), ('excluded', False)):
            with self.subTest(computation):
                term = self.create_discount_term(computation)
                payment = self.pay_at(
                    EVENING,
                    {'tax_lock_date': LOCK},
                    invoice_payment_term_id=term.id,
                    invoice_line_ids=[
                        Command.create({
                            'name': "Services",
                            'price_unit': 100,
                            'tax_ids': [Command.set(tax.ids)],
                        })
                    ],
                )
                self.assert_booked_on(payment, OPEN if is_moved else EVENING.date(), is_moved)
                self.company.sudo().tax_lock_date = False

    def test_refund_of_a_locked_day(self):
        self.provider.stripe_checkout_tz = 'UTC'
        payment = self.pay_at(EVENING)
        with freeze_time(EVENING + timedelta(minutes=5)):
            self.stripe.refund(payment.stripe_checkout_session_id, 4000)
            self.company.sudo().fiscalyear_lock_date = LOCK
            self.process()
        refund = self.env['account.payment'].search([('source_payment_id', '=', payment.id)])
        self.assert_booked_on(refund, OPEN, True)

    def test_what_undoes_a_payment(self):
        """Catches the day on which an event is processed, and the day by UTC."""
        self.provider.stripe_checkout_tz = 'America/Los_Angeles'
        lost, refunded = self.pay_at(EVENING), self.pay_at(EVENING)
        session_id = lost.stripe_checkout_session_id
        with freeze_time(EVENING):
            refund = self.stripe.refund(refunded.stripe_checkout_session_id, 2000)
            dispute = self.stripe.dispute(session_id)
            self.process()
        with freeze_time(datetime(2031, 4, 2, 3)):  # 1 April, 20:00 in Los Angeles.
            self.stripe.lose_dispute(dispute['id'])
            self.stripe.fail_refund(refund['id'])
            held = self.stripe.deliveries.pop_all()
        with freeze_time(datetime(2031, 4, 4, 3)):
            self.process(held)
        payments = self.env['account.payment']
        reversal = payments.search([
            ('stripe_checkout_refund_id', '=', refund['id'])
        ]).move_id.reversal_move_ids
        chargeback = lost.invoice_ids.sudo().stripe_checkout_dispute_ids.chargeback_move_id
        self.assertEqual((reversal + chargeback).mapped('date'), [date(2031, 4, 1)] * 2)
        with freeze_time(datetime(2031, 4, 6, 3)):  # 5 April there.
            self.stripe.reinstate_dispute(dispute['id'])
            held = self.stripe.deliveries.pop_all()
        with freeze_time(datetime(2031, 4, 8, 3)):
            self.feed()
            self.process(held)
        self.assertEqual(chargeback.reversal_move_ids.date, date(2031, 4, 5))

    # === FOUND FROM EITHER SIDE === #

    def test_journal_entry_bears_stripes_ids(self):
        invoice = self.pay(100)
        self.feed()
        payment = self.get_payments(invoice)
        session = self.stripe.session(payment.stripe_checkout_session_id)
        intent = session['payment_intent']
        [row] = self.get_rows(payment_id=payment.id)
        entry = payment.move_id.with_user(self.billing_admin)
        self.assertRecordValues(
            entry,
            [
                {
                    'stripe_checkout_payment_intent': intent,
                    'stripe_checkout_charge_id': row.charge_id,
                    'stripe_checkout_session_id': session['id'],
                }
            ],
        )
        self.assertTrue(row.charge_id)
        self.assertIn(intent, entry.ref)
        with Form(entry) as form:
            self.assertEqual(form.stripe_checkout_payment_intent, intent)
        for field in (
            'stripe_checkout_payment_intent',
            'stripe_checkout_charge_id',
            'stripe_checkout_session_id',
        ):
            self.assertEqual(entry.search([(field, '=', entry[field])]), entry, field)
        refund = self.stripe.refund(session['id'], 4000)
        self.settle()
        found = entry.search([('stripe_checkout_refund_id', '=', refund['id'])])
        self.assertEqual(found.origin_payment_id.amount, 40)
