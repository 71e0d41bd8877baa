from datetime import datetime, timedelta

from odoo.tests import tagged

from .balance_common import BalanceCommon


@tagged('post_install', '-at_install')
class TestConversions(BalanceCommon):
    """Euros that Stripe puts on the balance as dollars: booked at 2.00, converted at 1.85."""

    def setUp(self):
        super().setUp()
        self.euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 0.5)])
        account = self.stripe.account
        account.settlement_currencies = ('usd',)
        account.exchange_rates = {'eur': 1.85}
        self.addCleanup(setattr, account, 'settlement_currencies', None)
        self.addCleanup(setattr, account, 'exchange_rates', {})

    def read_report(self, *names):
        """Return what the report says, by day and currency."""
        self.env.flush_all()
        report = self.env['stripe.balance.report'].search([('provider_id', '=', self.provider.id)])
        return {
            (row.day, row.currency_id.name): tuple(round(row[name], 2) for name in names)
            for row in report
        }

    def test_day_that_was_locked_after_the_payment(self):
        """Catches a difference on each of the two days, which only their sum makes up for."""
        self.pay(100, currency_id=self.euro.id)
        today = self.provider._stripe_checkout_get_day(datetime.now())
        tomorrow = today + timedelta(days=1)
        self.company.fiscalyear_lock_date = today
        self.feed()
        row = self.get_rows()
        self.assertRecordValues(
            row, [{'state': 'booked', 'day': today, 'booked_day': tomorrow, 'moved': True}]
        )
        self.assertEqual(
            self.read_report('stripe', 'ahead', 'books', 'difference'),
            {
                (today, 'EUR'): (0, 100, 100, 0),
                (tomorrow, 'EUR'): (0, -100, -100, 0),
                (tomorrow, 'USD'): (row.net, 0, row.net, 0),
            },
        )
        self.assert_ties()

    def test_on_one_day(self):
        self.pay(100, currency_id=self.euro.id)
        self.feed()
        row = self.get_rows()
        self.assertEqual(
            self.read_report('stripe', 'ahead', 'books', 'difference'),
            {(row.day, 'EUR'): (0, 0, 0, 0), (row.day, 'USD'): (row.net, 0, row.net, 0)},
        )

    # === DISPUTES === #

    def test_part_of_a_lost_dispute_comes_back(self):
        """Catches 40 euros that came back and count as the whole 100."""
        invoice = self.pay(100, currency_id=self.euro.id)
        made = self.stripe.dispute(invoice.transaction_ids.stripe_checkout_session_id)
        self.stripe.lose_dispute(made['id'])
        self.settle()
        self.feed()
        disputed = self.provider.stripe_checkout_dispute_account_id
        self.assertEqual(self.get_balance(disputed, 'EUR'), 0)
        self.stripe.reinstate_dispute(made['id'], 7400)  # of 185 dollars
        self.settle()
        self.feed()
        self.assertEqual(self.get_balance(disputed, 'EUR'), -40)
        self.assertEqual(sum(self.get_items(disputed).mapped('balance')), -80)
        self.assertEqual(invoice.payment_state, 'not_paid')
        [todo] = invoice.activity_ids.filtered(lambda todo: "came back" in todo.summary)
        self.assertIn('40.00', todo.note)
        self.assert_ties()
        self.stripe.reinstate_dispute(made['id'], 11100)
        self.settle()
        self.feed()
        self.assertEqual(self.get_balance(disputed, 'EUR'), 0)
        self.assertEqual(sum(self.get_items(disputed).mapped('balance')), 0)
        self.assertIn(invoice.payment_state, ('paid', 'in_payment'))
        self.assert_ties()

    def test_part_of_a_currency_without_a_minor_unit(self):
        """Catches a rate that is taken for one between major units."""
        yen = self.setup_other_currency('JPY', rates=[('2020-01-01', 100)])
        self.stripe.account.exchange_rates = {'jpy': 0.0065}
        invoice = self.pay(10000, currency_id=yen.id)
        made = self.stripe.dispute(invoice.transaction_ids.stripe_checkout_session_id)
        self.settle()
        self.feed()
        [withdrawal] = self.get_rows(kind='dispute')
        self.assertEqual((withdrawal.amount, withdrawal.exchange_rate), (-65, 0.65))
        disputed = self.provider.stripe_checkout_dispute_account_id
        self.assertEqual(self.get_balance(disputed, 'JPY'), 10000)
        self.stripe.lose_dispute(made['id'])
        self.settle()
        self.feed()
        self.stripe.reinstate_dispute(made['id'], 2600)  # of 6500 cents
        self.settle()
        self.feed()
        self.assertEqual(self.get_balance(disputed, 'JPY'), -4000)
        self.assert_ties()

    def test_all_of_a_lost_dispute_comes_back_at_another_rate(self):
        """Catches what Stripe converts at the rate of that day, and is taken for a part."""
        invoice = self.pay(100.01, currency_id=self.euro.id)
        made = self.stripe.dispute(invoice.transaction_ids.stripe_checkout_session_id)
        self.stripe.lose_dispute(made['id'])
        self.settle()
        self.feed()
        self.stripe.reinstate_dispute(made['id'], 18402)
        [movement] = self.stripe.account.store.newest_first('balance_transaction')[:1]
        movement['exchange_rate'] = 1.84
        self.settle()
        self.feed()
        disputed = self.provider.stripe_checkout_dispute_account_id
        self.assertEqual(self.get_balance(disputed, 'EUR'), 0)
        self.assertIn(invoice.payment_state, ('paid', 'in_payment'))
        self.assert_ties()
