from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import tagged

from .balance_common import BalanceCommon


@tagged('post_install', '-at_install')
class TestDebitsOnBalance(BalanceCommon):
    """Stripe shows a bank debit on its balance while it is under way, days before it is paid."""

    def begin(self):
        """Have a client begin a debit of 100, which Stripe's balance shows; return both."""
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.stripe.make_balance_transactions()
        self.settle()
        self.feed()
        return invoice, session

    def assert_books(self, clearing, **others):
        """Check the clearing account, and that the other accounts are empty unless given."""
        self.assertEqual(self.get_balance(), clearing)
        for name in ('dispute', 'classify', 'fee'):
            account = self.provider[f'stripe_checkout_{name}_account_id']
            self.assertEqual(self.get_balance(account), others.get(name, 0), name)
        self.assert_nothing_suspended()

    def test_under_way(self):
        invoice, _session = self.begin()
        row = self.get_rows()
        self.assertRecordValues(row, [{'kind': 'capture', 'state': 'pending', 'net': 99.2}])
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assert_books(0)
        self.assert_ties(waiting=99.2)
        admin = self.provider.with_user(self.billing_admin)
        answer = admin.action_stripe_checkout_compare_balance()['params']
        self.assertEqual(answer['type'], 'success')
        self.assertIn("99.20 to book", answer['message'].replace('\xa0', ' '))
        with freeze_time(datetime.now() + timedelta(days=4)):
            self.feed()
        self.assertFalse(row.activity_ids, "Nothing is wrong")
        with freeze_time(datetime.now() + timedelta(days=7)):
            self.feed()
        [todo] = row.activity_ids  # It should long have been paid.
        for text in ("100.00", invoice.name, "event log"):
            self.assertIn(text, todo.note)

    def test_paid(self):
        invoice, session = self.begin()
        self.stripe.settle_debit(session['id'])
        self.settle()
        self.feed()
        self.assert_booked(invoice, 100)
        self.assert_books(99.2, fee=0.8)
        self.assert_ties()
        self.assertEqual(len(self.get_rows()), 1)

    def test_failed(self):
        """What only Stripe saw come and go is on no account."""
        invoice, session = self.begin()
        self.stripe.fail_debit(session['id'])
        self.settle()
        self.feed()
        self.feed()
        self.assertEqual(self.get_rows().mapped('state'), ['booked', 'booked'])
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assert_books(0)
        self.assert_ties()
        self.assertFalse(self.get_rows().activity_ids)

    def test_failed_before_the_feed_saw_it(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.stripe.make_balance_transactions()
        self.stripe.fail_debit(session['id'])
        self.settle()
        self.feed()
        self.assertEqual(self.get_rows().mapped('state'), ['booked', 'booked'])
        self.assert_books(0)
        self.assert_ties()

    def test_failed_after_it_had_succeeded(self):
        """No dispute says so, only the balance: the invoice is open again, with a to-do."""
        invoice, session = self.begin()
        self.stripe.settle_debit(session['id'])
        self.settle()
        self.feed()
        self.stripe.fail_debit_late(session['id'])
        for _time in range(2):
            self.settle()
            self.feed()
        self.assertEqual((invoice.payment_state, invoice.amount_residual), ('not_paid', 100))
        self.assertEqual(invoice._stripe_checkout_get_state(), 'payable')
        self.assert_books(0)
        self.assert_ties()
        [todo] = invoice.activity_ids.filtered(lambda todo: todo.summary == "Dispute lost")
        for text in ("100.00", invoice.name, "failed after success"):
            self.assertIn(text, todo.note)
        # Paid in another way, it is paid.
        self.stripe.pay(self.open_link(invoice)['id'])
        self.stripe.make_balance_transactions()
        self.settle()
        self.feed()
        self.assertEqual(invoice.payment_state, 'paid')
        self.assert_ties()
