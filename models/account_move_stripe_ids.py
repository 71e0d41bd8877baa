"""Stripe's ids on the journal entry of an online payment: it is found from either side."""

from odoo import fields, models

from .account_move import STAFF_GROUPS


class AccountMove(models.Model):
    _inherit = 'account.move'

    stripe_checkout_payment_intent = fields.Char(
        related='origin_payment_id.stripe_checkout_payment_intent', groups=STAFF_GROUPS
    )
    stripe_checkout_charge_id = fields.Char(
        related='origin_payment_id.stripe_checkout_charge_id', groups=STAFF_GROUPS
    )
    stripe_checkout_session_id = fields.Char(
        related='origin_payment_id.stripe_checkout_session_id', groups=STAFF_GROUPS
    )
    stripe_checkout_refund_id = fields.Char(
        related='origin_payment_id.stripe_checkout_refund_id', groups=STAFF_GROUPS
    )
