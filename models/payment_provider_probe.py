"""The probe: a session that nobody pays, made and expired so that Stripe sends an event."""

import logging
import secrets
from datetime import timedelta

import stripe

from odoo import fields, models

from .. import const, utils

_logger = logging.getLogger(__name__)

# In minor units, exact in every currency: above the smallest amount of those for which Stripe names
# one, and above what it asks of the others, whose units are worth less.
PROBE_AMOUNT = 20_000
PROBE_AMOUNT_OF_OTHERS = 5_000_000

PROBE_PATIENCE = timedelta(minutes=3)  # An event that took longer did not find its way.

CLOCK_MARGIN = timedelta(seconds=5)  # between the hosts of one database


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_probed_at = fields.Datetime(string="Last Probe", readonly=True, copy=False)

    def _stripe_checkout_send_probe(self, commit=False):
        """Have Stripe send an event, so that no client is needed to see whether events arrive.

        The event of the expired session proves the way from Stripe's endpoint to our ledger, and
        the session that clients can pay. Where Stripe refuses it, that is what is wrong.

        :param bool commit: Whether to commit first, as a cron may.
        """
        send_probe = self._stripe_checkout_prepare_probe()
        self._stripe_checkout_note_probe()
        # The event is here within the second, and may write the same row.
        if commit:
            self.env['ir.cron']._commit_progress()
        else:
            self.env.flush_all()
        try:
            send_probe()
        except stripe.StripeError as error:
            self._stripe_checkout_note_refused_probe(error)
        else:
            if self.stripe_checkout_problem == 'pages':
                self._stripe_checkout_keep_health(None)

    def _stripe_checkout_send_probe_after_commit(self):
        """Have Stripe send an event once what its signature is checked with is stored for good.

        The event is here within the second: sent before, it would be refused.
        """
        send_probe = self._stripe_checkout_prepare_probe()
        self._stripe_checkout_note_probe()

        @self.env.cr.postcommit.add
        def send_safely():
            try:
                send_probe()
            except stripe.StripeError as error:
                self._stripe_checkout_write_apart('_stripe_checkout_note_refused_probe', error)

    def _stripe_checkout_prepare_probe(self):
        """Return the function that sends a probe; it needs no database.

        :return: A function, which raises `stripe.StripeError` if Stripe does not take the session.
        """
        self.ensure_one()
        sessions = self._stripe_checkout_get_client().v1.checkout.sessions
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        currency_name = self.company_id.currency_id.name
        is_known = currency_name in const.MINIMUM_CHARGE
        parameters = {
            'mode': 'payment',
            'line_items': [
                {
                    'quantity': 1,
                    'price_data': {
                        'currency': currency_name.lower(),
                        'unit_amount': PROBE_AMOUNT if is_known else PROBE_AMOUNT_OF_OTHERS,
                        'product_data': {'name': "Test of the connection; nobody pays this"},
                    },
                }
            ],
            'success_url': f'{self.stripe_checkout_base_url}/my',
            'metadata': {
                const.METADATA_DATABASE: database_uuid,
                const.METADATA_PROVIDER: str(self.id),
                const.METADATA_PROBE: '1',
            },
        }

        def send_probe():
            options = {'idempotency_key': f'probe-{secrets.token_hex(16)}'}
            sessions.expire(sessions.create(parameters, options).id)

        return send_probe

    def _stripe_checkout_note_probe(self):
        """Note that a probe was sent, and have the health checked once it should have arrived."""
        now = fields.Datetime.now()
        # The event may be stored by another host, and before Stripe answers us.
        self.stripe_checkout_probed_at = self.env['stripe.event']._get_now() - CLOCK_MARGIN
        cron = self.env.ref(
            'payment_stripe_checkout.ir_cron_check_webhook', raise_if_not_found=False
        )
        if cron:
            cron.sudo()._trigger(at=now + PROBE_PATIENCE + timedelta(seconds=1))

    def _stripe_checkout_note_refused_probe(self, error):
        """Note why Stripe did not take a probe: no client could pay either.

        :param stripe.StripeError error: What Stripe answered.
        """
        _logger.warning(
            "Could not send a probe for provider %s: %s", self.id, utils.redact(str(error))
        )
        self.stripe_checkout_probed_at = False  # There is no event to wait for.
        if self.stripe_checkout_problem == 'charges':
            return  # That says it better.
        if error.code == 'amount_too_small':
            # Of another amount Stripe opens pages.
            if self.stripe_checkout_problem == 'pages':
                self._stripe_checkout_keep_health(None)
            return
        if isinstance(error, stripe.InvalidRequestError):
            problem, detail = 'pages', self._stripe_checkout_describe_error(error)
        else:
            problem, detail = self._stripe_checkout_read_problem(error)
        self._stripe_checkout_keep_health(problem, detail)
