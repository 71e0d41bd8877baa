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
