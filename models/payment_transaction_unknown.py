"""Sessions and refunds that Stripe does not know, and what becomes of their invoices."""

import stripe

from odoo import fields, models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _stripe_checkout_retrieve_or_give_up(self):
        """Read the session from Stripe; where it is gone for good, free its invoices.

        A backup restored over another account, or test data that Stripe deleted, leaves sessions
        that no key can read: their invoices could never be paid otherwise.

        :return: Stripe's Checkout Session; None if Stripe does not know it.
        :rtype: dict|None
        :raise stripe.StripeError: If Stripe cannot be asked, or its answer proves nothing.
        """
        self.ensure_one()
        try:
            return self.provider_id._stripe_checkout_retrieve_session(
                self.stripe_checkout_session_id
            )
        except stripe.InvalidRequestError as error:
            # https://docs.stripe.com/error-codes#resource-missing
            if error.code != 'resource_missing' or self._stripe_checkout_is_payable_unseen():
                raise
        self._stripe_checkout_follow_up_unknown()
        self._set_canceled(self.env._("Stripe does not know this payment page."))
        self.stripe_checkout_freed = False
        return None

    def _stripe_checkout_find_refunds_or_give_up(self):
        """Read the refund from Stripe; where it is gone for good, let it be made again.

        No key can tell what became of it, and its amount would count as refunded for ever. Where
        it belongs to another account, Stripe refuses to refund the payment once more.

        :return: Stripe's Refund in a list, which is empty if it was never made; None if Stripe
                 knows neither the refund nor its payment.
        :rtype: list[dict]|None
        :raise stripe.StripeError: If Stripe cannot be asked, or its answer proves nothing.
        """
        self.ensure_one()
        try:
            return self._stripe_checkout_find_refunds()
        except stripe.InvalidRequestError as error:
            if error.code != 'resource_missing':
                raise
        self.source_transaction_id._stripe_checkout_schedule_follow_up(
            self.env._("Refund unknown to Stripe"),
            self.env._(
                "Stripe does not know the refund %(refund)s of %(amount)s of %(invoices)s: it was "
                "deleted, or belongs to another Stripe account. Look there whether it was made, "
                "and register it by hand if it was. If it was not, refund the amount again.",
                refund=self.stripe_checkout_refund_id or self.reference,
                amount=self.currency_id.format(-self.amount),
                invoices=', '.join(self.source_transaction_id.invoice_ids.mapped('name'))
                or self.source_transaction_id.reference,
            ),
        )
        self._set_canceled(self.env._("Stripe does not know this refund."))
        return None

    def _stripe_checkout_is_payable_unseen(self):
        """Tell whether the client may still pay although the key does not know the session.

        A key of test mode knows no live session; a session of test mode takes no money.

        :rtype: bool
        """
        end = self.stripe_checkout_session_expires_at
        return bool(
            self.is_live
            and self.provider_id._stripe_checkout_get_mode() == 'test'
            and end
            and end > fields.Datetime.now()
        )

    def _stripe_checkout_follow_up_unknown(self):
        """Tell staff which payment can no longer be followed, and what to do if it arrives."""
        self._stripe_checkout_schedule_follow_up(
            self.env._("Payment page unknown to Stripe"),
            self.env._(
                "Stripe does not know the payment page %(session)s of %(amount)s: it was deleted, "
                "or belongs to another Stripe account. The client can pay again. If this payment "
                "arrives there after all, register it by hand.",
                session=self.stripe_checkout_payment_intent or self.stripe_checkout_session_id,
                amount=self.currency_id.format(self.amount),
            ),
        )
