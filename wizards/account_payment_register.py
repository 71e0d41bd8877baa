from odoo import fields, models

from ..models.account_payment_received import RECEIVED_BY


class AccountPaymentRegister(models.TransientModel):
    """Register Payment also says how the client has paid outside of Stripe."""

    _inherit = 'account.payment.register'

    received_by = fields.Selection(
        RECEIVED_BY, help="How the client has paid outside of Stripe. Shown on the invoice."
    )

    def _create_payment_vals_from_wizard(self, batch_result):
        """Override of `account` to hand on how the payment came in."""
        values = super()._create_payment_vals_from_wizard(batch_result)
        return {**values, 'received_by': self.received_by}

    def _create_payment_vals_from_batch(self, batch_result):
        """Override of `account` to hand on how the payments came in."""
        values = super()._create_payment_vals_from_batch(batch_result)
        return {**values, 'received_by': self.received_by}
