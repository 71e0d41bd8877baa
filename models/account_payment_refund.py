"""Booked refunds: what they are matched with, and what is left to refund."""

from odoo import fields, models

ACTIVITY_TYPE = 'payment_stripe_checkout.mail_activity_type_refund'


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _stripe_checkout_follow_up_refunds(self):
        """Keep one to-do while something refunded has no credit note.

        A payment of several invoices has it on the first of them: two would ask for two notes.
        """
        self.ensure_one()
        document = self._stripe_checkout_get_refund_document()
        # Another payment of the invoice may have been refunded, too.
        is_invoice = document._name == 'account.move'
        transactions = (is_invoice and document._stripe_checkout_get_payers()) or self
        open_refunds = transactions.filtered(
            lambda tx: (
                tx._stripe_checkout_get_refund_document() == document
                and tx.child_transaction_ids.payment_id._stripe_checkout_get_debit_lines()
            )
        )
        debit = open_refunds.child_transaction_ids.payment_id._stripe_checkout_get_debit_lines()
        todo = document.activity_search([ACTIVITY_TYPE])
        if not debit:
            todo.unlink()
            return
        documents = open_refunds._stripe_checkout_get_paid_invoices().sorted('id') or document
        note = self.env._(
            "%(amount)s of %(document)s was refunded to the client. The invoice stays paid "
            "until a credit note is made: press Credit Note on the invoice; it is matched "
            "with the refund by itself.",
            amount=self.currency_id.format(sum(debit.mapped('amount_residual_currency'))),
            document=', '.join(documents.mapped('display_name')),
        )
        discounts = debit.move_id.origin_payment_id._stripe_checkout_get_discount_items()
        if discounts:
            note += ' ' + self.env._(
                "That includes the early-payment discount of %(discount)s, which was taken back.",
                discount=self.currency_id.format(-sum(discounts.mapped('amount_currency'))),
            )
        if todo:
            todo.note = note
        else:
            summary = self.env._("Refund without a credit note")
            self._stripe_checkout_schedule_follow_up(summary, note, ACTIVITY_TYPE, document)

    def _stripe_checkout_get_refund_document(self):
        """Return where the to-do of the payment's refunds is kept: an invoice, else the client.

        :rtype: account.move|res.partner
        """
        return self._stripe_checkout_get_paid_invoices().sorted('id')[:1] or self.partner_id


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    stripe_checkout_refund_id = fields.Char(string="Stripe Refund", readonly=True, copy=False)

    # What makes a refund exactly one, whoever books it, on however many hosts.
    _stripe_checkout_refund_unique = models.UniqueIndex(
        '(stripe_checkout_refund_id) WHERE stripe_checkout_refund_id IS NOT NULL',
        "This Stripe refund is booked already.",
    )

    def _compute_amount_available_for_refund(self):
        """Override of `account_payment`, which counts refunds that failed as refunded."""
        res = super()._compute_amount_available_for_refund()
        for payment in self.filtered('stripe_checkout_payment_intent'):
            if payment.amount_available_for_refund or payment.payment_transaction_id:
                tx_sudo = payment.payment_transaction_id.sudo()  # Staff see payments, not all txs.
                payment.amount_available_for_refund = tx_sudo._stripe_checkout_get_refundable()
        return res

    def _stripe_checkout_match_refund(self):
        """Match a refund with the credit that it pays out.

        First what of the payment never went to an invoice, then the credit notes of its invoices.
        Without either the invoice stays paid, and the refund stands as the client's open debit.
        Where Odoo refuses to match them, both stay open: the refund was made.
        """
        for payment in self:
            source = payment.payment_transaction_id.source_transaction_id
            invoices = source._stripe_checkout_get_paid_invoices()
            for credit in (
                source.payment_id._stripe_checkout_get_credit_lines(),
                invoices._stripe_checkout_get_open_credit_notes(),
            ):
                debit = payment._stripe_checkout_get_debit_lines()
                lines = credit.filtered(
                    lambda line, debit=debit: line.account_id == debit.account_id
                )
                if debit and lines:
                    source._stripe_checkout_try_plan([debit + lines])
            source._stripe_checkout_follow_up_refunds()

    def _stripe_checkout_get_debit_lines(self):
        """Return the open debit that refunds are to the client.

        :rtype: account.move.line
        """
        items = self._stripe_checkout_get_open_items()
        return items.filtered(lambda item: item.amount_residual_currency > 0)


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _stripe_checkout_get_payers(self):
        """Return the transactions whose payments were for the invoices, or have paid them.

        :rtype: payment.transaction
        """
        payments = self.line_ids.matched_credit_ids.credit_move_id.move_id.origin_payment_id
        return self.transaction_ids | payments.payment_transaction_id

    def _stripe_checkout_get_open_credit_notes(self):
        """Return what is left of the posted credit notes of the invoices.

        :rtype: account.move.line
        """
        notes = self.reversal_move_ids.filtered(
            lambda move: move.state == 'posted' and move.move_type == 'out_refund'
        )
        return notes.line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable' and not line.reconciled
        )

    def _stripe_checkout_match_credit_notes(self):
        """Match new credit notes with the refunds that were made before them."""
        for note in self:
            # In sudo mode: whoever makes a credit note need not see online payments.
            transactions_sudo = note.reversed_entry_id.sudo()._stripe_checkout_get_payers()
            refunds = transactions_sudo.child_transaction_ids.payment_id.filtered(
                'stripe_checkout_refund_id'
            )
            refunds.filtered(
                lambda payment: payment._stripe_checkout_get_debit_lines()
            )._stripe_checkout_match_refund()
