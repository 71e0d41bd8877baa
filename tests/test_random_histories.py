"""Random histories: whatever clients, banks and staff do, the books say what Stripe's do."""

import os
import random
from contextlib import closing
from datetime import datetime, timedelta

from freezegun import freeze_time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..devtools.standin import StandInError
from .common import StripeCheckoutCommon

HISTORIES = int(os.environ.get('PSC_HISTORIES', '200'))
QUEUE = 'odoo.addons.payment_stripe_checkout.models.stripe_event_queue'

STEPS = (
    'visit',
    'pay_by_card',
    'pay_by_debit',
    'settle_debit',
    'fail_debit',
    'register_payment',
    'make_credit_note',
    'take_back',
    'cancel',
    'refund',
    'fail_refund',
    'dispute',
    'lose',
    'win',
    'deliver',
    'process',
)
# Twice as likely: without a visit and a payment there is little to see.
CHOICE = st.tuples(st.sampled_from((*STEPS, 'visit', 'pay_by_card', 'deliver')), st.integers(0, 99))


class History:
    """One invoice, and all that happens to it.

    Each step takes a number, by which it chooses among what there is; a step that is not possible
    now is left out.
    """

    def __init__(self, test):
        self.test = test
        self.stripe = test.stripe
        self.sessions = []
        self.by_hand = 0.0
        self.credited = 0.0
        self.client = test.env['res.partner'].create({'name': "Client of a history"})
        self.invoice = test.create_invoice(100, partner_id=self.client.id)

    def play(self, steps):
        for name, number in steps:
            try:
                with self.test.env.cr.savepoint():
                    getattr(self, name)(number)
            except (StandInError, UserError):
                continue  # Stripe or Odoo refuses, as it should.

    # === THE CLIENT === #

    def visit(self, _number):
        if self.invoice._stripe_checkout_get_state() == 'payable':
            session_id = self.test.open_link(self.invoice)['id']
            if session_id not in self.sessions:
                self.sessions.append(session_id)

    def choose(self, number, **wanted):
        """Choose one of the sessions that are as wanted."""
        found = [
            session
            for session in map(self.stripe.session, self.sessions)
            if all(session[name] == value for name, value in wanted.items())
        ]
        return found[number % len(found)]['id'] if found else None

    def pay_by_card(self, number):
        if session_id := self.choose(number, status='open'):
            self.stripe.pay(session_id)

    def pay_by_debit(self, number):
        if session_id := self.choose(number, status='open'):
            self.stripe.pay(session_id, 'us_bank_account')

    # === BANKS AND THE DASHBOARD === #

    def settle_debit(self, number):
        if session_id := self.choose(number, status='complete', payment_status='unpaid'):
            self.stripe.settle_debit(session_id)

    def fail_debit(self, number):
        if session_id := self.choose(number, status='complete', payment_status='unpaid'):
            self.stripe.fail_debit(session_id)

    def refund(self, number):
        if session_id := self.choose(number, payment_status='paid'):
            self.stripe.refund(session_id, 100 + 50 * number)

    def fail_refund(self, number):
        if refunds := self.list_objects('refund'):
            self.stripe.fail_refund(refunds[number % len(refunds)]['id'])

    def dispute(self, number):
        if session_id := self.choose(number, payment_status='paid'):
            self.stripe.dispute(session_id)

    def lose(self, number):
        if disputes := self.list_objects('dispute'):
            self.stripe.lose_dispute(disputes[number % len(disputes)]['id'])

    def win(self, number):
        if disputes := self.list_objects('dispute'):
            self.stripe.win_dispute(disputes[number % len(disputes)]['id'])

    # === STAFF === #

    def register_payment(self, number):
        amount = self.invoice.currency_id.round(self.invoice.amount_residual * (number + 1) / 100)
        wizards = self.test.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=self.invoice.ids
        )
        wizards.create({'amount': amount})._create_payments()
        self.by_hand += amount

    def make_credit_note(self, number):
        if self.invoice.state == 'posted':
            note = self.invoice._reverse_moves([{'invoice_date': self.invoice.invoice_date}])
            note.invoice_line_ids.price_unit = number + 1
            note.action_post()
            (note + self.invoice).line_ids.filtered(
                lambda line: (
                    line.account_id.account_type == 'asset_receivable' and not line.reconciled
                )
            ).reconcile()
            self.credited += number + 1

    def take_back(self, number):
        self.invoice.button_draft()
        if number % 2:
            self.invoice.action_post()

    def cancel(self, _number):
        self.invoice.button_cancel()

    # === EVENTS === #

    def deliver(self, number):
        """Deliver what is held, in some order, some of it twice, and some of it not yet."""
        chance = random.Random(number)
        held = self.stripe.deliveries.pop_all()
        chance.shuffle(held)
        later = held[: number % 3]
        self.stripe.deliveries.held.extend(later)
        sent = held[number % 3 :]
        self.store([*sent, *chance.sample(sent, len(sent) // 2)])

    def store(self, deliveries):
        events = self.test.env['stripe.event'].sudo()
        for delivery in deliveries:
            events._store(self.test.provider, delivery.event, events._reduce(delivery.event))
            delivery.note(200)

    def process(self, _number=0):
        events = self.test.env['stripe.event'].sudo()
        waiting = events.search([('state', 'in', ('pending', 'failed'))])
        waiting.next_attempt_at = datetime.now() - timedelta(minutes=1)
        self.test.run_queue()

    def end(self):
        """Let everything that was told arrive, and Odoo ask for the rest."""
        self.store(self.stripe.deliveries.pop_all())
        for _round in range(3):
            self.process()
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.test.run_cron('ir_cron_sweep')
        self.process()

    # === WHAT STRIPE SAYS === #

    def list_objects(self, kind):
        """Return the refunds or disputes of the history's payments."""
        intents = {self.stripe.session(each)['payment_intent'] for each in self.sessions} - {None}
        objects = self.stripe.account.store.newest_first(kind)
        return [each for each in objects if each['payment_intent'] in intents]

    def list_captured(self):
        """Return what was captured, by PaymentIntent, in major units."""
        sessions = map(self.stripe.session, self.sessions)
        return {
            session['payment_intent']: session['amount_total'] / 100
            for session in sessions
            if session['payment_status'] == 'paid'
        }


@tagged('post_install', '-at_install')
class TestRandomHistories(StripeCheckoutCommon):
    def assert_books(self, history):
        """Check that the books say what Stripe says."""
        captured = history.list_captured()
        payments = self.env['account.payment'].search([
            ('stripe_checkout_payment_intent', 'in', list(captured))
        ])
        self.assertEqual(
            {p.stripe_checkout_payment_intent: p.amount for p in payments}, captured, "Captured"
        )
        self.assertEqual(len(payments), len(captured), "Each payment once")

        refunds = {
            refund['id']: refund['amount'] / 100
            for refund in history.list_objects('refund')
            if refund['status'] in ('succeeded', 'pending')
        }
        booked = self.env['account.payment'].search([
            ('payment_transaction_id.source_transaction_id.payment_id', 'in', payments.ids)
        ])
        standing = booked.filtered(lambda p: not p.move_id.reversal_move_ids)
        self.assertEqual(
            {p.stripe_checkout_refund_id: p.amount for p in standing}, refunds, "Refunded"
        )
        self.assertEqual(len(standing), len(refunds), "Each refund once")

        lost = [
            dispute['amount'] / 100
            for dispute in history.list_objects('dispute')
            if dispute['status'] == 'lost'
        ]
        disputes = self.env['stripe.dispute'].search([('payment_id', 'in', payments.ids)])
        self.assertEqual(sorted(disputes.chargeback_move_id.mapped('amount_total')), sorted(lost))

        moves = (payments + booked).move_id + disputes.chargeback_move_id
        moves += moves.reversal_move_ids
        for move in moves:
            self.assertEqual(move.state, 'posted')
            self.assertAlmostEqual(sum(move.line_ids.mapped('balance')), 0)
        clearing = self.provider.journal_id.default_account_id
        self.assertAlmostEqual(
            sum(moves.line_ids.filtered(lambda x: x.account_id == clearing).mapped('balance')),
            sum(captured.values()) - sum(refunds.values()),
            msg="The clearing account",
        )
        receivable = self.env['account.move.line'].search([
            ('partner_id', '=', history.client.id),
            ('account_id.account_type', '=', 'asset_receivable'),
            ('parent_state', '=', 'posted'),
        ])
        billed = history.invoice.amount_total if history.invoice.state == 'posted' else 0
        self.assertAlmostEqual(
            sum(receivable.mapped('balance')),
            billed
            - history.credited
            - history.by_hand
            - sum(captured.values())
            + sum(refunds.values())
            + sum(lost),
            msg="What the client owes",
        )

    def play(self, steps):
        # Each history alone: queue and sweep would work on what all the former ones left. The
        # references of transactions come again then, and with them their idempotency keys.
        self.stripe.account.idempotency.clear()
        with closing(self.env.cr.savepoint()):
            history = History(self)
            history.play(steps)
            history.end()
            self.assert_books(history)

    @mute_logger(QUEUE)
    def test_random_histories(self):
        @settings(
            max_examples=HISTORIES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(CHOICE, min_size=3, max_size=12))
        def play(steps):
            self.play(steps)

        play()
