"""The webhook endpoints of ours at Stripe: which of them can go, and how they go."""

import logging
from urllib.parse import urlsplit

import stripe

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import const, utils
from ..const import HANDLED_EVENTS

_logger = logging.getLogger(__name__)

WEBHOOK_PATH = '/payment/stripe_checkout/webhook/'

ENDPOINT_LIMIT = 16  # for each account and mode, https://docs.stripe.com/webhooks


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_endpoint_database = fields.Char(
        help="The database that registered the webhook endpoint.", readonly=True, copy=False
    )
    # What Stripe said of the endpoint when it was made or last checked.
    stripe_checkout_endpoint_url = fields.Char(string="Endpoint Address", readonly=True, copy=False)
    stripe_checkout_enabled_events = fields.Text(
        string="Events", help="What Stripe sends.", readonly=True, copy=False
    )
    stripe_checkout_missing_events = fields.Text(
        string="Missing Events", compute='_compute_stripe_checkout_missing_events'
    )

    @api.depends('stripe_checkout_connected_at', 'stripe_checkout_enabled_events')
    def _compute_stripe_checkout_missing_events(self):
        for provider in self:
            enabled = (provider.stripe_checkout_enabled_events or '').split(', ')
            is_complete = not provider.stripe_checkout_connected_at or '*' in enabled
            missing = () if is_complete else HANDLED_EVENTS.keys() - enabled
            provider.stripe_checkout_missing_events = ', '.join(sorted(missing)) or False

    def _stripe_checkout_prepare_seen_endpoint(self, endpoint):
        """Prepare what is shown of our endpoint at Stripe.

        :param dict|None endpoint: Stripe's endpoint, None if there is none. One that is disabled
                                   sends nothing.
        :rtype: dict
        """
        events = endpoint['enabled_events'] if endpoint and endpoint['status'] == 'enabled' else []
        return {
            'stripe_checkout_endpoint_url': endpoint and endpoint['url'],
            'stripe_checkout_enabled_events': ', '.join(sorted(events)) or False,
        }

    def _stripe_checkout_retrieve_endpoint(self, client):
        """Ask Stripe for our endpoint.

        :param stripe.StripeClient client: The client of the account.
        :return: Stripe's endpoint; None if it is gone.
        :rtype: dict|None
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        if not self.stripe_checkout_endpoint_id:
            return None
        try:
            endpoint = client.v1.webhook_endpoints.retrieve(self.stripe_checkout_endpoint_id)
        except stripe.InvalidRequestError as error:
            if error.http_status != 404:
                raise
            return None
        return endpoint.to_dict()

    def _stripe_checkout_make_endpoint(self, client, parameters):
        """Make an endpoint at Stripe, or mend the current one where there is no room for two.

        What cannot be mended goes first, as the last resort: an endpoint of another API version, or
        one whose secret is no longer the one we have. What happens meanwhile is fetched.

        :param stripe.StripeClient client: The client of the account.
        :param dict parameters: What the endpoint is to be like.
        :return: Stripe's endpoint, with its secret.
        :rtype: dict
        :raise stripe.StripeError: If Stripe refuses.
        """
        endpoints = client.v1.webhook_endpoints
        current = self._stripe_checkout_is_endpoint_ours() and self.stripe_checkout_endpoint_id
        try:
            return endpoints.create(parameters).to_dict()
        except stripe.InvalidRequestError as error:
            is_full = error.param != 'url' and self._stripe_checkout_describe_full(client)
            if not current or not is_full:
                raise
        if self.stripe_checkout_problem != 'signature':
            endpoint = endpoints.update(
                current,
                {
                    'url': parameters['url'],
                    'enabled_events': parameters['enabled_events'],
                    'disabled': False,
                },
            )
            if endpoint.api_version == parameters['api_version']:
                return {**endpoint.to_dict(), 'secret': self.stripe_checkout_webhook_secret}
        endpoints.delete(current)
        return endpoints.create(parameters).to_dict()

    def _stripe_checkout_describe_full(self, client):
        """Say which endpoints can go if the account has as many as it can have.

        Those of this addon, whichever database made them; what else uses the account is left alone.

        :param stripe.StripeClient client: The client of the account.
        :return: The message; False if the account has room.
        :rtype: str|False
        """
        try:
            endpoints = client.v1.webhook_endpoints.list({'limit': 100}).data
        except stripe.StripeError:
            return False
        if len(endpoints) < ENDPOINT_LIMIT:
            return False
        ours = [e for e in endpoints if urlsplit(e.url).path.startswith(WEBHOOK_PATH)]
        lines = '\n'.join(
            f'{e.id}  {e.url}  {e.status}  {self._stripe_checkout_name_owner(e)}'.rstrip()
            for e in ours
        )
        return self.env._(
            "The Stripe account has %(limit)s webhook endpoints already, as many as it can have. "
            "Delete one in the Stripe Dashboard, then try again. Made by this app, and free to go "
            "where no longer used:\n%(endpoints)s",
            limit=len(endpoints),
            endpoints=lines or self.env._("none"),
        )

    def _stripe_checkout_name_owner(self, endpoint):
        """Say whose an endpoint is that this addon has made.

        :param stripe.WebhookEndpoint endpoint: The endpoint.
        :return: The words; empty for one of another database.
        :rtype: str
        """
        if endpoint.id in self._stripe_checkout_get_endpoint_ids():
            return self.env._("(in use here)")
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        if endpoint.metadata.to_dict().get(const.METADATA_DATABASE) == database_uuid:
            return self.env._("(of this database)")
        return ''

    def _stripe_checkout_get_endpoint_ids(self):
        """Return the ids of the endpoints that we have at Stripe, the current one first.

        :rtype: list[str]
        """
        if not self._stripe_checkout_is_endpoint_ours():
            return []
        ids = (self.stripe_checkout_endpoint_id, self.stripe_checkout_former_endpoint_id)
        return [endpoint_id for endpoint_id in ids if endpoint_id]

    def _stripe_checkout_is_endpoint_ours(self):
        """Tell whether this database registered the endpoint that it knows.

        Not in a copy of the database: there it is the original's, who goes on using it.

        :rtype: bool
        """
        known = self.stripe_checkout_endpoint_database
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        return not known or known == database_uuid

    def _stripe_checkout_describe_original(self, endpoint_id):
        """Say which webhook endpoint stays at Stripe because the original of this copy made it.

        :param str|bool endpoint_id: The endpoint that is known here, False if there is none.
        :return: The message in a list, which is empty where this database made it.
        :rtype: list[str]
        """
        if not endpoint_id or self._stripe_checkout_is_endpoint_ours():
            return []
        return [
            self.env._(
                "The webhook endpoint %(endpoint)s stays at Stripe: it was registered by the "
                "database of which this one is a copy. Delete it in the Stripe Dashboard if that "
                "one is no longer used.",
                endpoint=endpoint_id,
            )
        ]

    def _stripe_checkout_delete_endpoints(self):
        """Delete our endpoints at Stripe, now.

        :return: The ids of those that the key may not delete, or no longer; that of the original in
                 a copy of its database.
        :rtype: list[str]
        :raise UserError: If Stripe cannot be asked.
        """
        current = self.stripe_checkout_endpoint_id
        if current and not self._stripe_checkout_is_endpoint_ours():
            return [current]
        client = self._stripe_checkout_get_client()
        left = []
        for endpoint_id in self._stripe_checkout_get_endpoint_ids():
            try:
                client.v1.webhook_endpoints.delete(endpoint_id)
            except (stripe.AuthenticationError, stripe.PermissionError):
                left.append(endpoint_id)
            except stripe.StripeError as error:
                if error.http_status != 404:  # It may be gone already.
                    raise UserError(self._stripe_checkout_describe_error(error)) from None
        return left

    def _stripe_checkout_delete_endpoint_after_commit(self, endpoint_id, secret_key=None):
        """Delete an endpoint of ours at Stripe once what replaces it is stored for good.

        :param str endpoint_id: The endpoint.
        :param str secret_key: The key to delete it with; that of the provider if not given.
        """
        client = self._stripe_checkout_get_client(secret_key)
        self.env.cr.postcommit.add(
            lambda: self._stripe_checkout_delete_endpoint(client, endpoint_id)
        )

    def _stripe_checkout_delete_endpoint(self, client, endpoint_id):
        """Delete an endpoint at Stripe where a failure must not stop anything; needs no database.

        :param stripe.StripeClient client: The client of its account.
        :param str endpoint_id: The endpoint.
        """
        try:
            client.v1.webhook_endpoints.delete(endpoint_id)
        except stripe.StripeError as error:
            # It may be gone already, or belong to the account connected before.
            _logger.warning(
                "Could not delete webhook endpoint %s of provider %s: %s",
                endpoint_id,
                self.id,
                utils.redact(str(error)),
            )

    def _stripe_checkout_delete_orphans(self, client, url):
        """Delete the endpoints of ours that this database does not know.

        A worker that died, or a database restored from before the last registration, leaves one.
        Its secret is lost, so that each of its events is refused, until Stripe gives it up.

        :param stripe.StripeClient client: The client of the account.
        :param str url: The address of the provider's webhook: those of another one are left alone.
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        known = self._stripe_checkout_get_endpoint_ids()
        for endpoint in client.v1.webhook_endpoints.list({'limit': 100}).data:
            if (
                endpoint.id not in known
                and endpoint.url == url
                and self._stripe_checkout_is_ours(endpoint.to_dict())
            ):
                self._stripe_checkout_delete_endpoint(client, endpoint.id)

    def _stripe_checkout_drop_former_endpoint(self):
        """Delete the former endpoint at Stripe once the current one has delivered an event.

        :raise stripe.StripeError: If Stripe cannot be asked; the next check tries again.
        """
        former = self.stripe_checkout_former_endpoint_id
        if not former or not self.stripe_checkout_confirmed_at:
            return
        if not self._stripe_checkout_is_endpoint_ours():
            return
        try:
            self._stripe_checkout_get_client().v1.webhook_endpoints.delete(former)
        except stripe.InvalidRequestError as error:
            if error.http_status != 404:
                raise
        self.stripe_checkout_former_endpoint_id = False
