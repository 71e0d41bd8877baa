"""The sweep: whatever webhooks miss is found by asking Stripe."""

import logging
from datetime import timedelta

import psycopg2
import stripe
from psycopg2.extensions import TransactionRollbackError

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .. import session_facts, utils
from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

SWEEP_LIMIT = 100  # sessions in one run; the next run goes on with those asked about longest ago
# A session is asked about when a webhook should long have told.
SWEEP_PATIENCE = timedelta(minutes=5)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    @api.model
    def _cron_stripe_checkout_sweep(self):
        """Ask Stripe what webhooks did not tell, and settle what it says.

        Payments arrive this way even if no webhook ever does. Each session is a transaction of its
        own, so that one that fails holds up no other; so is each connection.
        """
        self.env['stripe.checkout.connect']._forget_keys()
        providers = self.env['payment.provider'].search([('code', '=', PROVIDER_CODE)])
        is_done = True
        for provider in providers:
            if not provider._stripe_checkout_is_connected():
                continue
            try:
                is_done &= self._stripe_checkout_sweep_provider(provider)
            except (stripe.StripeError, UserError, psycopg2.OperationalError) as error:
                self.env.cr.rollback()
                _logger.warning(
                    "Provider %s could not be swept: %s", provider.id, utils.redact(str(error))
                )  # The regular check of the webhook tells staff.
                # Where another transaction was faster, all is done again, and now.
                is_done &= not isinstance(error, TransactionRollbackError)
        if not is_done:
            self._stripe_checkout_sweep_on()

    @api.model
    def _stripe_checkout_sweep_on(self):
        """Have the sweep go on at once: by itself Odoo would only when it polls, a minute later."""
        cron = self.env.ref('payment_stripe_checkout.ir_cron_sweep', raise_if_not_found=False)
        if cron:
            cron.sudo()._trigger(at=self.env['stripe.event']._get_now())
            self.env['ir.cron']._commit_progress()

    @api.model
    def _stripe_checkout_sweep_provider(self, provider):
        """Sweep one connection: undelivered events first, then sessions.

        :return: Whether all was looked at: in the time that Odoo gives, and within our limit.
        :rtype: bool
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        all_read = True
        try:
            all_read = provider._stripe_checkout_fetch_undelivered()
        except stripe.PermissionError as error:
            # The regular check tells staff; sessions can be read all the same.
            _logger.warning("Events cannot be read: %s", utils.redact(str(error)))
        transactions = self.search(
            self._stripe_checkout_get_sweep_domain(provider),
            limit=SWEEP_LIMIT,
            order='stripe_checkout_checked_at NULLS FIRST, id',
        )
        commit_progress = self.env['ir.cron']._commit_progress
        goes_on = commit_progress(1)
        for tx in transactions:
            if not goes_on:
                return False
            tx._stripe_checkout_sweep_safely()
            goes_on = commit_progress(1)
        provider._stripe_checkout_finish_disconnecting()
        commit_progress(1)
        return all_read and len(transactions) < SWEEP_LIMIT

    def _stripe_checkout_sweep_safely(self):
        """Sweep one transaction; one that fails comes last next time.

        :raise stripe.StripeError: If nothing can be asked of Stripe at all.
        """
        self.ensure_one()
        try:
            self._stripe_checkout_sweep_one()
        except TransactionRollbackError:
            self.env.cr.rollback()  # Somebody else settles it right now.
        except (stripe.APIConnectionError, stripe.AuthenticationError, stripe.RateLimitError):
            raise
        except Exception as error:
            self.env.cr.rollback()
            _logger.exception(
                "Could not sweep transaction %s: %s", self.id, utils.redact(str(error))
            )
            self.stripe_checkout_checked_at = fields.Datetime.now()

    @api.model
    def _stripe_checkout_get_sweep_domain(self, provider):
        """Return which transactions of a provider are worth asking about."""
        patience = fields.Datetime.now() - SWEEP_PATIENCE
        return (
            Domain('provider_id', '=', provider.id)
            & (
                Domain('state', 'in', ('draft', 'pending'))
                | Domain('stripe_checkout_freed', '=', True)
            )
            & Domain('operation', 'in', ('online_redirect', 'refund'))
            & Domain('create_date', '<', patience)
            & (
                Domain('stripe_checkout_checked_at', '=', False)
                | Domain('stripe_checkout_checked_at', '<', patience)
            )
        )

    def _stripe_checkout_sweep_one(self):
        """Settle the session of one transaction, or end it where the link or invoice has ended.

        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        self.ensure_one()
        if self.operation == 'refund':
            self._stripe_checkout_sweep_refund()
            return
        provider = self.provider_id
        if not self.stripe_checkout_session_id:
            # A worker died before it knew the session, and nobody came back for it.
            end = self.stripe_checkout_session_expires_at
            if not end or end < fields.Datetime.now():
                self._set_canceled()
            self.stripe_checkout_checked_at = fields.Datetime.now()
            return
        if self.state == 'draft' and not self._stripe_checkout_is_wanted():
            self._stripe_checkout_retire()
            return
        session = self._stripe_checkout_retrieve_or_give_up()
        if session:
            self._stripe_checkout_settle(provider, [session_facts.from_session(session)])

    def _stripe_checkout_is_wanted(self):
        """Tell whether the open session may still be paid: link, invoices and amount as asked.

        :rtype: bool
        """
        self.ensure_one()
        link, invoices = self.stripe_checkout_link_id, self.invoice_ids
        if link.revoked or (link and link._has_ended() and not link._get_successors()):
            return False
        if not invoices:
            # Of the shop; or its invoices are deleted.
            return not self.stripe_checkout_promise and (
                self.provider_id._stripe_checkout_takes_payments()
            )
        amount = link._get_amount() if link else self.amount
        return invoices._stripe_checkout_get_state() == 'payable' and self._stripe_checkout_fits(
            invoices, amount
        )
