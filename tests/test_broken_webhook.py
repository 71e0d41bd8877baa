from datetime import datetime, timedelta
from urllib.parse import urlsplit

from freezegun import freeze_time

from odoo.exceptions import RedirectWarning
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..const import HANDLED_EVENTS
from ..models.payment_provider_endpoints import ENDPOINT_LIMIT
from .health_common import CONTROLLER, WEBHOOK, HealthCommon


@tagged('post_install', '-at_install')
class TestBrokenWebhook(HealthCommon):
    """Every way to break the webhook shows, and one click and the probe's event mend it.

    What happened at Stripe in between is settled once: a payment, and what no session tells of, a
    refund and a dispute from the Dashboard.
    """

    def setUp(self):
        super().setUp()
        self.refunded, self.disputed = [self.pay() for _number in range(2)]
        self.deliver()
        self.run_queue()

    def pay(self):
        """Pay an invoice through its link, whatever its address is; return it."""
        invoice = self.create_invoice(100)
        path = invoice.stripe_payment_link_ids._get_path()
        response = self.url_open(path, allow_redirects=False)
        self.stripe.pay(self.get_session(response.headers['Location'])['id'])
        return invoice

    def pay_while_broken(self):
        """Let happen what no event can tell: a payment, a refund and a dispute.

        :return: The paid invoice.
        """
        for invoice, happens in (
            (self.refunded, self.stripe.refund),
            (self.disputed, self.stripe.dispute),
        ):
            happens(invoice.transaction_ids.stripe_checkout_payment_intent)
        return self.pay()

    def deliver_through_current(self):
        """Deliver through the current endpoint alone; the former one may be what is broken."""
        self.env.cr.postcommit.run()  # The probe is sent once its secret is stored.
        self.deliver([
            delivery
            for delivery in self.stripe.deliveries.pop_all()
            if delivery.endpoint['id'] == self.provider.stripe_checkout_endpoint_id
        ])

    @mute_logger(WEBHOOK)
    def assert_mended(self, invoice):
        """Press Retry, let the probe's event arrive, and find the payment booked once."""
        self.managed.action_stripe_checkout_retry_webhook()
        self.assert_health('pending')
        self.deliver_through_current()
        self.assert_health('confirmed')
        for _time in range(2):
            with freeze_time(datetime.now() + timedelta(minutes=30)):
                self.run_cron('ir_cron_sweep')
            # The queue goes by the database's clock, which stands still.
            self.env['stripe.event'].sudo().search([]).next_attempt_at = datetime.now()
            self.run_queue()
        payment = self.assert_booked(invoice, 100)
        self.assertEqual(
            self.env['account.payment'].search_count([
                (
                    'stripe_checkout_payment_intent',
                    '=',
                    payment.stripe_checkout_payment_intent,
                )
            ]),
            1,
        )
        [refund] = self.env['account.payment'].search([
            ('source_payment_id', 'in', self.get_payments(self.refunded).ids)
        ])
        self.assertRecordValues(
            refund, [{'amount': 100, 'payment_type': 'outbound', 'state': 'paid'}]
        )
        [dispute] = self.disputed.sudo().stripe_checkout_dispute_ids
        self.assertEqual(dispute.status, 'needs_response')
        self.check()
        self.assert_health('confirmed')

    def assert_events(self, *enabled):
        """Check which events are shown as sent by Stripe, and which as missing."""
        missing = sorted(HANDLED_EVENTS.keys() - set(enabled))
        self.assertRecordValues(
            self.managed,
            [
                {
                    'stripe_checkout_enabled_events': ', '.join(enabled) or False,
                    'stripe_checkout_missing_events': ', '.join(missing) or False,
                }
            ],
        )

    # === WAYS TO BREAK === #

    def test_endpoint_deleted(self):
        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        invoice = self.pay_while_broken()
        self.check()
        self.assert_health('warning', 'deleted', "is gone at Stripe")
        self.assert_events()
        self.assertFalse(self.managed.stripe_checkout_endpoint_url)
        self.assert_mended(invoice)

    def test_endpoint_disabled(self):
        self.stripe.disable_endpoint(self.endpoint_id)
        invoice = self.pay_while_broken()
        self.check()
        self.assert_health('warning', 'disabled', "is disabled")
        self.assert_events()
        self.assert_mended(invoice)

    def test_endpoint_with_another_address(self):
        self.update_endpoint(url='https://elsewhere.example.com/hook')
        invoice = self.pay_while_broken()
        self.stripe.deliveries.pop_all()
        self.check()
        self.assert_health('warning', 'address', "another address")
        self.assertEqual(
            self.managed.stripe_checkout_endpoint_url, 'https://elsewhere.example.com/hook'
        )
        self.assert_mended(invoice)

    def test_endpoint_with_other_events(self):
        self.update_endpoint(enabled_events=['checkout.session.expired'])
        invoice = self.pay_while_broken()
        self.check()
        self.assert_health('warning', 'events', "all events")
        self.assert_events('checkout.session.expired')
        self.assert_mended(invoice)
        self.assert_events(*sorted(HANDLED_EVENTS))

    @mute_logger(CONTROLLER)
    def test_secret_rolled_in_the_dashboard(self):
        self.stripe.roll_secret(self.endpoint_id)
        self.stripe.deliveries.double_sign(None)
        invoice = self.pay_while_broken()
        refused = self.deliver(status=400)
        self.check(minutes=10)
        self.assert_health('warning', 'signature', "signature")
        self.assertEqual(self.managed.stripe_checkout_refused_count, len(refused))
        self.assert_mended(invoice)

    @mute_logger(CONTROLLER)
    def test_clock_of_the_server_is_ahead(self):
        invoice = self.pay_while_broken()
        too_old = int(datetime.now().timestamp()) - 600
        for delivery in self.stripe.deliveries.pop_all():
            headers = delivery.signed(timestamp=too_old)
            answer = self.url_open(urlsplit(delivery.url).path, data=delivery.body, headers=headers)
            self.assertEqual(answer.status_code, 400)
        self.check(minutes=10)
        self.assert_health('warning', 'signature', "clock")
        self.assert_mended(invoice)

    # === IN AN ACCOUNT THAT HAS NO ROOM === #

    def fill_account(self):
        """Let others have all the endpoints that the account can have but ours."""
        for number in range(ENDPOINT_LIMIT - 1):
            self.client_api.v1.webhook_endpoints.create({
                'url': f'https://example.com/{number}',
                'enabled_events': ['charge.succeeded'],
            })

    def assert_full(self):
        endpoints = self.client_api.v1.webhook_endpoints.list({'limit': 100}).data
        self.assertEqual(len(endpoints), ENDPOINT_LIMIT)
        self.assertIn(self.provider.stripe_checkout_endpoint_id, [e.id for e in endpoints])

    def test_mended_in_place_where_there_is_no_room(self):
        self.fill_account()
        self.update_endpoint(url='https://elsewhere.example.com/hook', enabled_events=['*'])
        self.stripe.disable_endpoint(self.endpoint_id)
        invoice = self.pay_while_broken()
        self.stripe.deliveries.pop_all()
        self.check()
        self.assert_health('warning', 'disabled')
        self.assert_mended(invoice)
        self.assertEqual(self.provider.stripe_checkout_endpoint_id, self.endpoint_id)
        self.assertFalse(self.provider.stripe_checkout_former_endpoint_id)
        self.assert_events(*sorted(HANDLED_EVENTS))
        self.assert_full()

    @mute_logger(CONTROLLER)
    def test_replaced_where_there_is_no_room(self):
        self.fill_account()
        self.stripe.roll_secret(self.endpoint_id)
        self.stripe.deliveries.double_sign(None)
        invoice = self.pay_while_broken()
        self.deliver(status=400)
        self.check(minutes=10)
        self.assert_health('warning', 'signature')
        self.assert_mended(invoice)
        self.assertNotEqual(self.provider.stripe_checkout_endpoint_id, self.endpoint_id)
        self.assert_full()

    # === ADDRESS OR KEY CHANGED === #

    def test_address_of_the_database_changed(self):
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', 'https://new.example.com')
        invoice = self.pay_while_broken()
        self.check()
        self.assert_health('warning', 'moved', "https://new.example.com")
        self.assertIn(self.base_url(), self.managed.stripe_checkout_webhook_message)
        self.assertTrue(
            invoice.stripe_payment_link_ids._get_url().startswith(self.base_url()),
            "Nothing moves by itself",
        )
        self.deliver()
        self.assert_health('warning', 'moved')
        # Back on its host, as after a restore, one click mends it.
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', self.base_url())
        self.assert_mended(invoice)

    def test_database_restored_on_another_host(self):
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', self.base_url())
        self.provider.stripe_checkout_base_url = 'https://old.example.com'
        self.update_endpoint(url=self.provider._stripe_checkout_get_webhook_url())
        invoice = self.pay_while_broken()
        link = invoice.stripe_payment_link_ids
        self.stripe.deliveries.pop_all()
        self.check()
        self.assert_health('warning', 'moved', self.base_url())
        self.assert_mended(invoice)
        self.assertTrue(link._get_url().startswith(self.base_url()))

    def test_copy_leaves_the_endpoint_of_the_original_alone(self):
        """A copy that nobody has neutralized is put right, by Retry or by disconnecting it."""
        parameters = self.env['ir.config_parameter'].sudo()
        self.provider.stripe_checkout_base_url = 'https://original.example.com'
        self.update_endpoint(url=self.provider._stripe_checkout_get_webhook_url())
        parameters.set_param('database.uuid', 'copy')
        self.check()
        self.assert_health('warning', 'moved', self.base_url())
        notification = self.managed.action_stripe_checkout_retry_webhook()
        stays = f"The webhook endpoint {self.endpoint_id} stays at Stripe"
        self.assertIn(stays, notification['params']['message'])
        self.assertIn(stays, self.provider.message_ids[:1].body)
        self.deliver_through_current()
        self.check()
        self.assert_health('confirmed')
        notification = self.managed.action_stripe_checkout_retry_webhook()
        self.assertNotIn("stays at Stripe", notification['params']['message'])
        self.deliver_through_current()
        self.check()
        own = self.provider.stripe_checkout_endpoint_id
        listed = self.client_api.v1.webhook_endpoints.list
        self.assertEqual({e.id for e in listed().data}, {own, self.endpoint_id})
        parameters.set_param('database.uuid', 'copy of the copy')
        notification = self.disconnect(now=True)
        self.assertIn(f"The webhook endpoint {own} stays", notification['params']['message'])
        self.assertEqual({e.id for e in listed().data}, {own, self.endpoint_id})

    def test_copy_that_is_connected_with_another_key(self):
        """Catches an endpoint that sends what is refused, and nobody is told to delete it."""
        self.env['ir.config_parameter'].sudo().set_param('database.uuid', 'copy')
        self.connect(self.stripe.add_restricted_key())
        stays = f"The webhook endpoint {self.endpoint_id} stays at Stripe"
        self.assertIn(stays, self.provider.message_ids[:1].body)

    def test_key_rotated(self):
        invoice = self.pay_while_broken()
        self.set_account(secret_key='sk_test_rotated')
        self.check()
        self.assert_health('warning', 'key', "no longer accepts the key")
        with self.assertRaises(RedirectWarning):
            self.managed.action_stripe_checkout_retry_webhook()
        self.connect()
        self.client_api = self.provider._stripe_checkout_get_client()
        self.deliver()
        self.assert_health('confirmed')
        self.assert_mended(invoice)
