import time

import stripe

from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import StripeCheckoutCommon

CONTROLLER = 'odoo.addons.payment_stripe_checkout.controllers.webhook'


@tagged('post_install', '-at_install')
class TestWebhook(StripeCheckoutCommon):
    """The controller verifies, stores and acknowledges; nothing unproven gets in."""

    def setUp(self):
        super().setUp()
        self.path = f'/payment/stripe_checkout/webhook/{self.provider.id}'
        self.secret = self.provider.stripe_checkout_webhook_secret
        self.body = self.make_event('checkout.session.expired', {'id': 'cs_x', 'status': 'expired'})

    def sign(self, body=None, secret=None, timestamp=None):
        payload = (body or self.body).decode()
        return stripe.WebhookSignature.generate_signature_header(
            payload, secret or self.secret, timestamp=timestamp
        )

    def post(self, signature=None, body=None, path=None):
        headers = {'Content-Type': 'application/json'}
        if signature:
            headers['Stripe-Signature'] = signature
        return self.url_open(path or self.path, data=body or self.body, headers=headers)

    def get_events(self):
        return self.env['stripe.event'].search([('event_id', '=', 'evt_test')])

    def assert_refused(self, response, status=400):
        self.assertEqual(response.status_code, status)
        self.assertFalse(self.get_events())
        self.assertNotIn(self.secret, response.text)

    def test_right_signature_is_stored_and_acknowledged(self):
        response = self.post(self.sign())
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.json(), {'received': True})
        self.assertRecordValues(
            self.get_events(), [{'state': 'pending', 'type': 'checkout.session.expired'}]
        )

    @mute_logger(CONTROLLER)
    def test_wrong_missing_and_old_signatures_are_refused(self):
        self.assert_refused(self.post(self.sign(secret='whsec_somebody_else')))
        self.assert_refused(self.post())
        self.assert_refused(self.post('nonsense'))
        self.assert_refused(self.post(self.sign(timestamp=int(time.time()) - 3600)))
        self.assert_refused(self.post(self.sign().replace('v1=', 'v1=é')))
        tampered = self.body.replace(b'cs_x', b'cs_y')
        self.assert_refused(self.post(self.sign(), body=tampered))

    def test_any_of_two_signatures_is_enough(self):
        # A secret that is rolled in the Dashboard signs beside the new one for a day.
        good, bad = self.sign(), self.sign(secret='whsec_rolled')
        for first, second in [(good, bad), (bad, good)]:
            header = f"{first},v1={second.partition('v1=')[2]}"
            self.assertEqual(self.post(header).status_code, 200)
        self.assertEqual(len(self.get_events()), 1)

    def test_the_former_secret_still_counts(self):
        self.provider.action_stripe_checkout_retry_webhook()
        self.assertNotEqual(self.provider.stripe_checkout_webhook_secret, self.secret)
        self.assertEqual(self.post(self.sign(secret=self.secret)).status_code, 200)

    @mute_logger(CONTROLLER)
    def test_no_secret_refuses_everything(self):
        self.provider.write({
            'stripe_checkout_webhook_secret': False,
            'stripe_checkout_previous_webhook_secret': False,
        })
        self.assert_refused(self.post(self.sign()))
        self.assert_refused(self.post(self.sign(secret='whsec_')))

    @mute_logger(CONTROLLER)
    def test_another_providers_secret_is_refused(self):
        other = self.provider.copy({'company_id': self.env['res.company'].create({'name': "B"}).id})
        other.stripe_checkout_webhook_secret = 'whsec_other'
        path = f'/payment/stripe_checkout/webhook/{other.id}'
        self.assert_refused(self.post(self.sign(), path=path))

    @mute_logger(CONTROLLER, 'odoo.http')
    def test_strangers_learn_nothing(self):
        self.assert_refused(self.post(self.sign(), path='/payment/stripe_checkout/webhook/0'), 404)
        self.assert_refused(self.post(self.sign(body=b'no json'), body=b'no json'))
        self.assertEqual(self.url_open(self.path).status_code, 405)
        too_large = b'x' * (3 * 1024 * 1024)
        self.assert_refused(self.post(self.sign(body=too_large), body=too_large), 413)

    def test_the_same_event_is_stored_once(self):
        for _attempt in range(10):
            self.assertEqual(self.post(self.sign()).status_code, 200)
        self.assertEqual(len(self.get_events()), 1)

    def test_unknown_type_is_acknowledged_and_ignored(self):
        body = self.make_event('product.created', {'id': 'prod_x', 'object': 'product'})
        self.assertEqual(self.post(self.sign(body=body), body=body).status_code, 200)
        self.assertRecordValues(self.get_events(), [{'state': 'ignored', 'payload': None}])

    def test_foreign_session_is_acknowledged_and_ignored(self):
        session = {
            'id': 'cs_foreign',
            'object': 'checkout.session',
            'status': 'complete',
            'payment_status': 'paid',
            'payment_intent': 'pi_foreign',
            'amount_total': 5000,
            'currency': 'usd',
            'metadata': {},
        }
        body = self.make_event('checkout.session.completed', session)
        self.assertEqual(self.post(self.sign(body=body), body=body).status_code, 200)
        calls = len(self.stripe.calls)
        self.run_queue()
        self.assertEqual(self.get_events().state, 'ignored')
        self.assertEqual(len(self.stripe.calls), calls, "Nobody asks about a foreign session")
        self.assertFalse(
            self.env['account.payment'].search([
                ('stripe_checkout_payment_intent', '=', 'pi_foreign')
            ])
        )

    def test_receiving_calls_nobody(self):
        self.post(self.sign())
        self.assertEqual(len(self.stripe.calls), 0)

    def test_event_of_the_other_mode_is_acknowledged_and_ignored(self):
        body = self.body.replace(b'"livemode": false', b'"livemode": true')
        self.assertEqual(self.post(self.sign(body=body), body=body).status_code, 200)
        self.assertEqual(self.get_events().state, 'ignored')
        self.assertEqual(self.get_events().payload['id'], 'cs_x', "Kept all the same")
