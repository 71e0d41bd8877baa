import logging

import psycopg2
import stripe
from werkzeug.exceptions import NotFound

from odoo import http
from odoo.http import request

from .. import utils
from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 2 * 1024 * 1024  # Stripe's events are far smaller; strangers' bodies may not be.


class StripeWebhookController(http.Controller):
    """Verify, store, acknowledge; the queue does the rest."""

    @http.route(
        '/payment/stripe_checkout/webhook/<int:provider_id>',
        type='http',
        auth='public',
        methods=['POST'],
        csrf=False,
        save_session=False,
        max_content_length=MAX_BODY_BYTES,
    )
    def receive_event(self, provider_id):
        """Take an event from Stripe.

        :param int provider_id: The provider whose endpoint the event was sent to.
        :return: 200 once the event is stored, also where it was stored before; 400 if the signature
                 does not prove that Stripe sent it, and no secret proves nothing.
        :raise NotFound: If there is no such provider.
        """
        # In sudo mode: Stripe has no user here; the signature is its proof.
        providers_sudo = request.env['payment.provider'].sudo()
        provider_sudo = providers_sudo.search([
            ('id', '=', provider_id),
            ('code', '=', PROVIDER_CODE),
        ])
        if not provider_sudo:
            raise NotFound()
        event, secret = self._verify(provider_sudo)
        if not event:
            self._count_refusal(provider_sudo)
            return request.make_json_response(
                {'error': 'The signature proves nothing.'}, status=400
            )
        Event = request.env['stripe.event'].sudo()
        payload = Event._reduce(event)
        if Event._store(provider_sudo, event, payload) and payload is not None:
            Event._wake_queue()
        provider_sudo._stripe_checkout_note_delivery_safely(secret)
        return request.make_json_response({'received': True})

    def _verify(self, provider_sudo):
        """Check the signature over the raw bytes against each secret that may have signed them.

        :return: Stripe's event and the secret that signed it; None if no secret did.
        :rtype: tuple[dict|None, str|None]
        """
        body = request.httprequest.get_data()
        header = request.httprequest.headers.get('Stripe-Signature', '')
        if not header.isascii():  # The SDK raises what is no refusal of it.
            header = ''
        for secret in provider_sudo._stripe_checkout_get_webhook_secrets():
            try:
                event = stripe.Webhook.construct_event(body, header, secret).to_dict()
            except stripe.SignatureVerificationError:
                continue  # Another secret may have signed it.
            except ValueError:
                break  # No JSON: nothing that Stripe sends.
            return event, secret
        _logger.warning("Refused an unproven event for provider %s", provider_sudo.id)
        return None, None

    @staticmethod
    def _count_refusal(provider_sudo):
        """Count a request that proved nothing, unless another one is counted right now."""
        header = request.httprequest.headers.get('Stripe-Signature', '')
        refusals_sudo = request.env['stripe.webhook.refusal'].sudo()
        try:
            with request.env.cr.savepoint():
                refusals_sudo._note(provider_sudo, utils.is_signature(header))
        except (psycopg2.OperationalError, psycopg2.IntegrityError):
            _logger.info("Another refusal of provider %s was counted instead", provider_sudo.id)
