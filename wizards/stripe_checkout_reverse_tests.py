from odoo import api, fields, models
from odoo.exceptions import UserError


class StripeCheckoutReverseTests(models.TransientModel):
    """Takes the entries of test mode out of the books, once real payments are taken."""

    _name = 'stripe.checkout.reverse.tests'
    _description = "Reverse Test Payments"

    provider_id = fields.Many2one('payment.provider', required=True, readonly=True)
    payment_ids = fields.Many2many(
        'account.payment', string="Test Payments", compute='_compute_move_ids'
    )
    move_ids = fields.Many2many(
        'account.move',
        string="Other Test Entries",
        help="Refunds, fees, disputes, payouts and whatever else moved in test mode.",
        compute='_compute_move_ids',
    )
    invoice_ids = fields.Many2many(
        'account.move', string="Invoices That Open Again", compute='_compute_move_ids'
    )

    @api.depends('provider_id')
    def _compute_move_ids(self):
        for wizard in self:
            moves = wizard.provider_id._stripe_checkout_get_test_entries()
            payments = moves.origin_payment_id.filtered('stripe_checkout_payment_intent')
            wizard.payment_ids = payments
            wizard.move_ids = moves - payments.move_id
            # Not what a payment was for: that may be paid otherwise, or open already.
            matched = moves.line_ids.matched_debit_ids.debit_move_id.move_id
            wizard.invoice_ids = matched.filtered(lambda move: move.move_type == 'out_invoice')

    def action_reverse(self):
        """Reverse all entries of test mode, dated today.

        By reversal and not by deletion, so that it works in locked periods, too.

        :return: The list of the invoices that are open again.
        :rtype: dict
        :raise UserError: If there is nothing to reverse.
        """
        self.ensure_one()
        self.provider_id._stripe_checkout_check_access()
        payments, invoices = self.payment_ids, self.invoice_ids
        moves = payments.move_id + self.move_ids
        if not moves:
            raise UserError(self.env._("There is no entry of test mode in the books."))
        moves._stripe_checkout_reverse()
        # In sudo mode: the connection writes its disputes, nobody else may.
        self.env['stripe.dispute'].sudo()._note_reversed(payments)
        action = self.env['ir.actions.act_window']._for_xml_id(
            'account.action_move_out_invoice_type'
        )
        title = self.env._("Open Again")
        return {
            **action,
            'name': title,
            'display_name': title,
            'domain': [('id', 'in', invoices.ids)],
            'context': {'create': False, 'default_move_type': 'out_invoice'},
        }
