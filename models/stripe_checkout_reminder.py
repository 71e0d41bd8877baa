from odoo import fields, models


class StripeCheckoutReminder(models.Model):
    """A reminder that was sent, so that the schedule sends each of its stages once."""

    _name = 'stripe.checkout.reminder'
    _description = "Payment Reminder"
    _order = 'id desc'
    _rec_name = 'move_id'

    move_id = fields.Many2one(
        'account.move',
        string="Invoice",
        required=True,
        readonly=True,
        ondelete='cascade',
        index=True,
    )
    company_id = fields.Many2one(related='move_id.company_id', store=True)
    link_id = fields.Many2one('stripe.payment.link', string="Payment Link", readonly=True)
    stage = fields.Char(
        help="Days after the due date, negative for days before it; empty if sent by hand.",
        readonly=True,
    )

    due_date = fields.Date(
        help="The day from which the stage counts; empty if sent by hand.", readonly=True
    )

    _stage_unique = models.UniqueIndex(
        '(move_id, due_date, stage) WHERE stage IS NOT NULL', "This reminder was sent already."
    )
