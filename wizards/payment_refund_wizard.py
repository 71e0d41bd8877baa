from odoo import models


class PaymentRefundWizard(models.TransientModel):
    _inherit = 'payment.refund.wizard'

    def _compute_amount_to_refund(self):
        """Override of `account_payment`, which proposes the whole payment.

        Where a part of an online payment has no invoice, it is that which is to be refunded: the
        rest has paid something.
        """
        res = super()._compute_amount_to_refund()
        for wizard in self.filtered('payment_id.stripe_checkout_payment_intent'):
            credit = wizard.payment_id.stripe_checkout_credit
            if credit:
                wizard.amount_to_refund = min(credit, wizard.amount_available_for_refund)
        return res
