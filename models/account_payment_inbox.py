"""Online payments without a home: captured money that no invoice took, and the ways out."""

from odoo import api, fields, models
from odoo.exceptions import UserError

ACTIVITY_TYPE = 'payment_stripe_checkout.mail_activity_type_credit'


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    stripe_checkout_credit_kept = fields.Boolean(
        string="Left as Credit",
        help="Staff decided that what is left of this online payment stays as the client's credit.",
        readonly=True,
        copy=False,
        tracking=True,
    )
    stripe_checkout_credit = fields.Monetary(
        string="Not Applied",
        help="What of the payment no invoice took.",
        compute='_compute_stripe_checkout_credit',
    )

    @api.depends('move_id.state', 'move_id.line_ids.amount_residual_currency')
    def _compute_stripe_checkout_credit(self):
        for payment in self:
            payment.stripe_checkout_credit = -sum(
                payment._stripe_checkout_get_credit_lines().mapped('amount_residual_currency')
            )

    def _stripe_checkout_get_open_items(self):
        """Return what of the payments' entries is open on receivable accounts.

        :rtype: account.move.line
        """
        return self.move_id.line_ids.filtered(
            lambda line: (
                line.account_id.account_type == 'asset_receivable'
                and line.parent_state == 'posted'
                and not line.reconciled
            )
        )

    def _stripe_checkout_get_credit_lines(self):
        """Return the open credit that payments are for the client.

        :rtype: account.move.line
        """
        items = self._stripe_checkout_get_open_items()
        return items.filtered(lambda item: item.amount_residual_currency < 0)

    def _stripe_checkout_get_open_invoices(self):
        """Return the invoices that the payment can be applied to, the oldest first.

        :rtype: account.move
        """
        self.ensure_one()
        invoices = self.env['account.move'].search(
            [
                ('move_type', '=', 'out_invoice'),
                ('state', '=', 'posted'),
                ('payment_state', 'in', ('not_paid', 'partial')),
                ('company_id', '=', self.company_id.id),
                ('currency_id', '=', self.currency_id.id),
                ('commercial_partner_id', '=', self.partner_id.commercial_partner_id.id),
            ],
            order='invoice_date_due, id',
        )
        # What is under way for an invoice would be without a home next.
        return invoices.filtered(lambda move: not move._stripe_checkout_get_pending_transactions())

    def _stripe_checkout_close_inbox(self):
        """Take the to-do off what is decided; that of the others says what is left."""
        for payment in self:
            decided = payment.stripe_checkout_credit_kept
            if decided or not payment._stripe_checkout_get_credit_lines():
                payment.activity_unlink([ACTIVITY_TYPE])
            elif payment.activity_search([ACTIVITY_TYPE]):
                # In sudo mode: whoever matches an entry need not see online payments.
                payment.sudo().payment_transaction_id._stripe_checkout_follow_up_credit()

    # === ACTIONS === #

    def action_stripe_checkout_apply_credit(self):
        """Apply the payments to open invoices of their clients, the oldest first.

        :return: A notification that names the invoices.
        :rtype: dict
        :raise UserError: If a client has no open invoice.
        """
        applied = self.env['account.move']
        for payment in self:
            for invoice in payment._stripe_checkout_get_open_invoices():
                lines = payment._stripe_checkout_get_credit_lines()
                if not lines:
                    break
                due = invoice.line_ids.filtered(
                    lambda line, lines=lines: (
                        line.account_id in lines.account_id and not line.reconciled
                    )
                )
                if due:
                    (lines + due).reconcile()
                    applied += invoice
        if not applied:
            raise UserError(
                self.env._(
                    "The client has no open invoice in the currency of the payment that it can be "
                    "applied to. Refund it, or leave it as credit."
                )
            )
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'success',
                'message': self.env._(
                    "Applied to %(invoices)s.", invoices=', '.join(applied.mapped('name'))
                ),
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }

    def action_stripe_checkout_keep_credit(self):
        """Leave what is left of the payments as the clients' credit."""
        self.stripe_checkout_credit_kept = True
        self._stripe_checkout_close_inbox()
