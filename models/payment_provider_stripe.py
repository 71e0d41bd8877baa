"""Every call to Stripe's API starts here."""

import stripe

from odoo import models
from odoo.exceptions import UserError

from .. import const, utils

API_TIMEOUT = 10  # seconds; the SDK waits 80 unless told, and a visitor waits with it

# The SDK would write a file under the home folder of the server's user.
stripe.enable_telemetry = False
stripe.set_app_info('payment_stripe_checkout', version='19.0.1.0.0')


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _stripe_checkout_get_client(self, secret_key=None):
        """Return a client of Stripe's API.

        :param str secret_key: A key to try; that of the provider if not given.
        :return: The client, which repeats a call that got no answer under the same idempotency key.
        :rtype: stripe.StripeClient
        :raise UserError: If there is no key.
        """
        key = secret_key or self.sudo().stripe_checkout_secret_key
        if not key:
            raise UserError(self.env._("Stripe is not connected."))
        base_addresses = {}
        api_base = (
            self.env['ir.config_parameter'].sudo().get_param('payment_stripe_checkout.api_base')
        )
        # A live key never leaves for another host than Stripe's.
        if api_base and utils.get_key_mode(key, 'secret') == 'test':
            base_addresses['api'] = api_base.rstrip('/')
        return stripe.StripeClient(
            key,
            base_addresses=base_addresses,
            stripe_version=const.API_VERSION,
            max_network_retries=2,
            http_client=stripe.RequestsClient(timeout=API_TIMEOUT),
        )

    def _stripe_checkout_retrieve_session(self, session_id):
        """Read a Checkout Session from Stripe, with what tells how it was paid.

        :param str session_id: The id of the session.
        :return: Stripe's Checkout Session.
        :rtype: dict
        :raise stripe.StripeError: If Stripe cannot be asked or does not know the session.
        """
        session = self._stripe_checkout_get_client().v1.checkout.sessions.retrieve(
            session_id, {'expand': ['payment_intent.latest_charge.balance_transaction']}
        )
        return session.to_dict()

    def _stripe_checkout_describe_error(self, error):
        """Put an error of the SDK into words that hold no secret.

        :param stripe.StripeError error: The error.
        :return: The message.
        :rtype: str
        """
        if isinstance(error, stripe.AuthenticationError):
            return self.env._("Stripe does not accept the key.")
        if isinstance(error, stripe.APIConnectionError):
            return self.env._("Stripe could not be reached. Nothing was changed; try again.")
        if isinstance(error, stripe.RateLimitError):
            return self.env._("Stripe is receiving too many requests. Try again in a minute.")
        return self.env._(
            "Stripe answered: %(message)s",
            message=utils.redact(error.user_message or str(error)),
        )
