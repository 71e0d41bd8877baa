"""The webhook endpoint of a provider: registered at Stripe, replaced without a gap, its secrets."""

import logging
from datetime import timedelta

import psycopg2
import stripe

from odoo import fields, models
from odoo.exceptions import RedirectWarning, UserError
from odoo.tools import SQL

from .. import const
from ..const import HANDLED_EVENTS

_logger = logging.getLogger(__name__)


# Stripe repeats a delivery for three days, signed with the secret of its endpoint.
# https://docs.stripe.com/webhooks#retries
FORMER_SECRET_LIFETIME = timedelta(days=3)

# How often a note is made again where the connection is written at that time.
WRITE_ATTEMPTS = 5


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_endpoint_id = fields.Char(string="Webhook Endpoint", readonly=True, copy=False)
    stripe_checkout_registered_at = fields.Datetime(
        string="Webhook Registered On", readonly=True, copy=False
    )
    stripe_checkout_confirmed_at = fields.Datetime(
        string="Webhook Confirmed On",
        help="When an event first arrived that was signed with the current secret.",
        readonly=True,
        copy=False,
    )

    # The endpoint before the current one: it goes once the current one has delivered an event.
    stripe_checkout_former_endpoint_id = fields.Char(
        string="Former Webhook Endpoint", readonly=True, copy=False
    )
    stripe_checkout_previous_secret_expires_at = fields.Datetime(
        string="Former Secret Accepted Until", readonly=True, copy=False
    )

    # === REGISTRATION === #

    def _stripe_checkout_create_endpoint(self, base_url, secret_key=None):
        """Register a webhook endpoint at Stripe.

        :return: Stripe's endpoint, with the secret that is told only now; `error` with a message
                 and `base_url` if Stripe does not take it: payments then arrive by the sweep.
        :rtype: dict
        :raise UserError: If Stripe refuses for another reason.
        """
        self.ensure_one()
        # Whoever is not alone waits here, before there is an endpoint that would be left over.
        self.env.cr.execute(
            # Not `FOR UPDATE`, which an event that is stored at that time would wait for.
            SQL("SELECT id FROM payment_provider WHERE id = %s FOR NO KEY UPDATE", self.id)
        )
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        client = self._stripe_checkout_get_client(secret_key)
        url = self._stripe_checkout_get_webhook_url(base_url)
        try:
            self._stripe_checkout_delete_orphans(client, url)
            endpoint = self._stripe_checkout_make_endpoint(
                client,
                {
                    'url': url,
                    'enabled_events': sorted(HANDLED_EVENTS),
                    'api_version': const.API_VERSION,
                    'description': "Odoo: online payment of invoices",
                    'metadata': {
                        const.METADATA_DATABASE: database_uuid,
                        const.METADATA_PROVIDER: str(self.id),
                    },
                },
            )
        except stripe.InvalidRequestError as error:
            message = self._stripe_checkout_describe_error(error)
            if error.param == 'url':
                return {'error': message, 'base_url': base_url}
            raise UserError(self._stripe_checkout_describe_full(client) or message) from None
        except stripe.StripeError as error:
            raise UserError(self._stripe_checkout_describe_error(error)) from None
        if endpoint['id'] != self.stripe_checkout_endpoint_id:
            # What is not stored after all must not go on sending: nobody knows its secret.
            self.env.cr.postrollback.add(
                lambda: self._stripe_checkout_delete_endpoint(client, endpoint['id'])
            )
        return endpoint

    def _stripe_checkout_prepare_endpoint_values(self, endpoint, secret_key=None):
        """Prepare what is stored of a new endpoint.

        The former endpoint stays until the new one has delivered an event, and its secret for as
        long as Stripe may repeat what it signed. An endpoint that was replaced before it ever
        delivered anything goes at once.

        :param dict endpoint: What `_stripe_checkout_create_endpoint` returned.
        :param str secret_key: The key that made it; that of the provider if not given.
        :rtype: dict
        """
        if 'error' in endpoint:
            return {
                'stripe_checkout_refusal': endpoint['error'],
                'stripe_checkout_refused_address': endpoint['base_url'],
                **self._stripe_checkout_prepare_health('refused', endpoint['error']),
            }
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        values = {
            'stripe_checkout_endpoint_id': endpoint['id'],
            'stripe_checkout_endpoint_database': database_uuid,
            'stripe_checkout_webhook_secret': endpoint['secret'],
            'stripe_checkout_registered_at': fields.Datetime.now(),
            'stripe_checkout_confirmed_at': False,
            'stripe_checkout_probed_at': False,  # The former endpoint's probe says nothing of it.
            'stripe_checkout_refusal': False,
            **self._stripe_checkout_prepare_seen_endpoint(endpoint),
            **self._stripe_checkout_prepare_health(None),
        }
        current = self.stripe_checkout_endpoint_id
        if current == endpoint['id']:
            return values  # Mended in place.
        former = self.stripe_checkout_former_endpoint_id
        if not self._stripe_checkout_is_endpoint_ours():
            values['stripe_checkout_former_endpoint_id'] = False
        elif former and not self.stripe_checkout_confirmed_at:
            self._stripe_checkout_delete_endpoint_after_commit(current, secret_key)
        elif current:
            if former:
                self._stripe_checkout_delete_endpoint_after_commit(former, secret_key)
            values['stripe_checkout_former_endpoint_id'] = current
            values['stripe_checkout_previous_webhook_secret'] = self.stripe_checkout_webhook_secret
            values['stripe_checkout_previous_secret_expires_at'] = (
                fields.Datetime.now() + FORMER_SECRET_LIFETIME
            )
        return values

    # === EVENTS ARRIVE === #

    def _stripe_checkout_get_webhook_secrets(self):
        """Return the secrets with which an event may be signed, the current one first.

        :rtype: list[str]
        """
        self.ensure_one()
        provider_sudo = self.sudo()  # The secrets are readable by nobody.
        secrets = [provider_sudo.stripe_checkout_webhook_secret]
        end = provider_sudo.stripe_checkout_previous_secret_expires_at
        if end and end > fields.Datetime.now():
            secrets.append(provider_sudo.stripe_checkout_previous_webhook_secret)
        return [secret for secret in secrets if secret]

    def _stripe_checkout_note_delivery_safely(self, secret):
        """Note that an event arrived, if it was signed with the current secret.

        Stripe waits for the answer to its event, which waits for nobody: where the connection is
        written right now, the queue makes the note.

        :param str secret: The secret that the event was signed with.
        """
        self.ensure_one()
        if secret != self.stripe_checkout_webhook_secret:
            return
        if not self._stripe_checkout_prepare_delivery():
            return
        try:
            with self.env.cr.savepoint():
                self.env.cr.execute(
                    SQL(
                        "SELECT id FROM payment_provider WHERE id = %s FOR NO KEY UPDATE NOWAIT",
                        self.id,
                    ),
                    log_exceptions=False,
                )
                self._stripe_checkout_note_delivery()
        except psycopg2.OperationalError:
            self.env['stripe.event'].sudo()._raise_internal(
                self, 'odoo.webhook.delivered', {'endpoint': self.stripe_checkout_endpoint_id}
            )

    def _stripe_checkout_write_apart(self, method, *args):
        """Call a method of the connection in a transaction of its own.

        It runs again where somebody else writes the same rows at that time.

        :param str method: The name of the method.
        :param args: What to call it with.
        """
        for _attempt in range(WRITE_ATTEMPTS):
            try:
                with self.env.registry.cursor() as cr:
                    getattr(self.with_env(self.env(cr=cr)), method)(*args)
                return
            except psycopg2.OperationalError:
                _logger.info("The connection of provider %s is written elsewhere", self.id)

    def _stripe_checkout_prepare_delivery(self):
        """Prepare what an event that arrives changes: once after each registration or failure only.

        All events share this row.

        :rtype: dict
        """
        values = {}
        if not self.stripe_checkout_confirmed_at:
            values['stripe_checkout_confirmed_at'] = fields.Datetime.now()
        if self._stripe_checkout_is_cured_by_delivery():
            values.update(self._stripe_checkout_prepare_health(None, confirmed=True))
        return values

    def _stripe_checkout_note_delivery(self):
        """Note that an event arrived that was signed with the current secret.

        The former endpoint is not needed any more from here on; Stripe, who waits for the answer to
        its event, is not kept waiting for that.
        """
        values = self._stripe_checkout_prepare_delivery()
        if values:
            self.write(values)
            self._stripe_checkout_follow_up_health()
            # Without it the former endpoint stays for longer; the event is stored all the same.
            cron = self.env.ref(
                'payment_stripe_checkout.ir_cron_check_webhook', raise_if_not_found=False
            )
            if cron:
                cron.sudo()._trigger()

    # === ACTIONS === #

    def action_stripe_checkout_retry_webhook(self):
        """Register the webhook endpoint anew, and have Stripe send an event through it.

        Where the address of the database has changed unseen, it says so first: the links move
        along.

        :return: A notification.
        :rtype: dict
        :raise UserError: If Stripe refuses.
        """
        self.ensure_one()
        self._stripe_checkout_check_manageable()
        provider_sudo = self.sudo()  # Billing admins cannot write the connection.
        provider_sudo._stripe_checkout_require_key()
        base_url = provider_sudo._stripe_checkout_read_address()
        if not provider_sudo._stripe_checkout_is_told(base_url):
            provider_sudo._stripe_checkout_check_health()
            return self._stripe_checkout_notify(self._stripe_checkout_describe_problem(), 'warning')
        provider_sudo._stripe_checkout_check_address(
            base_url, provider_sudo._stripe_checkout_get_mode()
        )
        endpoint = provider_sudo._stripe_checkout_create_endpoint(base_url)
        of_original = provider_sudo._stripe_checkout_describe_original(
            provider_sudo.stripe_checkout_endpoint_id
        )
        values = provider_sudo._stripe_checkout_prepare_endpoint_values(endpoint)
        if 'error' not in endpoint:  # The former endpoint, and the links, keep their address.
            values['stripe_checkout_base_url'] = base_url
        provider_sudo.write(values)
        if 'error' in endpoint:
            provider_sudo._stripe_checkout_follow_up_health()
            return self._stripe_checkout_notify(endpoint['error'], 'danger')
        provider_sudo._stripe_checkout_log(
            ' '.join([self.env._("The webhook was registered anew."), *of_original])
        )
        provider_sudo._stripe_checkout_start_after_registration()
        done = self.env._(
            "The webhook is registered. It is confirmed as soon as Stripe's first event arrives, "
            "mostly within a minute."
        )
        return self._stripe_checkout_notify(
            ' '.join([done, *of_original]), 'warning' if of_original else 'success'
        )

    def _stripe_checkout_start_after_registration(self):
        """Prove the new endpoint, and fetch what Stripe could not deliver meanwhile."""
        self._stripe_checkout_check_health()
        self._stripe_checkout_send_probe_after_commit()
        self.env.ref('payment_stripe_checkout.ir_cron_sweep').sudo()._trigger()

    def _stripe_checkout_require_key(self):
        """Lead to the connect wizard where Stripe no longer accepts the key.

        :raise RedirectWarning: If it does not.
        :raise UserError: If Stripe cannot be asked.
        """
        try:
            self._stripe_checkout_get_client().v1.balance.retrieve()
        except stripe.AuthenticationError:
            raise RedirectWarning(
                self.env._("Stripe does not accept the key any more. Connect with the new one."),
                self.env.ref('payment_stripe_checkout.action_stripe_checkout_connect').id,
                self.env._("Connect"),
                {'default_company_id': self.company_id.id},
            ) from None
        except stripe.PermissionError:
            return  # Of a restricted key: what it lacks is told where it is needed.
        except stripe.StripeError as error:
            raise UserError(self._stripe_checkout_describe_error(error)) from None
