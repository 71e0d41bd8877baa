"""Events that speak of an account or a mode that was left: nothing can be asked about them."""

import stripe

from odoo import models

from .stripe_event_follow_up import ACTIVITY_TYPE

NOT_FOUND = 404


class StripeEvent(models.Model):
    _inherit = 'stripe.event'

    def _leave_behind(self, error):
        """Close an event whose object Stripe does not know, where that is no wonder.

        The queue may hold events of the former mode when the keys are changed. What they tell was
        settled before that mode was left, or is a to-do since then.

        :param Exception error: Why the event could not be processed.
        :return: Whether it is closed; everything else is tried again, and staff may ignore it.
        :rtype: bool
        """
        self.ensure_one()
        if not isinstance(error, stripe.StripeError) or error.http_status != NOT_FOUND:
            return False
        event = self._lock_batch()
        if not event:
            return True  # Somebody else has it.
        tx = event._find_transaction()
        if tx.state == 'done':
            event.transaction_id = tx
        elif not event._is_of_other_mode():
            return False
        else:
            event.state = 'ignored'
        event._set_done()
        if event.state == 'ignored':
            event.error = self.env._(
                "Of the other mode than the keys: Stripe can no longer be asked about it."
            )
        self._commit()
        return True

    def _find_transaction(self):
        """Return the transaction of the session that the event speaks of.

        :rtype: payment.transaction
        """
        transactions_sudo = self.env['payment.transaction'].sudo()
        facts = self._read_session_facts()
        if not facts:
            return transactions_sudo
        return transactions_sudo.search([('stripe_checkout_session_id', '=', facts.session_id)])

    def _is_of_other_mode(self):
        livemode = (self.payload or {}).get('livemode')
        return livemode is not None and not self.provider_id._stripe_checkout_is_of_mode(livemode)

    def _give_up(self):
        """Try the events no more, and take their to-dos off; the error stays for the record."""
        self.write({'state': 'ignored'})
        self.activity_unlink([ACTIVITY_TYPE])
        for provider, events in self.grouped('provider_id').items():
            provider._stripe_checkout_log(
                self.env._(
                    "Events given up: %(events)s", events=', '.join(events.mapped('event_id'))
                )
            )
