import itertools
from datetime import datetime, timedelta
from unittest.mock import patch

import stripe
from freezegun import freeze_time

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import stripe_balance_transaction_follow_up as follow_up
from .balance_common import BalanceCommon

DAY = 24 * 3600
FEED = 'odoo.addons.payment_stripe_checkout.models.payment_provider_feed'


@tagged('post_install', '-at_install')
class TestPayouts(BalanceCommon):
    """Each payout is one line on the transfer account, which the bank's line is matched with."""

    @property
    def transfer(self):
        return self.provider.stripe_checkout_payout_account_id

    def earn(self, *amounts):
        invoices = [self.pay(amount) for amount in amounts]
        self.stripe.advance(2 * DAY + 1)  # Until the money is available.
        return invoices

    def test_automatic(self):
        self.earn(100, 200)
        [payout] = self.stripe.pay_out()
        self.settle()
        self.feed()
        row = self.get_rows(kind='payout')
        self.assertRecordValues(
            row,
            [
                {
                    'amount': -290.7,
                    'source_id': payout['id'],
                    'payout_status': 'pending',
                    'payout_automatic': True,
                    'state': 'booked',
                }
            ],
        )
        self.assertEqual(self.transfer, self.company.transfer_account_id)
        [item] = self.get_items(self.transfer)
        self.assertRecordValues(item, [{'balance': 290.7, 'reconciled': False}])
        self.assertEqual(self.get_balance(), 0)
        self.assertFalse(row.payout_content_ids)
        self.stripe.settle_payout(payout['id'])
        self.settle()
        self.feed()
        self.assertRecordValues(row, [{'payout_status': 'paid', 'payout_reconciled': True}])
        self.assertTrue(row.arrival_date)
        self.assertEqual(len(row.payout_content_ids), 2)
        self.assertEqual(sum(row.payout_content_ids.mapped('net')), 290.7)
        self.assertEqual(len(self.get_items(self.transfer)), 1)
        self.assert_nothing_suspended()
        self.assert_ties()

    def test_long_payout_is_listed_to_its_end(self):
        self.patch(follow_up, 'PAGE_SIZE', 1)
        self.patch(follow_up, 'PAYOUT_PAGES', 2)
        self.earn(100, 200, 300)
        [payout] = self.stripe.pay_out()
        self.stripe.settle_payout(payout['id'])
        self.settle()
        self.feed()
        row = self.get_rows(kind='payout')
        self.assertFalse(row.payout_listed)
        for _run in range(3):
            self.feed()
        self.assertTrue(row.payout_listed)
        self.assertAlmostEqual(sum(row.payout_content_ids.mapped('net')), -row.amount)

    def receive_payout(self, amount):
        """Have a payout whose list is complete; return its id."""
        self.stripe.add_balance_movement('topup', amount)
        [payout] = self.stripe.pay_out()
        self.feed()
        self.stripe.settle_payout(payout['id'])
        self.settle()
        return payout['id']

    def test_payout_that_stripe_refuses_to_list_holds_up_nothing(self):
        """Catches a feed that stops for ever at the one payout that Stripe does not know."""
        refused = self.receive_payout(10000)
        store = self.stripe.account.store
        store.remove(store.get('payout', refused))
        listed = self.receive_payout(5000)
        for _run in range(2):
            self.feed()
        self.assertFalse(self.provider.stripe_checkout_feed_error)
        self.assertEqual(len(self.get_rows(source_id=listed).payout_content_ids), 1)
        [todo] = self.get_rows(source_id=refused).activity_ids
        self.assertEqual(todo.user_id, self.billing_admin)
        for fact in ('100.00', refused, 'No such payout'):
            self.assertIn(fact, todo.note)
        self.assert_ties()

    @mute_logger(FEED)
    def test_payout_is_listed_once_stripe_answers_again(self):
        """What passes by itself is tried again, and no payout is given up for it."""
        row = self.get_rows(source_id=self.receive_payout(10000))
        for error in (
            stripe.APIConnectionError("Down"),
            stripe.APIError("Down", http_status=500),
            stripe.RateLimitError("Later", http_status=429),
            stripe.PermissionError("Not with this key", http_status=403),
        ):
            with self.subTest(error), patch.object(type(row), '_list_payout', side_effect=error):
                self.feed()
                self.assertTrue(self.provider.stripe_checkout_feed_error)
        self.assertFalse(row.payout_listed)
        self.feed()
        self.assertTrue(row.payout_listed)
        self.assertFalse(row.activity_ids)
        self.assertFalse(self.provider.stripe_checkout_feed_error)

    def test_manual_and_cancelled(self):
        self.earn(100)
        client = self.provider._stripe_checkout_get_client()
        payout = client.v1.payouts.create({'amount': 5000, 'currency': 'usd'})
        self.settle()
        self.feed()
        self.assertEqual(self.get_balance(self.transfer), 50)
        client.v1.payouts.cancel(payout.id)
        self.settle()
        self.feed()
        rows = self.get_rows(kind='payout')
        self.assertEqual(rows.mapped('type'), ['payout', 'payout_cancel'])
        self.assertEqual(rows[0].payout_status, 'canceled')
        items = self.get_items(self.transfer)
        self.assertEqual(items.mapped('balance'), [50, -50])
        self.assertTrue(all(items.mapped('reconciled')), "The bank will show neither")
        self.assert_ties()

    def test_failed(self):
        self.earn(100)
        [payout] = self.stripe.pay_out()
        self.stripe.settle_payout(payout['id'])
        self.settle()
        self.feed()
        self.stripe.fail_payout(payout['id'])
        self.settle()
        self.feed()
        row = self.get_rows(type='payout')
        self.assertEqual(row.payout_status, 'failed')
        [todo] = row.activity_ids
        self.assertIn('96.80', todo.note)
        self.assertIn(payout['id'], todo.note)
        self.assertEqual(self.get_balance(), 96.8)
        self.assertTrue(all(self.get_items(self.transfer).mapped('reconciled')))
        self.assert_ties()

    def test_failed_before_the_feed_has_seen_it(self):
        self.stripe.add_balance_movement('topup', 10000)
        [payout] = self.stripe.pay_out()
        self.stripe.settle_payout(payout['id'])
        self.stripe.fail_payout(payout['id'])
        self.settle()
        for _run in range(2):
            self.feed()
            self.settle()
        [todo] = self.get_rows(kind='payout').activity_ids
        self.assertEqual(todo.summary, "Payout failed")
        for fact in ('100.00', payout['id']):
            self.assertIn(fact, todo.note)
        self.assertTrue(all(self.get_items(self.transfer).mapped('reconciled')))

    def test_events_and_feed_in_any_order(self):
        """Deliveries cross each other and the feed; every order ends in the same books."""
        steps = (self.deliver, self.run_queue, self.feed)
        for order in itertools.permutations(steps):
            with self.subTest([step.__name__ for step in order]):
                before = len(self.get_items(self.transfer))
                self.stripe.add_balance_movement('topup', 10000)  # Available at once.
                [payout] = self.stripe.pay_out()
                self.stripe.settle_payout(payout['id'])
                for step in order:
                    step()
                self.stripe.events.duplicate = True
                self.settle()
                self.stripe.events.duplicate = False
                self.feed()
                self.assertEqual(self.get_rows(source_id=payout['id']).payout_status, 'paid')
                self.assertEqual(len(self.get_items(self.transfer)), before + 1)
                self.assertEqual(self.get_balance(), 0)
                self.assert_ties()

    def test_events_that_were_not_delivered(self):
        self.stripe.add_balance_movement('topup', 10000)
        [payout] = self.stripe.pay_out()
        self.feed()
        self.stripe.settle_payout(payout['id'])
        self.stripe.deliveries.pop_all()
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.run_cron('ir_cron_sweep')
        events = self.env['stripe.event'].sudo().search([('type', '=like', 'payout.%')])
        self.assertEqual(set(events.mapped('source')), {'sweep'})
        events.next_attempt_at = datetime.now() - timedelta(minutes=1)
        self.run_queue()
        self.assertEqual(self.get_rows(kind='payout').payout_status, 'paid')

    # === THE BANK === #

    def test_matched_with_the_banks_line(self):
        self.stripe.add_balance_movement('topup', 10000)
        [payout] = self.stripe.pay_out()
        self.settle()
        self.feed()
        row = self.get_rows(source_id=payout['id']).with_user(self.billing_admin)
        with self.assertRaisesRegex(UserError, "around .*: 0"):
            row.action_match_bank_line()
        lines = self.env['account.bank.statement.line'].create([
            {
                'journal_id': self.company_data['default_journal_bank'].id,
                'date': row.arrival_date,
                'payment_ref': "STRIPE PAYOUT",
                'amount': amount,
            }
            for amount in (100, 99.99, -100)
        ])
        self.assertFalse(row.is_bank_matched)
        row.action_match_bank_line()
        self.assertTrue(row.is_bank_matched)
        self.assertEqual(lines.mapped('is_reconciled'), [True, False, False])
        items = self.get_items(self.transfer)
        self.assertEqual(items.mapped('balance'), [100, -100])
        self.assertTrue(all(items.mapped('reconciled')))
        with self.assertRaises(UserError):
            row.action_match_bank_line()
        self.assert_ties()

    def test_instant_payout_with_a_fee(self):
        """Catches the fee taken for a second item that the bank has to show."""
        self.stripe.add_balance_movement('topup', 10000)
        [payout] = self.stripe.pay_out()
        movement = self.stripe.account.store.find(payout['balance_transaction'])
        movement.update(fee=150, net=movement['net'] - 150)
        self.settle()
        self.feed()
        row = self.get_rows(source_id=payout['id']).with_user(self.billing_admin)
        self.assertEqual(self.get_items(self.transfer).mapped('balance'), [100])
        self.env['account.bank.statement.line'].create({
            'journal_id': self.company_data['default_journal_bank'].id,
            'date': row.arrival_date,
            'payment_ref': "STRIPE PAYOUT",
            'amount': 100,
        })
        row.action_match_bank_line()
        self.assertTrue(row.is_bank_matched)
        self.assert_ties()
