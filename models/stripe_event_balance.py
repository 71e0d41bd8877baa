"""Events of Stripe's balance: they wake the feed, which alone reads and books its movements."""

from odoo import models

from .. import balance_facts


class StripeEvent(models.Model):
    _inherit = 'stripe.event'

    def _handle_balance_moved(self):
        """Have the feed fetch the movements, all in one page."""
        self.env['payment.provider']._stripe_checkout_wake_feed()

    def _handle_charge(self):
        """Note which payment's charge has reached the balance, for the log, and fetch it."""
        for event, tx in self._find_named_transactions().items():
            event.transaction_id = tx
        self._handle_balance_moved()

    def _handle_payout(self):
        """Note how the payouts stand, as Stripe knows them now: events come in any order."""
        provider = self.provider_id
        payouts = provider._stripe_checkout_get_client().v1.payouts
        rows_sudo = self.env['stripe.balance.transaction'].sudo()
        for payout_id in {event.payload['id'] for event in self}:
            payout = payouts.retrieve(payout_id).to_dict()
            rows_sudo._update_payout(provider, payout_id, balance_facts.read_payout(payout))
        self._handle_balance_moved()
