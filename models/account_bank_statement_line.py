from odoo import api, fields, models
from odoo.exceptions import UserError


class AccountBankStatementLine(models.Model):
    _inherit = 'account.bank.statement.line'

    stripe_checkout_balance_id = fields.Many2one(
        'stripe.balance.transaction',
        string="Stripe Balance Transaction",
        readonly=True,
        copy=False,
        ondelete='restrict',
        index='btree_not_null',
    )
    stripe_checkout_part = fields.Char(
        string="Part", help="Which part of the balance transaction is booked.", copy=False
    )

    # What makes each movement of Stripe's balance booked once, on however many hosts.
    _stripe_checkout_part_unique = models.UniqueIndex(
        '(stripe_checkout_balance_id, stripe_checkout_part)'
        ' WHERE stripe_checkout_balance_id IS NOT NULL',
        "This movement of the Stripe balance is booked already.",
    )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_stripe_balance(self):
        if self.stripe_checkout_balance_id:
            raise UserError(
                self.env._(
                    "This line mirrors a movement of Stripe's balance and cannot be deleted. Book "
                    "what should be different in an entry of its own."
                )
            )
