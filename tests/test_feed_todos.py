from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import tagged
from odoo.tools import mute_logger

from .balance_common import BalanceCommon

FEED = 'odoo.addons.payment_stripe_checkout.models.payment_provider_feed'
BOOKING = 'odoo.addons.payment_stripe_checkout.models.stripe_balance_transaction_booking'


@tagged('post_install', '-at_install')
class TestFeedTodos(BalanceCommon):
    """What of the balance is not read, not booked or not understood is told to staff."""

    # === THE FEED === #

    def check_health(self, days):
        self.deliver()
        self.provider.stripe_checkout_probed_at = False  # No probe's event is missing.
        with freeze_time(datetime.now() + timedelta(days=days), tick=True):
            self.run_cron('ir_cron_check_webhook')
        return self.provider.activity_search(['payment_stripe_checkout.mail_activity_type_health'])

    @mute_logger(FEED)
    def test_feed_that_fails_for_a_day_is_a_todo(self):
        self.stripe.faults.next(99, '500', path='/v1/balance_transactions')
        for days in (0.1, 1.1):
            with freeze_time(datetime.now() + timedelta(days=days), tick=True):
                self.feed()
        self.assertFalse(self.check_health(0.9))
        todo = self.check_health(1.2)
        self.assertEqual(self.provider.stripe_checkout_problem, 'feed')
        self.assertEqual(todo.user_id, self.billing_admin)
        self.assertIn(self.provider.stripe_checkout_feed_error, todo.note)
        self.stripe.faults.clear()
        with freeze_time(datetime.now() + timedelta(days=1.3), tick=True):
            self.feed()
        self.assertFalse(self.check_health(1.4))
        self.assertFalse(self.provider.stripe_checkout_problem)

    @mute_logger(FEED, 'odoo.sql_db')
    def test_balance_that_is_read_and_not_booked_is_a_todo(self):
        """Catches a feed that looks well because reading alone goes well."""
        self.pay(100, settle=False)
        self.feed()
        self.refuse_in_database('57014', 'UPDATE OF is_reported ON stripe_balance_transaction')
        for days in (2, 3.1):
            with freeze_time(datetime.now() + timedelta(days=days), tick=True):
                self.feed()
        todo = self.check_health(3.2)
        self.assertIn('refused by the database', todo.note)
        self.assertNotIn('CONTEXT', todo.note)
        self.accept_in_database()
        with freeze_time(datetime.now() + timedelta(days=3.3), tick=True):
            self.feed()
        self.assertFalse(self.check_health(3.4))

    # === MOVEMENTS === #

    @mute_logger(BOOKING, 'odoo.sql_db')
    def test_fees_of_a_day_that_cannot_be_booked_are_a_todo(self):
        self.provider.stripe_checkout_fee_mode = 'day'
        for amount in (100, 200):
            self.pay(amount)
        self.feed()
        fees = self.provider.stripe_checkout_fee_account_id
        fees.active = False
        for days in (1, 2, 3):
            with freeze_time(datetime.now() + timedelta(days=days)):
                self.feed()
        rows = self.get_rows()
        self.assertEqual(set(rows.mapped('state')), {'booked'})
        [todo] = rows.activity_ids
        self.assertEqual(todo.user_id, self.billing_admin)
        for fact in ('9.30', 'archived', 'tried again'):
            self.assertIn(fact, todo.note)
        self.assertFalse(self.provider.stripe_checkout_feed_error)
        fees.active = True
        with freeze_time(datetime.now() + timedelta(days=3)):
            self.feed()
        self.assertEqual(rows.fee_line_id.mapped('amount'), [-9.3])
        self.assertFalse(rows.activity_ids)
        self.assert_ties()

    @mute_logger(BOOKING)
    def test_todo_of_what_is_no_payment_names_no_invoice(self):
        """Catches the invoices of all pages that nobody has paid."""
        invoice = self.create_invoice(100)
        self.open_link(invoice)
        self.provider.stripe_checkout_fee_account_id.active = False
        self.stripe.charge_stripe_fee(1234, "Billing")
        self.feed()
        with freeze_time(datetime.now() + timedelta(days=1.1)):
            self.feed()
        [todo] = self.get_rows().activity_ids
        self.assertIn('12.34', todo.note)
        self.assertNotIn(invoice.name, todo.note)

    @mute_logger(BOOKING)
    def test_conversion_waits_for_the_accounts_of_exchange_differences(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 0.5)])
        self.stripe.account.settlement_currencies = ('usd',)
        self.stripe.account.exchange_rates = {'eur': 1.85}
        self.addCleanup(setattr, self.stripe.account, 'settlement_currencies', None)
        self.addCleanup(setattr, self.stripe.account, 'exchange_rates', {})
        loss = self.company.expense_currency_exchange_account_id
        self.company.expense_currency_exchange_account_id = False
        self.pay(100, currency_id=euro.id)
        self.feed()
        with freeze_time(datetime.now() + timedelta(days=2)):
            self.feed()
        row = self.get_rows()
        self.assertEqual(row.state, 'pending')
        self.assertIn("no accounts for exchange differences", row.activity_ids.note)
        self.company.expense_currency_exchange_account_id = loss
        self.feed()
        self.feed()
        self.assertRecordValues(row, [{'state': 'booked', 'error': False}])
        self.assertFalse(row.activity_ids)
        self.assertEqual(sum(self.get_items(loss).mapped('balance')), 15)
        self.assert_ties()

    def test_other_amount_than_booked(self):
        """Only what lies between the payment and its movement is to be classified."""
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        [movement] = self.stripe.make_balance_transactions()
        stored = self.stripe.account.store.get('balance_transaction', movement['id'])
        stored['amount'] -= 200
        stored['net'] -= 200
        self.settle()
        self.feed()
        row = self.get_rows()
        self.assertEqual(row.state, 'classify')
        classify = self.provider.stripe_checkout_classify_account_id
        self.assertEqual(self.get_balance(classify), 2)
        self.assert_ties()
        [todo] = row.activity_ids
        note = todo.note.replace('&nbsp;', '\N{NO-BREAK SPACE}')
        payment = self.get_payments(invoice)
        for fact in (row.currency_id.format(-2), '98.00', invoice.name, payment.name):
            self.assertIn(fact, note)
