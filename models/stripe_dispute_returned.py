"""Money that comes back although its dispute was lost: the payment counts again."""

from odoo import api, models


class StripeDispute(models.Model):
    _inherit = 'stripe.dispute'

    @api.model
    def _note_movement(self, movement):
        """Look at the dispute that has just moved money.

        :param stripe.balance.transaction movement: The movement, which is booked.
        """
        self.search([
            ('provider_id', '=', movement.provider_id.id),
            ('dispute_id', '=', movement.source_id),
        ])._note_returned()

    def _note_returned(self):
        """Take the chargeback back where its money is on the balance again, as after an appeal.

        Called after each movement and each event, because they come in any order. What comes back
        in part is left to staff.
        """
        for dispute in self:
            chargeback = dispute.chargeback_move_id
            if not chargeback or chargeback.reversal_move_ids:
                continue
            movements = self.env['stripe.balance.transaction'].search([
                ('provider_id', '=', dispute.provider_id.id),
                ('source_id', '=', dispute.dispute_id),
                ('kind', '=', 'dispute'),
            ])
            back = movements.filtered(lambda row: row.amount > 0)
            returned = -dispute._sum_disputed(back)
            if dispute.currency_id.is_zero(returned):
                continue
            if dispute.currency_id.compare_amounts(dispute._sum_disputed(movements), 0) > 0:
                dispute._follow_up_part(returned)
            else:
                dispute._take_chargeback_back(max(back.mapped('created_at')))

    def _sum_disputed(self, movements):
        """Return what booked movements left on the account of disputed payments.

        :param stripe.balance.transaction movements: The movements.
        :return: The amount in major units of the dispute's currency.
        :rtype: float
        """
        account = self.provider_id.stripe_checkout_dispute_account_id
        items = movements.statement_line_ids.line_ids
        return sum(
            items.filtered(lambda item: item.account_id == account).mapped('amount_currency')
        )

    def _take_chargeback_back(self, returned_at):
        """Put the payment back to its invoices; where they are paid by now, it is a credit.

        :param datetime returned_at: When the money came back, UTC.
        """
        self.ensure_one()
        credit = self.payment_id.move_id.line_ids.filtered(
            lambda line: line.account_id == self.payment_id.destination_account_id
        )
        self.chargeback_move_id._stripe_checkout_reverse(
            self.transaction_id._stripe_checkout_get_booking_date(returned_at)
        )
        due = self.invoice_ids.line_ids.filtered(
            lambda line: (
                line.account_id == credit.account_id
                and line.parent_state == 'posted'
                and not line.reconciled
            )
        )
        if due and not credit.reconciled:
            self.transaction_id._stripe_checkout_try_plan([credit + due])
        # What staff had left as credit went back to the client since, and the rest was paid, too.
        self.payment_id.stripe_checkout_credit_kept = False
        self.transaction_id._stripe_checkout_follow_up_credit()
        self._close_lost()
        self._tell_invoices(
            self.env._(
                "%(amount)s came back although the dispute was lost: the payment counts again.",
                amount=self.currency_id.format(self.amount),
            )
        )

    def _close_lost(self):
        """Take off the to-do that asks the client for the money again."""
        lost = self.env._("Dispute lost")
        self.invoice_ids.activity_ids.filtered(lambda todo: todo.summary == lost).unlink()

    def _follow_up_part(self, returned):
        """Leave a to-do, once, for a part that came back.

        :param float returned: The part, in major units.
        """
        self.ensure_one()
        summary = self.env._("Part of a lost dispute came back")
        documents = self.invoice_ids or self.partner_id
        if summary in documents.activity_ids.mapped('summary'):
            return
        self.transaction_id._stripe_checkout_schedule_follow_up(
            summary,
            self.env._(
                "%(amount)s of %(invoices)s came back after the dispute was lost, and stands on "
                "%(disputed)s. Transfer it from there to %(receivable)s of the client by a journal "
                "entry, and match it with what the client owes.",
                amount=self.currency_id.format(returned),
                invoices=', '.join(self.invoice_ids.mapped('name'))
                or self.transaction_id.reference,
                disputed=self.provider_id.stripe_checkout_dispute_account_id.display_name,
                receivable=self.payment_id.destination_account_id.display_name,
            ),
            documents=self.invoice_ids,
        )
