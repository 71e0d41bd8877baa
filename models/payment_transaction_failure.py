"""What did not go through: declined attempts, failed debits, sessions that end unpaid."""

from odoo import fields, models

from ..decline_codes import MEANINGS


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    stripe_checkout_decline_log = fields.Json(
        string="Declined Attempts in Detail",
        help="When each attempt was declined (UTC), and Stripe's reason.",
        readonly=True,
        copy=False,
    )

    def _stripe_checkout_note_declined(self, reason, declined_at):
        """Keep that an attempt was declined, and tell staff on the invoice; the session stays open.

        The first time whoever receives the to-dos is notified: there may be a client to call. What
        follows, mostly within minutes, is only noted.

        Stripe may tell of an attempt twice, and of one that was declined after the next one has
        succeeded: it counts once, and staff hear nothing of it any more.

        :param str reason: Stripe's code of the reason, may be empty.
        :param datetime declined_at: When, in UTC.
        """
        self.ensure_one()
        attempt = [fields.Datetime.to_string(declined_at), reason]
        attempts = self.stripe_checkout_decline_log or []
        if attempt in attempts:
            return
        self.write({
            'stripe_checkout_declines': self.stripe_checkout_declines + 1,
            'stripe_checkout_decline_log': [*attempts, attempt],
        })
        if self.state == 'done':
            return
        message = self.env._(
            "An attempt to pay online was declined: %(reason)s. The client can try again.",
            reason=self._stripe_checkout_describe_decline(reason),
        )
        if self.stripe_checkout_declines > 1 or not self.invoice_ids:
            self._log_message_on_linked_documents(message)
            return
        user = self.provider_id._stripe_checkout_get_follow_up_user(self.company_id)
        for invoice in self.invoice_ids:
            invoice.message_post(body=message, partner_ids=user.partner_id.ids)

    def _stripe_checkout_describe_decline(self, code):
        """Say to staff in words why an attempt was declined.

        :param str code: Stripe's code of the reason, may be empty.
        :return: The words, with the code in parentheses.
        :rtype: str
        """
        if not code:
            return self.env._("no reason given")
        meaning = MEANINGS.get(code)
        words = self.env._(meaning) if meaning else code.replace('_', ' ')
        return f'{words} ({code})'

    def _stripe_checkout_follow_up_failure(self):
        """Tell client and staff that a payment which was under way, mostly a debit, has failed."""
        self.ensure_one()
        values = {
            'amount': self.currency_id.format(self.amount),
            'reason': self.state_message or '',
            'told': self.env._("The client is told by e-mail.")
            if self._stripe_checkout_get_contact().email
            else self.env._("The client cannot be told by e-mail: do it yourself."),
        }
        if self._stripe_checkout_is_debit():
            self._stripe_checkout_schedule_follow_up(
                self.env._("Bank debit failed"),
                self.env._(
                    "%(amount)s by bank debit did not go through: %(reason)s %(told)s", **values
                ),
            )
        else:
            self._stripe_checkout_schedule_follow_up(
                self.env._("Online payment failed"),
                self.env._("%(amount)s did not go through: %(reason)s %(told)s", **values),
            )
        self._stripe_checkout_owe_mail('debit_failed')

    def _stripe_checkout_follow_up_unpaid(self):
        """Tell the client whose attempts were all declined, now that the session has ended.

        Not where less is left than was asked for: that session ended because the client has paid
        otherwise, or need not pay any more.
        """
        self.ensure_one()
        is_settled_otherwise = any(
            invoice.currency_id.compare_amounts(
                invoice.amount_residual, self._stripe_checkout_get_share(invoice)
            )
            < 0
            for invoice in self.invoice_ids
        )
        if not is_settled_otherwise and (
            self.stripe_checkout_declines or self._stripe_checkout_was_declined_before()
        ):
            self._stripe_checkout_owe_mail('unpaid')

    def _stripe_checkout_was_declined_before(self):
        """Tell whether the client was declined in the session before, and not told of it because
        they had opened this one already.

        :rtype: bool
        """
        self.ensure_one()
        before = self.invoice_ids.transaction_ids.filtered(lambda tx: tx.id < self.id)
        last = before.sorted('id')[-1:]
        return (
            last.stripe_checkout_mail == 'unpaid' and last.stripe_checkout_mail_state == 'skipped'
        )
