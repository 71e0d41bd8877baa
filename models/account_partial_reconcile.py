from odoo import api, models


class AccountPartialReconcile(models.Model):
    """What changes the balance of an invoice: payments, credit notes, and taking them off again."""

    _inherit = 'account.partial.reconcile'

    @api.model_create_multi
    def create(self, vals_list):
        """Override of `account` to retire open sessions that ask for another amount now."""
        partials = super().create(vals_list)
        partials._stripe_checkout_note_change()
        payments = partials.credit_move_id.move_id.origin_payment_id
        online = payments.filtered('stripe_checkout_payment_intent')
        online._stripe_checkout_close_inbox()
        # In sudo mode: whoever matches an entry need not see disputes.
        self.env['stripe.dispute'].sudo()._note_applied(online)
        refunds = partials.debit_move_id.move_id.origin_payment_id
        # In sudo mode: whoever matches an entry need not see online payments.
        refunds_sudo = refunds.filtered('stripe_checkout_refund_id').sudo()
        for source_sudo in refunds_sudo.payment_transaction_id.source_transaction_id:
            source_sudo._stripe_checkout_follow_up_refunds()
        return partials

    def unlink(self):
        """Override of `account` to retire open sessions that ask for another amount now.

        An online payment that is taken off its invoice has no home any more. Where we take it off
        ourselves, it is matched anew at once, and whoever does that follows it up.
        """
        moves = self._stripe_checkout_get_moves()
        payments = self.credit_move_id.move_id.origin_payment_id
        res = super().unlink()
        moves.exists()._stripe_checkout_note_change()
        if not self.env.context.get('stripe_checkout_rematch'):
            # In sudo mode: whoever unmatches an entry need not see online payments.
            online_sudo = payments.exists().sudo().filtered('stripe_checkout_payment_intent')
            # What staff have left as credit was what no invoice had taken then.
            online_sudo.filtered('stripe_checkout_credit_kept').stripe_checkout_credit_kept = False
            online_sudo.payment_transaction_id._stripe_checkout_follow_up_credit()
        return res

    def _stripe_checkout_note_change(self):
        self._stripe_checkout_get_moves()._stripe_checkout_note_change()

    def _stripe_checkout_get_moves(self):
        return (self.debit_move_id + self.credit_move_id).move_id
