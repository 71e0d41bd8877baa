from datetime import date, datetime, timezone

from psycopg2.errors import UniqueViolation

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import session_facts
from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestSettle(StripeCheckoutCommon):
    """The one settle function: any number of calls, in any order, one payment."""

    def settle(self, session, **changes):
        """Settle what the stand-in says of a session now."""
        current = self.provider._stripe_checkout_retrieve_session(session['id'])
        facts = session_facts.from_session({**current, **changes})
        return (
            self.env['payment.transaction'].sudo()._stripe_checkout_settle(self.provider, [facts])
        )

    def get_transaction(self, session):
        return self.env['payment.transaction'].search([
            ('stripe_checkout_session_id', '=', session['id'])
        ])

    def count_payments(self):
        return self.env['account.payment'].search_count([
            ('stripe_checkout_payment_intent', '!=', False)
        ])

    def pay(self, invoice, **kwargs):
        session = self.open_link(invoice)
        return self.stripe.pay(session['id'], **kwargs)

    # === EXACTLY ONCE === #

    def test_twice_books_once(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        for _call in range(3):
            self.assertEqual(self.settle(session).state, 'done')
        self.assert_booked(invoice, 100)
        self.assertEqual(self.count_payments(), 1)

    def test_two_facts_of_one_session_in_one_call(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        current = self.provider._stripe_checkout_retrieve_session(session['id'])
        paid = session_facts.from_session(current)
        opened = session_facts.from_session({**current, 'status': 'open'})
        Transaction = self.env['payment.transaction'].sudo()
        Transaction._stripe_checkout_settle(self.provider, [paid, opened, paid])
        self.assert_booked(invoice, 100)

    def test_every_order_of_events_ends_the_same(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        deliveries = self.stripe.deliveries.pop_all()
        self.assertGreater(len(deliveries), 0)
        for order in (list(reversed(deliveries)), deliveries, deliveries + deliveries):
            self.deliver(order)
            self.run_queue()
            self.assert_booked(invoice, 100)
            self.assertEqual(self.get_transaction(session).state, 'done')

    def test_database_refuses_a_second_booking(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        payment = self.settle(session).payment_id
        intent = payment.stripe_checkout_payment_intent
        with self.assertRaises(UniqueViolation), mute_logger('odoo.sql_db'):
            payment.copy({'stripe_checkout_payment_intent': intent}).flush_recordset()

    def test_late_success_after_expiry_is_booked(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        self.get_transaction(session)._set_canceled()
        self.settle(session)
        self.assert_booked(invoice, 100)
        self.assertEqual(self.get_transaction(session).state, 'done')

    def test_success_is_not_undone_by_what_comes_late(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        self.settle(session)
        self.settle(session, status='expired')
        self.settle(session, payment_status='unpaid', payment_intent={'status': 'canceled'})
        self.assertEqual(self.get_transaction(session).state, 'done')
        self.assert_booked(invoice, 100)

    def test_booking_needs_no_other_scheduled_action(self):
        invoice = self.create_invoice(100)
        for name in ('ir_cron_send_mails', 'ir_cron_check_webhook'):
            self.env.ref(f'payment_stripe_checkout.{name}').unlink()
        self.provider.stripe_checkout_confirmed_at = False
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)

    def test_many_payments_are_booked_in_one_batch(self):
        invoices = [self.create_invoice(10 + number) for number in range(5)]
        sessions = [self.pay(invoice) for invoice in invoices]
        facts = [
            session_facts.from_session(
                self.provider._stripe_checkout_retrieve_session(session['id'])
            )
            for session in sessions
        ]
        Transaction = self.env['payment.transaction'].sudo()
        Transaction._stripe_checkout_settle(self.provider, facts)
        for number, invoice in enumerate(invoices):
            self.assert_booked(invoice, 10 + number)

    # === DELAYED METHODS === #

    def test_bank_debit_is_paid_when_it_is_settled(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice, method='us_bank_account')
        self.deliver()
        self.run_queue()
        self.assertEqual(self.get_transaction(session).state, 'pending')
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assertEqual(invoice._stripe_checkout_get_state(), 'processing')
        self.assertEqual(self.count_payments(), 0)
        self.stripe.settle_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)

    def test_failed_bank_debit_opens_the_invoice_again(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice, method='us_bank_account')
        self.deliver()
        self.run_queue()
        self.stripe.fail_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(self.get_transaction(session).state, 'error')
        self.assertEqual(self.count_payments(), 0)
        self.assertEqual(invoice._stripe_checkout_get_state(), 'payable')
        self.assertNotEqual(self.open_link(invoice)['id'], session['id'])

    def test_staff_let_the_client_pay_again_while_a_debit_is_under_way(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        self.assertEqual(invoice._stripe_checkout_get_state(), 'processing')
        invoice.with_user(self.billing_admin).action_stripe_checkout_free()
        second = self.open_link(invoice)
        self.stripe.pay(second['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)
        # The first one arrives after all: nothing is lost.
        self.stripe.settle_debit(session['id'])
        self.deliver()
        self.run_queue()
        payments = invoice.transaction_ids.payment_id
        self.assertEqual(len(payments), 2)
        self.assertEqual(sum(payments.mapped('stripe_checkout_credit')), 100)

    def test_debit_events_in_reverse_order(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice, method='us_bank_account')
        self.stripe.settle_debit(session['id'])
        self.deliver(list(reversed(self.stripe.deliveries.pop_all())))
        self.run_queue()
        self.assert_booked(invoice, 100)
        self.assertEqual(self.get_transaction(session).state, 'done')

    # === CAPTURED MONEY IS ALWAYS BOOKED === #

    def assert_open_credit(self, session, amount):
        """Check that a payment is posted as the client's open credit, with a to-do for staff."""
        payment = self.get_transaction(session).payment_id
        self.assertEqual(payment.move_id.state, 'posted')
        credit = payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable'
        )
        self.assertEqual(credit.amount_residual, -amount)
        self.assertEqual(payment.partner_id, self.client)
        self.assertEqual(payment.activity_ids.user_id, self.billing_admin)

    def test_paid_after_the_invoice_was_paid_otherwise(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({})._create_payments()
        self.assertEqual(invoice.amount_residual, 0)
        self.settle(session)
        self.assert_open_credit(session, 100)

    def test_paid_after_cancel(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        invoice.button_draft()
        invoice.button_cancel()
        self.settle(session)
        self.assertEqual(invoice.state, 'cancel')
        self.assert_open_credit(session, 100)

    def test_paid_after_reset_to_draft_leaves_the_draft(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        invoice.button_draft()
        self.settle(session)
        self.assertEqual(invoice.state, 'draft')
        self.assert_open_credit(session, 100)

    def test_another_amount_than_asked_is_booked_as_captured(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        self.settle(session, amount_total=4000)
        self.assert_booked(invoice, 40, payment_state='partial')
        self.assertEqual(invoice.amount_residual, 60)

    def test_paid_in_another_currency_than_asked(self):
        """Nobody knows what of the invoice such a payment pays: it waits for a person."""
        self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        self.settle(session, currency='eur', amount_total=9000)
        payment = self.get_transaction(session).payment_id
        self.assertEqual((payment.currency_id.name, payment.amount), ('EUR', 90))
        self.assertEqual(payment.stripe_checkout_credit, 90)
        self.assertEqual(invoice.payment_state, 'not_paid')
        for text in ("90.00", invoice.name, "refund it"):
            self.assertIn(text, payment.activity_ids.note)

    def test_more_than_is_left(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        self.settle(session, amount_total=13000)
        self.assertEqual(invoice.payment_state, 'paid')
        self.assert_open_credit(session, 30)

    def test_a_refused_reconciliation_keeps_the_payment(self):
        # Without an exchange journal Odoo refuses to match amounts of two rates.
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        invoice = self.create_invoice(100, currency_id=euro.id, invoice_date='2020-06-01')
        session = self.pay(invoice)
        self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0), ('2021-01-01', 4.0)])
        self.company.currency_exchange_journal_id = False
        with self.assertLogs('odoo.addons.payment_stripe_checkout', 'ERROR'):
            self.settle(session)
        payment = self.get_transaction(session).payment_id
        self.assertEqual(payment.state in ('paid', 'in_process'), True)
        self.assertEqual(payment.move_id.state, 'posted')
        self.assertTrue(payment.activity_ids)
        self.assertEqual(invoice.payment_state, 'not_paid')

    def test_transaction_that_only_counts_as_paid_is_not_booked(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        transaction = self.get_transaction(session)
        transaction.sudo().state = 'done'
        try:
            transaction.sudo().action_post_process()
        except UserError as error:
            self.assertIn("did not receive a payment", str(error))
        else:
            self.fail("An unpaid session was booked")
        self.assertEqual(self.env['account.payment'].search_count([('memo', 'ilike', 'link')]), 0)

    def test_a_refused_reconciliation_leaves_the_others_of_its_batch(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        refused = self.create_invoice(100, currency_id=euro.id, invoice_date='2020-06-01')
        invoices = [self.create_invoice(10), refused, self.create_invoice(20)]
        facts = [
            session_facts.from_session(
                self.provider._stripe_checkout_retrieve_session(self.pay(invoice)['id'])
            )
            for invoice in invoices
        ]
        self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0), ('2021-01-01', 4.0)])
        self.company.currency_exchange_journal_id = False
        with mute_logger('odoo.addons.payment_stripe_checkout.models.payment_transaction_booking'):
            self.env['payment.transaction'].sudo()._stripe_checkout_settle(self.provider, facts)
        self.assert_booked(invoices[0], 10)
        self.assert_booked(invoices[2], 20)
        self.assertEqual(refused.payment_state, 'not_paid')
        payment = refused.transaction_ids.payment_id
        self.assertEqual((payment.move_id.state, payment.stripe_checkout_credit), ('posted', 100))
        self.assertTrue(payment.activity_ids)

    def test_two_payments_of_one_invoice_in_one_call(self):
        invoice = self.create_invoice(100)
        first = self.pay(invoice, method='us_bank_account')
        self.deliver()
        self.run_queue()
        invoice.with_user(self.billing_admin).action_stripe_checkout_free()
        second = self.pay(invoice)
        self.stripe.settle_debit(first['id'])
        facts = [
            session_facts.from_session(
                self.provider._stripe_checkout_retrieve_session(session['id'])
            )
            for session in (first, second)
        ]
        Transaction = self.env['payment.transaction'].sudo()
        Transaction._stripe_checkout_settle(self.provider, facts)
        payments = invoice.transaction_ids.payment_id
        self.assertEqual(set(payments.move_id.mapped('state')), {'posted'})
        self.assertEqual(sorted(payments.mapped('stripe_checkout_credit')), [0, 100])
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertEqual(len(payments.sudo().activity_ids), 1, "Staff decide about the second")

    # === CURRENCY AND DAY === #

    def test_foreign_currencies_are_exact(self):
        for name, amount, minor in [('JPY', 5000, 5000), ('EUR', 12.34, 1234), ('ISK', 900, 90000)]:
            with self.subTest(currency=name):
                currency = self.setup_other_currency(name, rates=[('2020-01-01', 2.0)])
                invoice = self.create_invoice(amount, currency_id=currency.id)
                session = self.pay(invoice)
                self.assertEqual(session['amount_total'], minor)
                self.settle(session)
                payment = self.assert_booked(invoice, amount)
                self.assertEqual(payment.currency_id, currency)

    def test_booked_on_stripes_day_in_the_time_zone_of_the_provider(self):
        self.provider.stripe_checkout_tz = 'Pacific/Auckland'
        invoice = self.create_invoice(100)
        transaction = self.get_transaction(self.pay(invoice))
        evening = datetime(2026, 3, 1, 20, 0)
        self.assertEqual(transaction._stripe_checkout_get_booking_date(evening), date(2026, 3, 2))
        self.provider.stripe_checkout_tz = 'America/Los_Angeles'
        self.assertEqual(
            transaction._stripe_checkout_get_booking_date(datetime(2026, 3, 1, 5)),
            date(2026, 2, 28),
        )

    def test_locked_day_moves_payment_and_entry_to_the_first_open_day(self):
        invoice = self.create_invoice(100, invoice_date='2026-01-10')
        session = self.pay(invoice)
        self.company.sudo().fiscalyear_lock_date = date(2026, 6, 30)
        captured = int(datetime(2026, 6, 10, tzinfo=timezone.utc).timestamp())
        self.settle(
            session,
            payment_intent={
                'id': session['payment_intent'],
                'latest_charge': {
                    'created': captured,
                    'payment_method_details': {'type': 'card'},
                },
            },
        )
        payment = self.get_transaction(session).payment_id
        self.assertEqual(payment.date, date(2026, 7, 1))
        self.assertEqual(payment.move_id.date, date(2026, 7, 1))
        self.assertEqual(payment.stripe_checkout_paid_at.date(), date(2026, 6, 10))
        self.assertEqual(invoice.payment_state, 'paid')

    # === SEVERAL INVOICES === #

    def test_one_payment_for_two_invoices(self):
        invoices = self.create_invoice(100) + self.create_invoice(50)
        link = self.env['stripe.payment.link']._create_for_each(invoices[0])
        link.move_ids = [Command.set(invoices.ids)]
        response = self.url_open(link._get_path(), allow_redirects=False)
        session = self.get_session(response.headers['Location'])
        self.assertEqual(session['amount_total'], 15000)
        self.stripe.pay(session['id'])
        self.settle(session)
        payment = self.get_payments(invoices[0])
        self.assertEqual(payment, self.get_payments(invoices[1]))
        self.assertEqual(payment.amount, 150)
        self.assertEqual(invoices.mapped('payment_state'), ['paid', 'paid'])
