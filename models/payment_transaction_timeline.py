from odoo import fields, models


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _stripe_checkout_get_timeline(self):
        """Tell what became of the session.

        :return: When (UTC) and what, in any order; without a time where it did not happen.
        :rtype: list[tuple[datetime|None, str]]
        """
        self.ensure_one()
        if not self.stripe_checkout_session_id:
            return []
        amount = self.currency_id.format(self.amount)
        told = [(self.create_date, self.env._("Checkout started: %(amount)s", amount=amount))]
        for moment, code in self.stripe_checkout_decline_log or []:
            reason = self._stripe_checkout_describe_decline(code)
            text = self.env._("Attempt declined: %(reason)s", reason=reason)
            told.append((fields.Datetime.to_datetime(moment), text))
        return [*told, self._stripe_checkout_tell_end(), self._stripe_checkout_tell_mail()]

    def _stripe_checkout_tell_end(self):
        """Tell how the session ended so far."""
        moment = self.last_state_change
        if self.state == 'pending':
            return moment, self.env._("Payment on its way to the bank")
        if self.state == 'error':
            return moment, self.env._("Failed: %(message)s", message=self.state_message or '')
        if self.state == 'cancel':
            return moment, self.env._("Checkout ended without a payment")
        payment = self.payment_id
        if self.state != 'done' or not payment:
            return None, ''
        values = {
            'amount': payment.currency_id.format(payment.amount),
            'method': self._stripe_checkout_get_method_name(),
        }
        return (
            payment.stripe_checkout_paid_at or payment.create_date,
            self.env._("Paid: %(amount)s, %(method)s", **values)
            if values['method']
            else self.env._("Paid: %(amount)s", amount=values['amount']),
        )

    def _stripe_checkout_tell_mail(self):
        """Tell what the client was mailed about it."""
        if self.stripe_checkout_mail_state != 'sent':
            return None, ''
        return self.stripe_checkout_mail_at, {
            'confirmation': self.env._("Payment confirmation sent"),
            'debit_failed': self.env._("Client told that the debit failed"),
            'unpaid': self.env._("Client told that the payment was not completed"),
        }.get(self.stripe_checkout_mail, '')
