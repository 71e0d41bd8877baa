"""What the feed adds to payments: charge, fee, and a word when Stripe's movement is missing."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

ACTIVITY_TYPE = 'mail.mail_activity_data_warning'
LIMIT = 100

# How long after a payment its movement and fee may come: fees can be booked once a day.
MOVEMENT_PATIENCE = timedelta(hours=26)


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    stripe_checkout_charge_id = fields.Char(string="Stripe Charge", readonly=True, copy=False)
    stripe_checkout_balance_ids = fields.One2many(
        'stripe.balance.transaction',
        'payment_id',
        string="Movements of the Stripe Balance",
        groups='account.group_account_invoice,account.group_account_readonly',
    )
    stripe_checkout_is_missing = fields.Boolean(
        string="Not on the Stripe Balance",
        help="Staff were told that Stripe shows no movement for this payment.",
        readonly=True,
        copy=False,
    )

    @api.model
    def _stripe_checkout_await_movements(self, provider):
        """Tell whether Stripe's balance has yet to tell fee, charge and method of a late payment.

        :param payment.provider provider: The provider, without whose key nobody can read them.
        :rtype: bool
        """
        since = fields.Datetime.now() - MOVEMENT_PATIENCE
        is_unknown = Domain('stripe_checkout_balance_ids', '=', False) | Domain(
            'stripe_checkout_balance_ids', 'any', [('fee', '!=', 0), ('fee_line_id', '=', False)]
        )
        is_late = Domain(
            'stripe_checkout_paid_at', '>=', max(since, provider.stripe_checkout_connected_at)
        )
        is_booked = Domain('journal_id', '=', provider.journal_id.id) & Domain(
            'state', 'in', ('in_process', 'paid')
        )
        return bool(self.search_count(is_booked & is_late & is_unknown, limit=1))

    @api.model
    def _stripe_checkout_report_missing(self, provider, end):
        """Tell staff of booked payments that Stripe shows no movement for.

        :param payment.provider provider: The provider.
        :param datetime end: Payments captured before are looked at, UTC.
        """
        state = (provider.stripe_checkout_feed or {}).get(
            provider._stripe_checkout_get_account_ref()
        )
        if not state or state.get('cursor'):
            return  # Not all is read yet.
        missing = self.search(
            [
                ('journal_id', '=', provider.journal_id.id),
                ('stripe_checkout_is_missing', '=', False),
                ('stripe_checkout_paid_at', '<', end),
                ('stripe_checkout_paid_at', '>=', provider.stripe_checkout_connected_at),
                ('state', 'in', ('in_process', 'paid')),
                ('stripe_checkout_balance_ids', '=', False),
            ],
            limit=LIMIT,
        )
        for payment in missing:
            payment.activity_schedule(
                ACTIVITY_TYPE,
                summary=self.env._("Payment not on the Stripe balance"),
                note=self.env._(
                    "%(amount)s (%(memo)s) is booked, and after a day Stripe shows no movement of "
                    "its balance for %(id)s. Look it up in the Stripe Dashboard; if the money "
                    "never came, reverse the entry of the payment.",
                    amount=payment.currency_id.format(payment.amount),
                    memo=payment.memo or payment.name,
                    id=payment.stripe_checkout_payment_intent or payment.stripe_checkout_refund_id,
                ),
                user_id=provider._stripe_checkout_get_follow_up_user(payment.company_id).id,
            )
        missing.stripe_checkout_is_missing = True
        found = self.search([
            ('journal_id', '=', provider.journal_id.id),
            ('stripe_checkout_is_missing', '=', True),
            ('stripe_checkout_balance_ids', '!=', False),
        ])
        found.activity_unlink([ACTIVITY_TYPE])
        found.stripe_checkout_is_missing = False
