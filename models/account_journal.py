from odoo import fields, models


class AccountJournal(models.Model):
    _inherit = 'account.journal'

    stripe_checkout_provider_id = fields.Many2one(
        'payment.provider',
        string="Stripe Connection",
        help="The connection whose Stripe balance this journal mirrors.",
        readonly=True,
        copy=False,
        index='btree_not_null',
        groups='account.group_account_manager',
    )
    stripe_checkout_mode = fields.Selection(
        string="Stripe Mode",
        selection=[('test', "Test"), ('live', "Live")],
        readonly=True,
        copy=False,
    )
