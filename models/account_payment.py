from odoo import api, fields, models
from odoo.tools import format_date


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    stripe_checkout_payment_intent = fields.Char(string="PaymentIntent", readonly=True, copy=False)
    stripe_checkout_session_id = fields.Char(string="Checkout Session", readonly=True, copy=False)
    stripe_checkout_paid_at = fields.Datetime(
        string="Captured On",
        help="The exact time at which Stripe captured the payment.",
        readonly=True,
        copy=False,
    )

    stripe_checkout_mode = fields.Selection(related='journal_id.stripe_checkout_mode')

    # What makes a payment exactly one, whoever books it, on however many hosts.
    _stripe_checkout_payment_intent_unique = models.UniqueIndex(
        '(stripe_checkout_payment_intent) WHERE stripe_checkout_payment_intent IS NOT NULL',
        "This Stripe payment is booked already.",
    )

    def _stripe_checkout_is_test_mode(self):
        """Tell whether no money moved.

        :rtype: bool
        """
        self.ensure_one()
        return self.stripe_checkout_mode == 'test'

    @api.model
    def _stripe_checkout_find_booked(self, payment_intents):
        """Return which PaymentIntents are booked.

        :param list[str] payment_intents: The ids of the PaymentIntents.
        :rtype: set[str]
        """
        payments = self.search([('stripe_checkout_payment_intent', 'in', payment_intents)])
        return set(payments.mapped('stripe_checkout_payment_intent'))

    def _stripe_checkout_note_lock(self):
        """Say on payments of a locked day why they are booked on another one."""
        for payment in self.filtered('stripe_checkout_paid_at'):
            provider_sudo = payment.payment_transaction_id.provider_id.sudo()
            day = provider_sudo._stripe_checkout_get_day(payment.stripe_checkout_paid_at)
            if payment.date != day:
                payment.message_post(
                    body=self.env._(
                        "The money moved on %(day)s, which is locked: booked on the first open "
                        "day.",
                        day=format_date(self.env, day),
                    )
                )

    def _stripe_checkout_reverse(self, day):
        """Reverse the entries of payments; their invoices are open again.

        :param date day: The day of the reversals.
        :return: The reversal entries.
        :rtype: account.move
        """
        return self.move_id._stripe_checkout_reverse(day)
