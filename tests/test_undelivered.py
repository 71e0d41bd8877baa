from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import tagged

from ..models import payment_provider_undelivered as undelivered
from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestUndelivered(StripeCheckoutCommon):
    """Events that Stripe could not deliver are fetched, once each, and settled like the others."""

    def sweep(self, minutes=10):
        with freeze_time(datetime.now() + timedelta(minutes=minutes)):
            self.run_cron('ir_cron_sweep')

    def process(self):
        """Work the queue off. It goes by the database's clock, which the sweep's does not move."""
        self.get_events().sudo().next_attempt_at = datetime.now() - timedelta(minutes=1)
        self.run_queue()

    def get_events(self):
        return self.env['stripe.event'].search([('provider_id', '=', self.provider.id)])

    def pay(self, amount=100):
        invoice = self.create_invoice(amount)
        self.stripe.pay(self.open_link(invoice)['id'])
        return invoice

    def test_fetched_and_settled(self):
        invoice = self.pay()
        # What the sweep finds by asking about the session is not what is tried here.
        invoice.transaction_ids.sudo().stripe_checkout_checked_at = datetime.now() + timedelta(
            days=1
        )
        self.sweep()
        self.assertRecordValues(
            self.get_events(),
            [{'type': 'checkout.session.completed', 'state': 'pending', 'source': 'sweep'}],
        )
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.process()
        self.assert_booked(invoice, 100)
        self.assertEqual(self.get_events().state, 'done')

    def test_fetched_and_delivered_after_all(self):
        invoice = self.pay()
        self.sweep()
        self.deliver()
        self.run_queue()
        self.assertEqual(len(self.get_events()), 1)
        self.assert_booked(invoice, 100)

    def test_delivered_events_are_not_fetched(self):
        self.pay()
        self.deliver()
        before = self.get_events()
        self.sweep()
        self.assertEqual(self.get_events(), before)

    def test_what_is_on_its_way_is_left_alone(self):
        self.pay()
        self.sweep(minutes=1)
        self.assertFalse(self.get_events())

    def test_what_was_fetched_is_read_again(self):
        """Events are listed in the version of their creation: their word is not taken."""
        invoice = self.pay()
        invoice.transaction_ids.sudo().stripe_checkout_checked_at = datetime.now() + timedelta(
            days=1
        )
        self.sweep()
        event = self.get_events().sudo()
        event.payload = {**event.payload, 'amount_total': 1}
        self.process()
        self.assert_booked(invoice, 100)

    def test_foreign_events_are_not_stored(self):
        session = self.open_foreign_session(500)
        self.stripe.pay(session.id)
        self.sweep()
        self.assertFalse(self.get_events())

    def test_bounded_work_that_goes_on_where_it_stopped(self):
        per_run = undelivered.PAGES_PER_RUN * undelivered.PAGE_SIZE
        total = per_run + 5
        client = self.provider._stripe_checkout_get_client()
        for _number in range(total):
            self.provider._stripe_checkout_send_probe()
        self.stripe.calls.clear()
        self.sweep()
        self.assertEqual(
            len(self.stripe.calls.matching('GET', '/v1/events')), undelivered.PAGES_PER_RUN
        )
        self.assertEqual(len(self.get_events()), per_run)
        self.assertTrue(self.provider.stripe_checkout_undelivered_cursor)
        self.sweep()
        self.assertEqual(len(self.get_events()), total)
        self.assertFalse(self.provider.stripe_checkout_undelivered_cursor)
        # A cursor that Stripe has forgotten is no dead end.
        self.provider.stripe_checkout_undelivered_cursor = 'evt_forgotten'
        self.sweep()
        self.assertEqual(len(self.get_events()), total)
        self.assertTrue(client.v1.events.list({'limit': 1}).data)

    def test_what_was_read_is_not_read_again(self):
        """A foreign endpoint that is down makes events undelivered that are none of ours."""
        client = self.provider._stripe_checkout_get_client()
        client.v1.webhook_endpoints.create({
            'url': 'https://staging.example.com/hook',
            'enabled_events': ['*'],
        })
        for _number in range(undelivered.PAGE_SIZE + 1):
            self.provider._stripe_checkout_send_probe()
        self.sweep()
        for minutes, pages in ((15, 2), (40, 1)):
            # Stripe's clock goes on as ours does.
            self.stripe.advance(minutes * 60)
            self.provider._stripe_checkout_send_probe()
            self.stripe.calls.clear()
            self.sweep(minutes + 10)
            self.assertEqual(len(self.stripe.calls.matching('GET', '/v1/events')), pages)

    def test_refund_of_a_payment_that_is_found_in_the_same_walk(self):
        invoice = self.pay()
        invoice.transaction_ids.sudo().stripe_checkout_checked_at = datetime.now() + timedelta(
            days=1
        )
        session = invoice.transaction_ids.stripe_checkout_session_id
        self.stripe.refund(session)
        self.sweep()
        self.process()
        self.process()
        payment = self.get_payments(invoice) or self.env['account.payment'].search([
            ('payment_transaction_id', 'in', invoice.transaction_ids.ids)
        ])
        self.assertEqual(len(payment), 1)
        refund = self.env['account.payment'].search([('source_payment_id', '=', payment.id)])
        self.assertEqual(refund.mapped('amount'), [100])
