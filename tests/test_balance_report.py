from odoo.exceptions import UserError
from odoo.tests import tagged

from .balance_common import BalanceCommon

DAY = 24 * 3600


@tagged('post_install', '-at_install')
class TestBalanceReport(BalanceCommon):
    """The report ties Stripe's balance to the clearing account, per currency and day."""

    def test_a_mixed_month(self):
        euro = self.env.ref('base.EUR')
        euro.active = True
        gbp = self.env.ref('base.GBP')
        gbp.active = True
        self.stripe.account.settlement_currencies = ('usd', 'eur')
        self.stripe.account.exchange_rates = {'gbp': 1.31}
        self.addCleanup(setattr, self.stripe.account, 'settlement_currencies', None)
        self.addCleanup(setattr, self.stripe.account, 'exchange_rates', {})

        cards = [self.pay(amount) for amount in (100, 33.33, 250.07)]
        debit = self.pay(400, method='us_bank_account')
        self.pay(80, currency_id=euro.id)
        pound = self.pay(70.01, currency_id=gbp.id)
        self.stripe.charge_stripe_fee(999)
        self.feed()
        self.assert_ties()

        self.stripe.advance(3 * DAY)
        payouts = self.stripe.pay_out()
        self.stripe.settle_payout(payouts[0]['id'])
        self.stripe.refund(self.get_session_id(cards[0]), 2500)
        failing = self.stripe.refund(self.get_session_id(cards[1]), 1111)
        self.stripe.refund(self.get_session_id(pound), 1000)
        won = self.stripe.dispute(self.get_session_id(cards[2]))
        self.settle()
        self.feed()
        self.assert_ties()

        self.stripe.advance(3 * DAY)
        self.stripe.fail_refund(failing['id'])
        self.stripe.review_dispute(won['id'])
        self.stripe.win_dispute(won['id'])
        self.stripe.return_debit(self.get_session_id(debit))
        self.stripe.fail_payout(payouts[1]['id'])
        self.stripe.add_balance_movement('topup', 100000)
        self.settle()
        self.feed()
        self.assert_ties()

        self.stripe.advance(3 * DAY)
        client = self.provider._stripe_checkout_get_client()
        client.v1.payouts.create({'amount': 12345, 'currency': 'usd'})
        more = self.stripe.pay_out()
        self.settle()
        self.feed()
        self.assert_ties()
        self.assert_nothing_suspended()

        rows = self.get_rows()
        self.assertFalse(rows.filtered(lambda row: row.state == 'pending'))
        transfer = self.provider.stripe_checkout_payout_account_id
        open_items = self.get_items(transfer).filtered(lambda item: not item.reconciled)
        arriving = [
            row
            for row in rows.filtered(lambda row: row.type == 'payout')
            if row.payout_status != 'failed'
        ]
        self.assertEqual(
            sorted(open_items.mapped('amount_currency')), sorted(-row.amount for row in arriving)
        )
        self.assertEqual(len(arriving), len(payouts) + len(more))

    def test_failed_refund_that_stripe_shows_later(self):
        """Catches a difference between the event of the failure and the feed."""
        refund = self.stripe.refund(self.get_session_id(self.pay(100)), 4000)
        self.settle()
        self.feed()
        self.stripe.fail_refund(refund['id'])
        self.settle()
        self.env.flush_all()
        report = self.env['stripe.balance.report'].search([('provider_id', '=', self.provider.id)])
        self.assertRecordValues(
            report, [{'stripe': 56.8, 'books': 96.8, 'ahead': 40, 'difference': 0}]
        )
        self.feed()
        self.assert_ties()

    def get_session_id(self, invoice):
        return invoice.transaction_ids.filtered(
            lambda tx: tx.operation != 'refund'
        ).stripe_checkout_session_id

    def test_reversed_entries_of_test_mode_are_no_difference(self):
        """Catches a report that blames the books for what staff took out of them on purpose."""
        first, second = self.pay(100), self.pay(60)
        failing = self.stripe.refund(self.get_session_id(first), 2500)
        self.stripe.refund(self.get_session_id(first), 1000)
        self.stripe.lose_dispute(self.stripe.dispute(self.get_session_id(second))['id'])
        self.settle()
        self.stripe.fail_refund(failing['id'])
        self.stripe.pay_out()
        self.settle()
        self.feed()
        third = self.create_invoice(40)
        self.stripe.pay(self.open_link(third)['id'])
        self.settle()
        self.assertEqual(third.payment_state, 'paid')
        wizards = self.env['stripe.checkout.reverse.tests'].with_user(self.billing_admin)
        wizards.create({'provider_id': self.provider.id}).action_reverse()
        self.assertEqual(self.get_balance(), 0)
        self.env.flush_all()
        report = self.env['stripe.balance.report'].search([('provider_id', '=', self.provider.id)])
        self.assertEqual({round(row.difference, 2) for row in report}, {0})
        # What Stripe shows later is booked, and ties, too.
        self.stripe.make_balance_transactions()
        self.stripe.charge_stripe_fee(999)
        self.feed()
        self.assertNotEqual(self.get_balance(), 0)
        self.assert_ties()

    def test_compare_with_stripe(self):
        self.pay(100)
        self.feed()
        admin = self.provider.with_user(self.billing_admin)
        action = admin.action_stripe_checkout_compare_balance()
        self.assertEqual(action['params']['type'], 'success')
        self.assertIn('96.80', action['params']['message'])
        self.stripe.charge_stripe_fee(500)
        action = admin.action_stripe_checkout_compare_balance()
        self.assertEqual(action['params']['type'], 'warning')
        self.assertIn('91.80', action['params']['message'])
        self.assertIn('91.80', admin.stripe_checkout_balance_note)
        self.feed()
        action = admin.action_stripe_checkout_compare_balance()
        self.assertEqual(action['params']['type'], 'success')

    def test_compare_without_stripe(self):
        admin = self.provider.with_user(self.billing_admin)
        self.stripe.faults.next(9, 'reset', path='/v1/balance')
        try:
            admin.action_stripe_checkout_compare_balance()
            self.fail("Stripe could not be asked")
        except UserError as error:
            self.assertIn("Stripe", str(error))

    def test_what_somebody_books_on_the_clearing_account_shows(self):
        self.pay(100)
        self.feed()
        self.env['account.move'].create({
            'journal_id': self.company_data['default_journal_misc'].id,
            'line_ids': [
                (0, 0, {'account_id': account.id, 'balance': balance})
                for account, balance in (
                    (self.clearing, 7),
                    (self.company_data['default_account_revenue'], -7),
                )
            ],
        }).action_post()
        report = self.env['stripe.balance.report'].search([('provider_id', '=', self.provider.id)])
        self.assertEqual(sum(report.mapped('difference')), 7)

    def test_report_leads_to_movements_and_items(self):
        self.pay(100)
        self.feed()
        report = self.env['stripe.balance.report'].with_user(self.billing_admin).search([])
        movements = self.env['stripe.balance.transaction'].search(
            report.action_open_movements()['domain']
        )
        self.assertEqual(movements, self.get_rows())
        items = self.env['account.move.line'].search(report.action_open_items()['domain'])
        self.assertEqual(items, self.get_items(self.clearing))
