"""The company of a transaction: that of what it pays, which may be a branch."""

from odoo import api, fields, models

from ..const import PROVIDER_CODE


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # Of `payment` it is the company of the provider; a branch uses the connection of its parent.
    company_id = fields.Many2one(
        'res.company',
        related=False,
        compute='_compute_company_id',
        store=True,
        index=True,
    )

    @api.depends('provider_id.company_id')
    def _compute_company_id(self):
        """Place a transaction in the branch whose invoices it pays, or whose contact pays.

        Decided when the transaction is made: its invoices may be taken off it later. Payment,
        refunds, dispute, access and lock dates follow.
        """
        for tx in self:
            company = tx.provider_id.company_id
            branch = (
                tx.source_transaction_id.company_id
                or tx.invoice_ids.company_id[:1]
                or tx.partner_id.company_id
            )
            is_ours = tx.provider_id.code == PROVIDER_CODE
            tx.company_id = branch if is_ours and company in branch.parent_ids else company
