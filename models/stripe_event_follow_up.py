"""What staff hear of an event that fails again and again: it cannot be lost, nor overlooked."""

import logging

import stripe

from odoo import models
from odoo.exceptions import UserError

from .. import utils

_logger = logging.getLogger(__name__)

ACTIVITY_TYPE = 'payment_stripe_checkout.mail_activity_type_event'

# Some minutes after it came: what mends itself has done so by then.
FOLLOW_UP_ATTEMPTS = 3


class StripeEvent(models.Model):
    _name = 'stripe.event'
    _inherit = ['stripe.event', 'mail.thread', 'mail.activity.mixin']

    def _describe_error(self, error):
        """Say in plain words why an event could not be processed; the log has the rest.

        :param Exception error: What went wrong.
        :return: The message, without any secret.
        :rtype: str
        """
        if isinstance(error, stripe.StripeError):
            return self.provider_id._stripe_checkout_describe_error(error)
        if isinstance(error, UserError):
            return utils.redact(str(error))
        return self.env._(
            "Odoo met an error that it did not expect (%(name)s). The server's log has the details "
            "for whoever maintains it.",
            name=type(error).__name__,
        )

    def _follow_up_safely(self):
        """Give billing admins a to-do; whatever hinders that hinders the queue no further."""
        try:
            with self.env.cr.savepoint():
                self._follow_up_failure()
        except Exception:
            _logger.exception("No to-do could be made for events %s", self.mapped('event_id'))

    def _follow_up_failure(self):
        """Give billing admins one to-do for an event that failed several times."""
        for event in self:
            if event.attempts < FOLLOW_UP_ATTEMPTS or event.activity_search([ACTIVITY_TYPE]):
                continue
            provider = event.provider_id
            event.activity_schedule(
                ACTIVITY_TYPE,
                summary=self.env._("Stripe event cannot be processed"),
                note=self.env._(
                    "%(type)s%(amount)s: %(error)s It is tried again by itself, less and less "
                    "often. Mend the cause, then press Retry on the event.",
                    type=event.type,
                    amount=event._describe_amount(),
                    error=event.error,
                ),
                user_id=provider._stripe_checkout_get_admin_user().id,
            )

    def _describe_amount(self):
        """Return the amount and the invoices of a session's event, in words.

        :rtype: str
        """
        self.ensure_one()
        facts = self._read_session_facts()
        if not facts:
            return ''
        invoices = self.env['account.move'].browse(facts.invoice_ids).exists()
        return self.env._(
            " of %(amount)s %(currency)s for %(invoices)s",
            amount=facts.amount,
            currency=facts.currency_name,
            invoices=', '.join(invoices.mapped('display_name')) or self.env._("no known invoice"),
        )

    def _close_follow_up(self):
        """Take the to-do off events that were processed after all."""
        failed = self.filtered(lambda event: event.attempts > FOLLOW_UP_ATTEMPTS)
        if failed:
            failed.activity_unlink([ACTIVITY_TYPE])
