from contextlib import contextmanager
from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import SQL

from .balance_common import MOST_RUNS, BalanceCommon

WEEKS = 4
INVOICES_A_WEEK = 50
GROWING = ('account.move', 'account.move.line', 'account.partial.reconcile', 'account.payment')
CURRENCIES = ('USD', 'USD', 'USD', 'EUR', 'GBP')  # in turn; Stripe converts what is paid in pounds


@tagged('post_install', '-at_install')
class TestMonth(BalanceCommon):
    """A month of a provider with two hundred invoices, proven to the cent."""

    def setUp(self):
        super().setUp()
        self.start = datetime.now()

    @contextmanager
    def on_day(self, day):
        """Let it be some days later, at Stripe too; the books tie at the end."""
        with freeze_time(self.start + timedelta(days=day), tick=True):
            self.stripe.advance(0)  # What falls due until then.
            yield
            self.analyze()
            self.settle()
            self.feed_to_the_end()
            self.assert_ties()

    def analyze(self):
        """Tell PostgreSQL how the tables have grown.

        It does so by itself for what is committed. A test never commits: queries planned for tables
        that look empty may take minutes on a month of entries.
        """
        self.env.flush_all()
        for name in GROWING:
            self.env.cr.execute(SQL("ANALYZE %s", SQL.identifier(self.env[name]._table)))

    def settle(self):
        self.deliver()
        events_sudo = self.env['stripe.event'].sudo()
        # A run of the queue ends after some seconds, on a slow machine before all is done.
        for _run in range(MOST_RUNS):
            waiting = events_sudo.search([('state', '=', 'pending')])
            if not waiting:
                return
            # PostgreSQL's clock, which says what is due, cannot be moved.
            waiting.next_attempt_at = self.start
            self.run_queue()
        facts = ['type', 'attempts', 'under_way', 'error', 'next_attempt_at']
        self.fail(f"{len(waiting)} events still wait: {waiting[:5].read(facts)}")

    def create_invoices(self, week):
        """Post the invoices of a week, no two of one amount."""
        currencies = {name: self.env.ref(f'base.{name}') for name in CURRENCIES}
        invoices = self.env['account.move'].create([
            {
                'move_type': 'out_invoice',
                'partner_id': self.client.id,
                'currency_id': currencies[CURRENCIES[number % len(CURRENCIES)]].id,
                'invoice_line_ids': [
                    Command.create({
                        'name': "Managed services",
                        'price_unit': 50 + 100 * week + number + number / 100,
                        'tax_ids': [Command.clear()],
                    })
                ],
            }
            for number in range(INVOICES_A_WEEK)
        ])
        invoices.action_post()
        return invoices

    def pay_week(self, week):
        """Have the invoices of a week paid, most by card; return their sessions' ids."""
        session_ids = []
        for number, invoice in enumerate(self.create_invoices(week)):
            session_id = self.open_link(invoice)['id']
            is_debit = invoice.currency_id.name == 'USD' and number % 10 == 0
            self.stripe.pay(session_id, 'us_bank_account' if is_debit else 'card')
            if is_debit:
                self.stripe.settle_debit(session_id)
            session_ids.append(session_id)
        self.stripe.make_balance_transactions()
        self.analyze()
        self.settle()
        return session_ids

    def test_month(self):
        for name in CURRENCIES:
            self.env.ref(f'base.{name}').active = True
        account = self.stripe.account
        account.settlement_currencies = ('usd', 'eur')
        account.exchange_rates = {'gbp': 1.31}
        self.addCleanup(setattr, account, 'settlement_currencies', None)
        self.addCleanup(setattr, account, 'exchange_rates', {})

        payouts, session_ids = [], []
        for week in range(WEEKS):
            with self.on_day(7 * week):
                paid = self.pay_week(week)
                session_ids += paid
                for number in (1, 3, 4):  # in dollars, euros and pounds
                    self.stripe.refund(paid[number], 1500 + number)
                if week < 2:
                    dispute = self.stripe.dispute(paid[2])
                    self.stripe.review_dispute(dispute['id'])
                    decide = self.stripe.win_dispute if week else self.stripe.lose_dispute
                    decide(dispute['id'])
                self.stripe.charge_stripe_fee(999)
            with self.on_day(7 * week + 6):
                for payout in self.stripe.pay_out():
                    self.stripe.settle_payout(payout['id'])
                    payouts.append(payout)
        with self.on_day(7 * WEEKS):
            self.pay(150)  # What is on the balance at the end.

        self.assert_everything_is_booked(session_ids)
        self.assert_payouts(payouts)
        self.assert_dashboard()

    def assert_everything_is_booked(self, session_ids):
        """Check that each payment is booked once, and that nothing waits."""
        payments = self.env['account.payment'].search([
            ('stripe_checkout_session_id', 'in', session_ids)
        ])
        self.assertEqual(len(payments), WEEKS * INVOICES_A_WEEK)
        self.assertEqual(set(payments.mapped('stripe_checkout_session_id')), set(session_ids))
        self.assertFalse(self.get_rows(state='pending'))
        self.assert_nothing_suspended()
        states = payments.invoice_ids.mapped('payment_state')
        self.assertEqual(states.count('paid'), len(payments) - 1)
        self.assertEqual(states.count('not_paid'), 1, "The one whose dispute was lost")

    def assert_payouts(self, payouts):
        """Check that each payout is one line on the transfer account, and the others none."""
        items = self.get_items(self.provider.stripe_checkout_payout_account_id)
        self.assertEqual(
            sorted((item.currency_id.name, item.amount_currency) for item in items),
            sorted((each['currency'].upper(), each['amount'] / 100) for each in payouts),
        )
        self.assertEqual(len(payouts), WEEKS * 2, "One a week, in dollars and in euros")

    def assert_dashboard(self):
        """Check that the journal's own dashboard shows what is on the clearing account."""
        journal = self.provider.journal_id.with_user(self.billing_admin)
        data = journal._get_journal_dashboard_data_batched()[journal.id]
        balance = round(sum(self.get_items(self.clearing).mapped('balance')), 2)
        self.assertGreater(balance, 100)
        self.assertEqual(data['account_balance'], self.company.currency_id.format(balance))
        self.assertFalse(data['number_to_reconcile'])
        self.assertFalse(data['nb_misc_operations'])
