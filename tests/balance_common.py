"""What the tests of Stripe's balance share."""

from odoo.tests import tagged

from .common import StripeCheckoutCommon

MOST_RUNS = 20  # of a scheduled action until all is done


@tagged('post_install', '-at_install')
class BalanceCommon(StripeCheckoutCommon):
    def setUp(self):
        super().setUp()
        self.feed()  # The first run takes the balance at connect.
        self.stripe.calls.clear()

    # === ACTIONS === #

    def pay(self, amount=100.0, settle=True, method='card', **values):
        """Have an invoice paid and, unless told otherwise, its events processed."""
        invoice = self.create_invoice(amount, **values)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], method=method)
        if method != 'card':
            self.stripe.settle_debit(session['id'])
        self.stripe.make_balance_transactions()
        if settle:
            self.settle()
        return invoice

    def settle(self):
        self.deliver()
        self.run_queue()

    def feed(self):
        self.run_cron('ir_cron_feed')

    def feed_to_the_end(self):
        """Feed until nothing is booked any more: a run ends after some seconds, done or not."""
        for _run in range(MOST_RUNS):
            booked = self.get_rows(state='booked')
            self.feed()
            if self.get_rows(state='booked') == booked:
                return
        self.fail("The feed does not come to an end")

    # === BOOKS === #

    @property
    def clearing(self):
        return self.provider.journal_id.default_account_id

    def get_rows(self, **values):
        rows_sudo = self.env['stripe.balance.transaction'].sudo()
        return rows_sudo.search(
            [('provider_id', '=', self.provider.id)]
            + [(name, '=', value) for name, value in values.items()],
            order='id',
        )

    def get_items(self, account):
        """Return the posted journal items of an account, the oldest first."""
        return self.env['account.move.line'].search(
            [('account_id', '=', account.id), ('parent_state', '=', 'posted')], order='date, id'
        )

    def get_balance(self, account=None, currency='USD'):
        items = self.get_items(account or self.clearing)
        return round(
            sum(
                items.filtered(lambda item: item.currency_id.name == currency).mapped(
                    'amount_currency'
                )
            ),
            2,
        )

    def assert_ties(self, waiting=0):
        """Check that Stripe's balance is the clearing account's, in every currency, to the cent.

        :param float waiting: What of it cannot be booked yet, of a debit under way.
        """
        for name, amounts in self.provider._stripe_checkout_compare_balance().items():
            at_stripe = amounts[0]
            self.assertEqual(
                amounts, (at_stripe, at_stripe, round(at_stripe - waiting, 2), waiting), name
            )
        self.env['account.move.line'].flush_model()
        for row in self.env['stripe.balance.report'].search([
            ('provider_id', '=', self.provider.id)
        ]):
            self.assertAlmostEqual(row.difference, 0, msg=f'{row.day} {row.currency_id.name}')

    def assert_nothing_suspended(self):
        lines = self.env['account.bank.statement.line'].search([
            ('journal_id', '=', self.provider.journal_id.id)
        ])
        self.assertTrue(all(lines.mapped('is_reconciled')))
        self.assertFalse(self.get_items(self.provider.journal_id.suspense_account_id))
        self.assertEqual(set(lines.move_id.mapped('state')) - {'posted'}, set())
        for line in lines:
            self.assertAlmostEqual(sum(line.line_ids.mapped('balance')), 0)
