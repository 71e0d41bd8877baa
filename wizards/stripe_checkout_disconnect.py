from odoo import api, fields, models


class StripeCheckoutDisconnect(models.TransientModel):
    """Says what disconnecting ends, before it does."""

    _name = 'stripe.checkout.disconnect'
    _description = "Disconnect Stripe"

    provider_id = fields.Many2one('payment.provider', required=True, readonly=True)
    open_session_count = fields.Integer(string="Open Payment Pages", compute='_compute_running')
    debit_count = fields.Integer(string="Bank Debits Under Way", compute='_compute_running')
    key_refused = fields.Boolean(compute='_compute_running')
    debit_total = fields.Char(string="Amount Under Way", compute='_compute_running')
    moment = fields.Selection(
        [
            ('settled', "When the last bank debit has come to an end"),
            ('now', "Now; each bank debit becomes a to-do"),
        ],
        string="Disconnect",
        required=True,
        default='settled',
    )

    @api.depends('provider_id')
    def _compute_running(self):
        for wizard in self:
            wizard.provider_id._stripe_checkout_check_access()
            # In sudo mode: billing admins do not read transactions of all kinds.
            opened, debits = wizard.provider_id.sudo()._stripe_checkout_count_running()
            wizard.open_session_count = opened
            wizard.debit_count = len(debits)
            wizard.key_refused = wizard.provider_id.stripe_checkout_problem == 'key'
            wizard.debit_total = debits._stripe_checkout_format_total()

    def action_disconnect(self):
        """Disconnect as was chosen.

        :return: A notification.
        :rtype: dict
        """
        self.ensure_one()
        notification = self.provider_id.action_stripe_checkout_disconnect(now=self.moment == 'now')
        notification['params']['next'] = {
            'type': 'ir.actions.act_window_close',
            'infos': {'done': True},
        }
        return notification
