from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

import stripe

from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..models.stripe_event import CRON_XML_IDS
from ..models.stripe_event_queue import BATCH_SIZE
from .common import StripeCheckoutCommon

QUEUE = 'odoo.addons.payment_stripe_checkout.models.stripe_event_queue'


@tagged('post_install', '-at_install')
class TestQueue(StripeCheckoutCommon):
    """Events are processed in batches; one that fails holds up no other and is never given up."""

    def pay(self, amount=100):
        invoice = self.create_invoice(amount)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        return invoice

    def get_event(self, invoice):
        reference = invoice.transaction_ids.reference
        events = self.env['stripe.event'].search([('type', '=', 'checkout.session.completed')])
        return events.filtered(
            lambda event: event.payload['metadata'].get('odoo_transaction') == reference
        )

    def poison(self, event, currency='xxx'):
        """Make an event impossible to book; return what mends it."""
        payload = event.payload
        event.sudo().payload = {**payload, 'currency': currency}
        return lambda: event.sudo().write({'payload': payload})

    def test_storing_wakes_the_queue(self):
        triggers = self.env['ir.cron.trigger'].sudo()
        crons = self.env['ir.cron'].browse(self.env.ref(name).id for name in CRON_XML_IDS)
        domain = [('cron_id', 'in', crons.ids)]
        before = triggers.search(domain)
        self.pay()
        [trigger] = triggers.search(domain) - before
        self.assertLessEqual(trigger.call_at, datetime.now(), "Due at once")

    def test_batch_of_events_is_processed_in_one_run(self):
        invoices = [self.pay(10 + number) for number in range(3)]
        self.run_queue()
        for number, invoice in enumerate(invoices):
            self.assert_booked(invoice, 10 + number)
            self.assertRecordValues(
                self.get_event(invoice), [{'state': 'done', 'attempts': 1, 'under_way': False}]
            )

    def test_more_than_a_batch(self):
        self.assertGreater(BATCH_SIZE, 1)
        invoice = self.pay()
        event = self.get_event(invoice)
        Event = self.env['stripe.event'].sudo()
        for number in range(BATCH_SIZE + 1):
            Event._store(
                self.provider,
                {'id': f'evt_more_{number}', 'type': event.type, 'created': 1_700_000_000},
                event.payload,
            )
        self.run_queue()
        self.assertFalse(Event.search([('state', 'in', ('pending', 'failed'))]))
        self.assert_booked(invoice, 100)

    # === WAITING FOR STRIPE === #

    @contextmanager
    def look_at_each_call(self, look):
        """Look at the database whenever Stripe is asked; yield what was seen."""
        seen = []
        request = stripe.RequestsClient.request

        def look_and_ask(client, *args, **kwargs):
            self.env.invalidate_all()
            seen.append(look())
            return request(client, *args, **kwargs)

        with patch.object(stripe.RequestsClient, 'request', look_and_ask):
            yield seen

    def test_what_is_taken_at_its_word_is_booked_before_stripe_is_asked(self):
        """Catches a payment that waits for Stripe's answer about another."""
        refunded = self.pay()
        self.run_queue()
        self.stripe.refund(self.get_event(refunded).payload['id'])
        self.deliver()
        invoice = self.pay()
        event = self.get_event(invoice)
        with self.look_at_each_call(lambda: (event.state, invoice.payment_state)) as seen:
            self.run_queue()
        self.assertEqual(set(seen), {('done', 'paid')})

    def test_nothing_is_booked_while_stripe_is_asked(self):
        """Catches what holds the journal while Stripe is asked about the next."""
        payments = self.env['account.payment']
        for invoice in [self.pay(), self.pay()]:
            self.run_queue()
            self.stripe.refund(self.get_event(invoice).payload['id'])
        self.deliver()
        with self.look_at_each_call(
            lambda: payments.search_count([('stripe_checkout_refund_id', '!=', False)])
        ) as seen:
            self.run_queue()
        self.assertEqual(seen, [0, 0])
        self.assertEqual(payments.search_count([('stripe_checkout_refund_id', '!=', False)]), 2)

    @mute_logger(QUEUE)
    def test_events_fail_together_where_stripe_does_not_answer(self):
        """Catches a batch in which each event waits for the same time-out."""
        for invoice in [self.pay() for _number in range(3)]:
            self.run_queue()
            self.stripe.refund(self.get_event(invoice).payload['id'])
        self.deliver()
        self.stripe.calls.clear()
        self.stripe.faults.next(100, 'reset')
        self.run_queue()
        events = self.env['stripe.event'].search([('type', '=', 'refund.created')])
        self.assertRecordValues(events, [{'state': 'failed', 'attempts': 1}] * 3)
        self.assertEqual(len({call.path for call in self.stripe.calls}), 1)
        self.stripe.faults.clear()
        events.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assertEqual(set(events.mapped('state')), {'done'})

    @mute_logger(QUEUE)
    def test_what_is_taken_at_its_word_is_booked_where_stripe_does_not_answer(self):
        """Catches a payment that fails with another one, about which Stripe has to be asked."""
        unknown, good = self.pay(), self.pay()
        # As where the commit failed after Stripe's answer.
        unknown.transaction_ids.stripe_checkout_session_id = False
        self.stripe.faults.next(100, 'reset')
        self.run_queue()
        self.assert_booked(good, 100)
        [event] = self.env['stripe.event'].search([('state', '=', 'failed')])
        self.assertEqual((event, event.attempts), (self.get_event(unknown), 1))
        self.stripe.faults.clear()
        event.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assert_booked(unknown, 100)

    # === WHAT FAILS === #

    @mute_logger(QUEUE)
    def test_failed_event_is_kept_shown_and_tried_again(self):
        invoice = self.pay()
        event = self.get_event(invoice)
        mend = self.poison(event)
        self.run_queue()
        self.assertRecordValues(event, [{'state': 'failed', 'attempts': 1, 'under_way': False}])
        self.assertIn("XXX", event.error)
        self.assertGreater(event.next_attempt_at, datetime.now())
        self.run_queue()
        self.assertEqual(event.attempts, 1, "Not before its time")
        mend()
        event.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assertRecordValues(event, [{'state': 'done', 'attempts': 2, 'error': False}])
        self.assert_booked(invoice, 100)

    @mute_logger(QUEUE)
    def test_failed_event_is_tried_again_once_a_key_works(self):
        invoice = self.pay()
        event = self.get_event(invoice)
        mend = self.poison(event)
        self.run_queue()
        self.assertGreater(event.next_attempt_at, datetime.now())
        mend()
        self.connect()
        self.env.cr.postcommit.run()
        self.run_queue()
        self.assert_booked(invoice, 100)

    @mute_logger(QUEUE)
    def test_failing_event_holds_up_no_other(self):
        poisoned = self.pay()
        poisoned_event = self.get_event(poisoned)
        self.poison(poisoned_event)
        good = self.pay()
        self.run_queue()
        self.assertEqual(poisoned_event.state, 'failed')
        self.assertEqual(poisoned.payment_state, 'not_paid')
        self.assert_booked(good, 100)
        self.assertEqual(self.get_event(good).state, 'done')

    @mute_logger(QUEUE)
    def test_event_that_cannot_even_be_read_holds_up_no_other(self):
        unreadable = self.get_event(self.pay())
        unreadable.sudo().payload = {**unreadable.payload, 'customer_details': 'nonsense'}
        good = self.pay()
        self.run_queue()
        self.assertEqual((unreadable.state, unreadable.attempts), ('failed', 1))
        self.assert_booked(good, 100)

    @mute_logger(QUEUE)
    def test_others_leave_alone_what_is_processed_one_by_one(self):
        """Catches events that pass for a dead worker's, whose attempts are counted twice then."""
        bad = self.get_event(self.pay())
        self.poison(bad)
        good = [self.pay(), self.pay()]
        ours = bad.concat(*map(self.get_event, good))
        Event = self.registry['stripe.event']
        handle, seen = Event._handle, []

        def look_and_handle(events):
            if len(events) == 1 and events in ours:
                others = [('id', 'in', (ours - events).ids), ('state', '=', 'pending')]
                due = [('next_attempt_at', '<=', datetime.now())]
                seen.append(events.search_count([*others, '|', ('under_way', '=', True), *due]))
            return handle(events)

        self.patch(Event, '_handle', look_and_handle)
        self.run_queue()
        self.assertEqual(seen, [0, 0, 0])
        for invoice in good:
            self.assert_booked(invoice, 100)
            self.assertEqual(self.get_event(invoice).attempts, 1)

    @mute_logger(QUEUE, 'odoo.sql_db')
    def test_lasting_database_error_holds_up_no_other(self):
        # A statement that times out, and a conflict that never ends.
        for code in ('57014', '40001'):
            with self.subTest(code=code):
                broken, good = self.pay(), self.pay()
                self.refuse_in_database(
                    code,
                    'INSERT ON account_payment',
                    SQL("NEW.payment_transaction_id = %s", broken.transaction_ids.id),
                )
                self.run_queue()
                self.assertRecordValues(
                    self.get_event(broken),
                    [{'state': 'failed', 'attempts': 1, 'under_way': False, 'conflicts': 0}],
                )
                self.assertGreater(self.get_event(broken).next_attempt_at, datetime.now())
                self.assert_booked(good, 100)
                self.accept_in_database()

    @mute_logger(QUEUE)
    def test_attempts_grow_rarer_and_never_end(self):
        invoice = self.pay()
        event = self.get_event(invoice)
        self.poison(event)
        delays = []
        for _attempt in range(9):
            event.sudo().next_attempt_at = datetime.now() - timedelta(minutes=1)
            self.run_queue()
            delays.append((event.next_attempt_at - datetime.now()).total_seconds())
        self.assertEqual(event.attempts, 9)
        self.assertEqual(sorted(delays[:6]), delays[:6])
        self.assertAlmostEqual(delays[-1], 24 * 3600, delta=60)

    def test_event_under_way_when_a_worker_died_is_tried_alone(self):
        first, second = self.pay(), self.pay()
        died = self.get_event(first)
        died.sudo().under_way = True
        taken = []
        Event = type(self.env['stripe.event'])

        def process_batch(events):
            taken.append(events.mapped('attempts') if died in events else len(events))
            return original(events)

        original = Event._process_batch
        self.patch(Event, '_process_batch', process_batch)
        self.run_queue()
        self.assertEqual(taken[-1], [1], "Taken last, alone, its attempt counted before")
        self.assert_booked(first, 100)
        self.assert_booked(second, 100)
        self.assertFalse(died.under_way)

    def test_secrets_in_an_error_are_masked(self):
        event = self.get_event(self.pay())
        with self.assertLogs(QUEUE, 'WARNING') as logs:
            self.poison(event, 'sk_test_abcdefgh1234')
            self.run_queue()
        self.assertNotIn('abcdefgh', (event.error or '').lower())
        self.assertEqual(event.state, 'failed')
        [text] = logs.output
        self.assertIn('Traceback', text)
        self.assertIn('1234', text)
        self.assertNotIn('abcdefgh', text.lower())

    def test_decline_is_told_on_the_invoice(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], outcome='decline')
        self.deliver()
        self.run_queue()
        self.assertIn("declined", str(invoice.message_ids.mapped('body')))
        self.assertEqual(self.stripe.session(session['id'])['status'], 'open')
        self.assertEqual(self.open_link(invoice)['id'], session['id'])

    def count_declines(self, invoice):
        """Return how many attempts count, and how often staff were told."""
        told = invoice.message_ids.filtered(lambda message: "declined" in (message.body or ''))
        return invoice.transaction_ids.stripe_checkout_declines, len(told)

    def test_decline_that_is_told_twice_counts_once(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.deliveries.duplicate_events(True)
        self.stripe.pay(session['id'], outcome='decline')
        self.deliver()
        self.assertEqual(self.env['stripe.event'].search_count([]), 2)
        self.run_queue()
        self.assertEqual(self.count_declines(invoice), (1, 1))

    def test_decline_that_is_told_after_the_success(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], outcome='decline')
        declined = self.stripe.deliveries.pop_all()
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        self.deliver(declined)
        self.run_queue()
        self.assert_booked(invoice, 100)
        self.assertEqual(self.count_declines(invoice), (1, 0))
