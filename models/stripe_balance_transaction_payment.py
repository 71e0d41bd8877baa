"""Which payment or refund of ours a movement of Stripe's balance is of."""

from odoo import models


class StripeBalanceTransaction(models.Model):
    _inherit = 'stripe.balance.transaction'

    def _match_payments(self):
        """Find the payments and refunds of ours that the movements are of."""
        rows = self.filtered(lambda row: not row.payment_id)
        payments = self.env['account.payment']
        # To Odoo's search an empty id is that of each payment which has none.
        intents, sources = (
            list(filter(None, rows.mapped(name))) for name in ('payment_intent', 'source_id')
        )
        by_intent = {
            payment.stripe_checkout_payment_intent: payment
            for payment in payments.search([
                ('stripe_checkout_payment_intent', 'in', intents),
                ('company_id', 'child_of', rows.company_id.ids),
            ])
        }
        by_refund = {
            payment.stripe_checkout_refund_id: payment
            for payment in payments.search([
                ('stripe_checkout_refund_id', 'in', sources),
                ('company_id', 'child_of', rows.company_id.ids),
            ])
        }
        known = rows._find_our_intents()
        for row in rows:
            is_refund = row.kind in ('refund', 'refund_failure')
            found = by_refund.get(row.source_id) if is_refund else by_intent.get(row.payment_intent)
            values = {'payment_id': found.id} if found else {}
            if row.payment_intent and (found or row.payment_intent in known):
                values['is_ours'] = True
            if values:
                row.write(values)
            if row.kind == 'capture' and found:
                row._complete_payment()

    def _find_our_intents(self):
        """Find which PaymentIntents of the movements are ours.

        Refunds and disputes bear nothing of ours. Before their payment is settled, its charge on
        the balance tells alone, which bears our metadata. What another company is paid through the
        same account is in its books.

        :rtype: set[str]
        """
        intents = [intent for intent in self.mapped('payment_intent') if intent]
        transactions = self.env['payment.transaction'].search([
            ('provider_id', 'in', self.provider_id.ids),
            ('stripe_checkout_payment_intent', 'in', intents),
        ])
        captures = self.search([
            ('provider_id', 'in', self.provider_id.ids),
            ('payment_intent', 'in', intents),
            ('is_ours', '=', True),
        ])
        return {
            *transactions.mapped('stripe_checkout_payment_intent'),
            *captures.mapped('payment_intent'),
        }

    def _complete_payment(self):
        """Fill in on the payment what only the charge tells."""
        payment = self.payment_id
        if not payment.stripe_checkout_charge_id:
            payment.stripe_checkout_charge_id = self.charge_id
        transaction = payment.payment_transaction_id
        if transaction and not transaction.stripe_checkout_method:
            transaction.stripe_checkout_method = self.method

    def _get_booked_move(self):
        """Return the entry by which the amount is on the clearing account already.

        :return: The entry, empty if the movement is none of a payment, or not booked yet.
        :rtype: account.move
        """
        self.ensure_one()
        move = self.payment_id.move_id
        if self.kind == 'refund_failure':
            move = move.reversal_move_ids[:1]
        return move.filtered(lambda entry: entry.state == 'posted')

    def _is_void_refund(self):
        """Tell whether a refund failed before it was booked: only Stripe saw it come and go."""
        if self.kind not in ('refund', 'refund_failure') or self.payment_id:
            return False
        refund = self.env['payment.transaction'].search(
            [('stripe_checkout_refund_id', '=', self.source_id)], limit=1
        )
        return refund.state == 'error'

    def _is_of_charge(self):
        """Tell whether the charge itself caused the movement, and no refund or dispute of it."""
        return bool(self.is_ours and self.charge_id and self.source_id == self.charge_id)

    def _is_void_debit(self):
        """Tell whether a debit failed before it was booked: only Stripe saw it come and go.

        Stripe shows a debit on the balance while it is under way, and takes it back by a second
        movement of the same charge if it fails.
        """
        return (
            self._is_of_charge()
            and not self.payment_id
            and bool(
                self.search_count(
                    [
                        ('provider_id', '=', self.provider_id.id),
                        ('source_id', '=', self.source_id),
                        ('kind', '=', 'dispute'),
                    ],
                    limit=1,
                )
            )
        )

    def _is_void(self):
        return self._is_void_refund() or self._is_void_debit()
