from odoo import api, fields, models
from odoo.exceptions import UserError


class StripeCheckoutRemind(models.TransientModel):
    """Asks before clients are written to, and says whom nobody writes to and why."""

    _name = 'stripe.checkout.remind'
    _description = "Send Payment Reminders"

    move_ids = fields.Many2many('account.move', string="Invoices", readonly=True)
    sendable_count = fields.Integer(string="Reminders", compute='_compute_outcome')
    left_out = fields.Text(compute='_compute_outcome')
    credit_notice = fields.Text(string="Credit Not Applied", compute='_compute_outcome')

    @api.depends('move_ids')
    def _compute_outcome(self):
        for wizard in self:
            refusals = {
                move: move._stripe_checkout_get_reminder_refusal() for move in wizard.move_ids
            }
            wizard.sendable_count = sum(not refusal for refusal in refusals.values())
            wizard.left_out = '\n'.join(
                f'{move.display_name}: {refusal}' for move, refusal in refusals.items() if refusal
            )
            credits_ = {
                move: move._stripe_checkout_get_credit()
                for move, refusal in refusals.items()
                if not refusal
            }
            wizard.credit_notice = '\n'.join(
                f'{move.display_name}: {move.currency_id.format(credit)}'
                for move, credit in credits_.items()
                if not move.currency_id.is_zero(credit)
            )

    def action_send(self):
        """Send the reminders.

        :return: A notification.
        :rtype: dict
        :raise UserError: If there is nobody to remind.
        :raise AccessError: If the user does not bill.
        """
        self.ensure_one()
        self.move_ids._stripe_checkout_check_staff()
        moves = self.move_ids.filtered(
            lambda move: not move._stripe_checkout_get_reminder_refusal()
        )
        if not moves:
            raise UserError(self.env._("There is no client to remind."))
        for move in moves:
            move._stripe_checkout_remind()
        action = moves._stripe_checkout_notify(
            'success', self.env._("Reminders sent: %(count)s", count=len(moves))
        )
        action['params']['next'] = {'type': 'ir.actions.act_window_close'}
        return action
