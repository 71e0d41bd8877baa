"""Invoices that change while a client may be paying them."""

from odoo import models

from ..const import PROVIDER_CODE


class AccountMove(models.Model):
    _inherit = 'account.move'

    def write(self, vals):
        """Override of `account` to retire the open session of an invoice that is taken back, or
        that is paid otherwise.
        """
        res = super().write(vals)
        if vals.get('state') in ('draft', 'cancel'):
            self._stripe_checkout_note_change()
        if vals.get('state') == 'cancel':
            self._stripe_checkout_get_paid_transactions()._stripe_checkout_follow_up_credit()
        if 'matched_payment_ids' in vals:
            # A payment without an entry, which nothing is matched with.
            registered = self.filtered(lambda move: move.payment_state == 'in_payment')
            registered._stripe_checkout_note_change()
        return res

    def _post(self, soft=True):
        """Override of `account` to match what was paid before its invoice was posted.

        What a sale order or a shop asked for is paid first and invoiced later. Odoo matches the two
        where the payment waits for the bank's statement; ours is on Stripe's balance at once. What
        was paid of an invoice that was taken back to draft is a to-do instead: its amount may have
        changed.
        """
        posted = super()._post(soft=soft)
        paid = posted._stripe_checkout_get_paid_transactions()
        sold = paid.filtered(lambda tx: tx._stripe_checkout_is_paid_in_advance())
        for company, transactions in sold.grouped('company_id').items():
            transactions.with_company(company)._stripe_checkout_reconcile()
        (paid - sold)._stripe_checkout_follow_up_credit()
        return posted

    def unlink(self):
        """Override of `account` to leave a to-do for what was paid of a deleted invoice."""
        transactions = self._stripe_checkout_get_paid_transactions()
        res = super().unlink()
        transactions.exists()._stripe_checkout_follow_up_credit()
        return res

    def _stripe_checkout_get_paid_transactions(self):
        """Return the booked online payments of the invoices.

        :rtype: payment.transaction
        """
        # In sudo mode: whoever changes an invoice need not see online payments.
        return self.sudo().transaction_ids.filtered(
            lambda tx: tx.provider_code == PROVIDER_CODE and tx.payment_id
        )

    def _stripe_checkout_note_change(self):
        """Have the queue look at the open sessions of the invoices, after this transaction.

        No call to Stripe here: whoever registers a payment does not wait for it. A session that
        Stripe is just making counts too: the queue waits until its visitor has stored it.
        """
        # In sudo mode: whoever changes an invoice need not know who is paying it.
        claims_sudo = self.env['stripe.checkout.claim'].sudo()
        claims = claims_sudo.search([
            ('move_id', 'in', self.ids),
            ('transaction_id.state', '=', 'draft'),
        ])
        for provider, of_provider in claims.grouped(lambda c: c.transaction_id.provider_id).items():
            payload = {
                'invoices': of_provider.move_id.ids,
                # An invoice may be deleted by then.
                'transactions': of_provider.transaction_id.ids,
            }
            self.env['stripe.event'].sudo()._raise_internal(
                provider, 'odoo.invoice.changed', payload
            )
