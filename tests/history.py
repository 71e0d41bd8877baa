"""One invoice, and all that clients, banks, staff and Stripe may do to it, step by step."""

import random
from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import api
from odoo.exceptions import UserError

from .. import utils
from ..devtools.standin import StandInError

# What is likely comes more than once: without a payment there is little to see.
STEPS = (
    *('visit', 'choose_amount', 'be_declined'),
    *(5 * ('pay_by_card',)),
    *(2 * ('pay_by_debit', 'settle_debit')),
    *(2 * ('refund', 'dispute', 'decide')),
    *('fail_debit', 'answer_refund', 'move_balance', 'pay_out'),
    *('register_payment', 'make_credit_note', 'refund_in_odoo', 'apply_credit', 'change_link'),
    *('take_back', 'edit', 'cancel'),
    *(2 * ('deliver', 'process')),
    *('miss', 'feed'),
)


DEBIT_DAYS = 6  # from the start of a debit until it settles, at most


class History:
    """One invoice, and all that happens to it.

    Each step takes a number, by which it chooses among what there is; a step that is not possible
    now is left out.
    """

    def __init__(self, test):
        self.test = test
        self.env = test.env
        self.stripe = test.stripe
        self.sessions = []
        self.by_hand = 0.0
        self.credited = 0.0
        self.client = self.env['res.partner'].create({'name': "Client of a history"})
        self.invoice = test.create_invoice(100, partner_id=self.client.id)

    def play(self, steps):
        for name, number in steps:
            try:
                with self.env.cr.savepoint():
                    getattr(self, name)(number)
            except (StandInError, UserError):
                continue  # Stripe or Odoo refuses, as it should.

    # === THE CLIENT === #

    def visit(self, _number=0):
        if self.invoice._stripe_checkout_get_state() == 'payable':
            self.open(self.test.get_path(self.invoice))

    def choose_amount(self, number):
        """Pay a part of the invoice, as the client's page offers."""
        if self.invoice._stripe_checkout_get_state() == 'payable':
            part = self.invoice.currency_id.round(self.invoice.amount_residual * (number + 1) / 101)
            link = self.env['stripe.payment.link']._get_or_create_for_amount(self.invoice, part)
            self.open(link._get_path())

    def open(self, path):
        """Visit a link; note the Checkout Session that it leads to."""
        response = self.test.url_open(path, allow_redirects=False)
        if response.status_code == 303:
            session_id = self.test.get_session(response.headers['Location'])['id']
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

    def choose_open(self, number):
        """Choose one of the sessions that can be paid, after a visit if there is none."""
        if not self.choose(number, status='open'):
            self.visit()
        return self.choose(number, status='open')

    def pay_by_card(self, number):
        """Pay, seldom another amount than was asked for."""
        if session_id := self.choose_open(number):
            self.stripe.pay(session_id, amount=7700 if number % 20 == 19 else None)

    def pay_by_debit(self, number):
        """Let a bank account be debited; mostly days ago, and on Stripe's balance since then."""
        if session_id := self.choose_open(number):
            with freeze_time(datetime.now() - timedelta(days=number % DEBIT_DAYS), tick=True):
                self.stripe.pay(session_id, 'us_bank_account')
                if number % 2:
                    self.show_charges()

    def be_declined(self, number):
        if session_id := self.choose_open(number):
            self.stripe.pay(session_id, outcome='decline')

    # === BANKS AND THE DASHBOARD === #

    def settle_debit(self, number):
        if session_id := self.choose(number, status='complete', payment_status='unpaid'):
            self.stripe.settle_debit(session_id)

    def fail_debit(self, number):
        """Refuse a debit that is under way, or after it had succeeded."""
        if session_id := self.choose(number, status='complete', payment_status='unpaid'):
            self.stripe.fail_debit(session_id)
        elif session_id := self.choose(number, payment_status='paid'):
            self.stripe.fail_debit_late(session_id)

    def refund(self, number):
        if session_id := self.choose(number, payment_status='paid'):
            self.stripe.refund(session_id, 100 + 50 * number)

    def answer_refund(self, number):
        actions = (self.stripe.settle_refund, self.stripe.fail_refund)
        self.play_one('refund', number, actions[number % 2])

    def dispute(self, number):
        """Ask a payment back, or a part of it; or only ask about it."""
        if session_id := self.choose(number, payment_status='paid'):
            intent = self.stripe.session(session_id)['payment_intent']
            [charge] = [x for x in self.list_objects('charge') if x['payment_intent'] == intent][:1]
            part = (charge['amount'] - charge['amount_refunded']) * (number + 1) // 100
            self.stripe.dispute(
                session_id,
                amount=part if part and number % 2 else None,
                inquiry=number % 3 == 0,
            )

    def decide(self, number):
        """Bring a dispute on."""
        stripe = self.stripe
        actions = (
            *(stripe.escalate_dispute, stripe.review_dispute, stripe.close_inquiry),
            *(2 * (stripe.lose_dispute, stripe.win_dispute)),
            lambda dispute_id: stripe.win_dispute(dispute_id, return_fee=True),
        )
        self.play_one('dispute', number, actions[number % len(actions)])

    def play_one(self, kind, number, action):
        """Let something happen to one of the objects of a kind."""
        if objects := self.list_objects(kind):
            action(objects[number % len(objects)]['id'])

    # === STRIPE'S BALANCE === #

    def show_charges(self):
        self.stripe.make_balance_transactions()

    def move_balance(self, number):
        """Move what is no payment of ours."""
        actions = (
            self.show_charges,
            lambda: self.stripe.add_balance_movement('topup', 100 + number),
            lambda: self.stripe.charge_stripe_fee(10 + number),
            lambda: self.play_one('payout', number, self.stripe.fail_payout),
        )
        actions[number % len(actions)]()

    def pay_out(self, _number):
        """Pay out what there is, as if two days had gone by."""
        for movement in self.stripe.account.store.newest_first('balance_transaction'):
            movement['status'] = 'available'
        self.stripe.pay_out()

    # === STAFF === #

    def register_payment(self, number):
        amount = self.invoice.currency_id.round(self.invoice.amount_residual * (number + 1) / 100)
        wizards = self.env['account.payment.register'].with_context(
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

    def refund_in_odoo(self, number):
        """Refund with Odoo's wizard, in a transaction that can be committed."""
        payments = self.get_payments()
        if payments:
            payment = payments[number % len(payments)]
            amount = payment.currency_id.round(payment.amount * (number % 50 + 1) / 50)
            self.env.flush_all()
            with self.test.registry.cursor() as cr:
                env = api.Environment(cr, self.env.uid, {})
                wizards = env['payment.refund.wizard'].with_context(
                    active_model='account.payment', active_id=payment.id
                )
                wizard = wizards.create({'payment_id': payment.id, 'amount_to_refund': amount})
                wizard.action_refund()
            self.env.invalidate_all()

    def apply_credit(self, number):
        payments = self.get_payments()
        if payments:
            payments[number % len(payments)].action_stripe_checkout_apply_credit()

    def change_link(self, number):
        """Let the client pay again while a debit is under way, or replace the link."""
        if number % 2:
            self.invoice.action_stripe_checkout_free()
        else:
            self.invoice.action_stripe_checkout_new_link()

    def take_back(self, number):
        self.invoice.button_draft()
        if number % 2:
            self.invoice.action_post()

    def edit(self, number):
        """Take the invoice back, change its price, and post it again."""
        self.invoice.button_draft()
        self.invoice.invoice_line_ids.price_unit = 10 + 2 * number
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

    def miss(self, _number):
        """Be down while Stripe tries to deliver: what is held never arrives."""
        for delivery in self.stripe.deliveries.pop_all():
            delivery.note(503)

    def store(self, deliveries):
        events = self.env['stripe.event'].sudo()
        for delivery in deliveries:
            events._store(self.test.provider, delivery.event, events._reduce(delivery.event))
            delivery.note(200)

    def process(self, _number=0):
        events = self.env['stripe.event'].sudo()
        waiting = events.search([('state', 'in', ('pending', 'failed'))])
        waiting.next_attempt_at = datetime.now() - timedelta(minutes=1)
        self.test.run_queue()

    def feed(self, _number=0):
        self.test.run_cron('ir_cron_feed')

    def end(self):
        """Let everything that was told arrive, and Odoo ask for the rest."""
        self.store(self.stripe.deliveries.pop_all())
        for _round in range(3):
            self.process()
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.test.run_cron('ir_cron_sweep')
        self.process()
        self.show_charges()
        self.feed()

    # === WHAT ODOO SAYS === #

    def get_payments(self):
        """Return the online payments that are booked.

        :rtype: account.payment
        """
        return self.env['account.payment'].search([
            ('partner_id', '=', self.client.id),
            ('stripe_checkout_payment_intent', '!=', False),
        ])

    # === WHAT STRIPE SAYS === #

    def list_objects(self, kind):
        """Return Stripe's objects of a kind: all of them are of this history."""
        return self.stripe.account.store.newest_first(kind)

    def list_captured(self):
        """Return what was captured, by PaymentIntent, in major units."""
        sessions = map(self.stripe.session, self.sessions)
        return {
            session['payment_intent']: session['amount_total'] / 100
            for session in sessions
            if session['payment_status'] == 'paid'
        }

    def list_arrivals(self):
        """Return when each payment arrived, by PaymentIntent: the time of the event, UTC."""
        return {
            event['data']['object']['payment_intent']: utils.to_datetime(event['created'])
            for event in self.list_objects('event')
            if event['type'].startswith('checkout.session.')
            and event['data']['object']['payment_status'] == 'paid'
        }

    def list_under_way(self):
        """Return the movements of the debits that are under way."""
        return [
            movement
            for movement in self.list_objects('balance_transaction')
            if (self.stripe.account.store.get('charge', movement['source']) or {}).get('status')
            == 'pending'
        ]

    def sum_up_returned(self):
        """Return what left the balance again: by lost disputes, and by debits that failed late."""
        captured = self.list_captured()
        return self.sum_up('dispute', 'lost') + sum(
            charge['amount'] / 100
            for charge in self.list_objects('charge')
            if charge['status'] == 'failed'
            and charge['payment_intent'] in captured
            and charge['payment_method_details']['type'] != 'card'
        )

    def sum_up(self, kind, *statuses, amount='amount'):
        """Return the sum of Stripe's objects of a kind, in major units.

        :param str kind: Such as `refund`.
        :param str statuses: Those that count; all of them if none is given.
        :param str amount: The field to sum up.
        """
        objects = self.list_objects(kind)
        return (
            sum(each[amount] for each in objects if not statuses or each['status'] in statuses)
            / 100
        )
