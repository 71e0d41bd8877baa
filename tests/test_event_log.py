import json
from ast import literal_eval
from datetime import datetime, timedelta

from freezegun import freeze_time
from lxml import etree

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.base.models.ir_autovacuum import is_autovacuum

from .common import StripeCheckoutCommon

CONTROLLER = 'odoo.addons.payment_stripe_checkout.controllers.webhook'
QUEUE = 'odoo.addons.payment_stripe_checkout.models.stripe_event_queue'


@tagged('post_install', '-at_install')
class TestEventLog(StripeCheckoutCommon):
    """What staff see of Stripe's events, and for how long."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.staff = cls.create_user('billing_staff', 'account.group_account_invoice')

    def pay(self, email=None):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'], email=email)
        self.deliver()
        return invoice

    def get_events(self):
        return self.env['stripe.event'].with_user(self.staff).search([])

    def test_leads_to_invoice_and_payment(self):
        invoice = self.pay()
        self.run_queue()
        event = self.get_events()
        self.assertEqual(event.invoice_ids, invoice)
        self.assertEqual(event.payment_id, self.get_payments(invoice))
        found = event.search([('invoice_ids', 'in', invoice.ids), ('state', '=', 'done')])
        self.assertEqual(found, event)

    def find(self, name):
        """Return what a filter of the list finds for staff."""
        events = self.get_events()
        view = etree.fromstring(events.get_view(view_type='search')['arch'])
        [domain] = view.xpath("//filter[@name=$name]/@domain", name=name)
        return events.search(literal_eval(domain))

    def test_found_by_state_age_and_what_it_is_about(self):
        invoice = self.pay()
        done = self.get_events()
        self.run_queue()
        self.pay()
        waiting = self.get_events() - done
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE stripe_event SET create_date = create_date - interval '8 days' WHERE id = %s",
            done.ids,
        )
        self.env.invalidate_all()
        for name, found in (
            ('done', done),
            ('pending', waiting),
            ('failed', done.browse()),
            ('ignored', done.browse()),
            ('today', waiting),
            ('week', waiting),
            ('older', done),
        ):
            with self.subTest(name):
                self.assertEqual(self.find(name), found)
        self.assertEqual(done.search([('invoice_ids', 'ilike', invoice.name)]), done)
        self.assertEqual(done.search([('type', 'ilike', 'session.completed')]), done + waiting)
        self.assertEqual(done.search([('company_id', '=', self.company.id)]), done + waiting)

    def test_what_follows_a_payment_leads_to_it_too(self):
        invoice = self.pay()
        self.run_queue()
        self.stripe.make_balance_transactions()
        self.stripe.refund(invoice.transaction_ids.stripe_checkout_session_id, 4000)
        self.deliver()
        self.run_queue()
        for event_type in ('charge.updated', 'refund.created'):
            event = self.get_events().filtered(lambda event, kind=event_type: event.type == kind)
            self.assertEqual(event.invoice_ids, invoice, event_type)
            self.assertEqual(event.payment_id, self.get_payments(invoice))

    def test_holds_no_personal_data(self):
        self.pay(email='jane.doe@example.org')
        self.run_queue()
        stored = json.dumps(self.get_events().read(), default=str)
        for personal in ('jane.doe', self.client.email, self.client.name, 'customer_details'):
            self.assertNotIn(personal, stored)

    def test_holds_nothing_of_what_others_do_at_stripe(self):
        metadata = {'customer_name': "Jane Doe", 'odoo_database': 'another'}
        sessions = self.provider._stripe_checkout_get_client().v1.checkout.sessions
        foreign = sessions.create({
            'mode': 'payment',
            'line_items': [
                {
                    'quantity': 1,
                    'price_data': {
                        'currency': 'usd',
                        'unit_amount': 12345,
                        'product_data': {'name': "Shoes"},
                    },
                }
            ],
            'client_reference_id': 'jane.doe',
            'customer_email': 'jane.doe@example.org',
            'success_url': 'https://shop.example.org',
            'metadata': metadata,
            'payment_intent_data': {'metadata': metadata},
        })
        self.stripe.pay(foreign.id, outcome='decline')
        paid = self.stripe.pay(foreign.id)
        self.stripe.refund(paid['payment_intent'])
        self.deliver()
        self.run_queue()
        events = self.get_events().filtered(lambda event: event.type != 'charge.updated')
        self.assertGreater(len(events), 2)
        for event in events:
            self.assertEqual((event.state, event.error), ('ignored', False), event.type)
            self.assertEqual(set(event.payload), {'id', 'object', 'livemode'}, event.type)

    @mute_logger(QUEUE)
    def test_failed_event_says_why_and_is_retried_by_billing_admins(self):
        invoice = self.pay()
        event = self.get_events().sudo()
        payload = event.payload
        event.payload = {**payload, 'currency': 'xxx'}
        self.run_queue()
        self.assertEqual(event.state, 'failed')
        self.assertIn("does not know the currency", event.error)
        event.payload = payload
        with self.assertRaises(AccessError):
            event.with_user(self.staff).action_retry()
        event.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assert_booked(invoice, 100)
        self.assertRecordValues(event, [{'state': 'done', 'error': False}])

    @mute_logger(QUEUE)
    def test_error_is_told_in_plain_words(self):
        self.stripe.pay(self.open_link(self.create_invoice(100))['id'], 'us_bank_account')
        self.deliver()
        event = self.get_events().sudo()

        def fail():
            event.next_attempt_at = datetime.now() - timedelta(minutes=1)
            self.run_queue()
            self.assertEqual(event.state, 'failed')
            return event.error

        self.stripe.faults.next(3, 'reset')
        self.assertIn("Stripe could not be reached", fail())
        key = self.provider.stripe_checkout_secret_key
        self.provider.stripe_checkout_secret_key = 'sk_test_rotated'
        self.assertEqual(fail(), "Stripe does not accept the key.")
        self.provider.stripe_checkout_secret_key = key
        event.payload = {**event.payload, 'expires_at': 'never', 'status': None, 'metadata': 5}
        self.assertIn("did not expect (AttributeError)", fail())

    @mute_logger(QUEUE)
    def test_event_that_fails_again_and_again_is_a_todo_until_it_is_processed(self):
        # Whoever follows payments up has no button to process it again.
        self.provider.stripe_checkout_user_id = self.create_user(
            'clerk', 'account.group_account_invoice'
        )
        invoice = self.pay()
        event = self.get_events().sudo()
        payload = event.payload
        event.payload = {**payload, 'currency': 'xxx'}
        for attempt in (1, 2, 3, 4):
            event.next_attempt_at = datetime.now() - timedelta(minutes=1)
            self.run_queue()
            self.assertEqual(event.attempts, attempt)
            self.assertEqual(len(event.activity_ids), int(attempt >= 3))
        self.assertEqual(event.activity_ids.user_id, self.billing_admin)
        self.assertIn(invoice.name, event.activity_ids.note)
        event.payload = payload
        event.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assert_booked(invoice, 100)
        self.assertFalse(event.activity_ids)

    @mute_logger(CONTROLLER)
    def test_refused_signatures_are_counted_and_not_stored(self):
        path = f'/payment/stripe_checkout/webhook/{self.provider.id}'
        for _attempt in range(3):
            body = self.make_event('checkout.session.completed', {'id': 'cs_x'})
            answer = self.url_open(path, data=body, headers={'Stripe-Signature': 't=1,v1=0'})
            self.assertEqual(answer.status_code, 400)
        self.assertFalse(self.get_events())
        managed = self.provider.with_user(self.billing_admin)
        self.assertEqual(managed.stripe_checkout_refused_count, 3)
        with freeze_time(datetime.now() + timedelta(days=8)):
            managed.invalidate_recordset()
            self.assertEqual(managed.stripe_checkout_refused_count, 0)

    def test_retention(self):
        self.assertTrue(is_autovacuum(self.registry['stripe.event']._gc_events))
        self.pay()
        self.run_queue()
        done = self.get_events()
        self.pay()
        waiting = self.get_events() - done
        Event = self.env['stripe.event'].sudo()
        with freeze_time(datetime.now() + timedelta(days=89)):
            Event._gc_events()
        self.assertEqual(self.get_events(), done + waiting)
        with freeze_time(datetime.now() + timedelta(days=91)):
            Event._gc_events()
        self.assertEqual(self.get_events(), waiting, "What waits is never removed")

    def test_event_that_comes_again_after_its_removal_books_nothing_twice(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        [delivery] = self.stripe.deliveries.pop_all()
        self.deliver([delivery])
        self.run_queue()
        self.get_events().sudo().unlink()
        self.deliver([delivery])
        self.run_queue()
        self.assert_booked(invoice, 100)

    def test_retention_is_longer_than_stripes_own(self):
        managed = self.provider.with_user(self.billing_admin)
        managed.stripe_checkout_event_retention = 31
        with self.assertRaises(ValidationError):
            managed.stripe_checkout_event_retention = 30
