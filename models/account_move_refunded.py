"""Whether the client has back what was paid for an invoice."""

from odoo import models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _stripe_checkout_is_refunded(self):
        """Tell whether all that was paid for the invoice went back to the client through Stripe.

        What credit notes cover was never paid; what came another way stays paid.

        :rtype: bool
        """
        self.ensure_one()
        partials_sudo = self.sudo().line_ids.matched_credit_ids  # Clients cannot read them.
        # What came after the invoice was paid otherwise never was its money; what was for another
        # one may have been applied to it.
        payments_sudo = partials_sudo.credit_move_id.move_id.origin_payment_id
        paid = [tx for tx in payments_sudo.payment_transaction_id if tx.state == 'done']
        back = [
            refund
            for tx in paid
            for refund in tx.child_transaction_ids
            if refund.state == 'done' and refund.operation == 'refund'
        ]
        left = sum(tx.amount for tx in (*paid, *back))  # The amounts of refunds are negative.
        if not back or self.currency_id.compare_amounts(left, 0) > 0:
            return False
        online = {tx.payment_id.move_id for tx in paid}
        covered = sum(
            partial.debit_amount_currency
            for partial in partials_sudo
            if partial.credit_move_id.move_id in online
            or partial.credit_move_id.move_id.move_type == 'out_refund'
        )
        return self.currency_id.compare_amounts(covered, self.amount_total) >= 0
