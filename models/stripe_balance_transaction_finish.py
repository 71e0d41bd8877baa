"""What follows from a movement that is booked."""

from odoo import api, models

from .. import utils
from ..dispute_facts import DisputeFacts


class StripeBalanceTransaction(models.Model):
    _inherit = 'stripe.balance.transaction'

    def _finish(self, lines):
        """Note that a movement is booked, and what follows from it.

        :param account.bank.statement.line lines: The lines of the whole batch.
        """
        self.ensure_one()
        own = lines.filtered(lambda line: line.stripe_checkout_balance_id == self)
        classify = self.provider_id.stripe_checkout_classify_account_id
        unclear = own.filtered(lambda line: line.stripe_checkout_part in ('movement', 'difference'))
        is_unclear = classify in unclear.line_ids.account_id and not self._is_void()
        self.write({
            'state': 'classify' if is_unclear else 'booked',
            'fee_day': self.fee_line_id.date,
            'error': False,
        })
        if is_unclear:
            self._schedule_classification(unclear)
        conversions = own - unclear
        self._reconcile_items(
            conversions.filtered(
                lambda line: line.stripe_checkout_part in ('conversion_out', 'conversion_in')
            ),
            classify,
        )
        if self.kind == 'payout' and self.type != 'payout':
            self._reconcile_payout()
        if self.kind == 'dispute' and self._is_of_charge() and self.payment_id:
            self._charge_back()
        if self.kind == 'dispute' and self.amount > 0:
            self.env['stripe.dispute']._note_movement(self)

    def _charge_back(self):
        """Open the invoices again whose debit failed after it had succeeded: no dispute says so."""
        self.env['stripe.dispute']._settle(
            self.provider_id,
            DisputeFacts(
                dispute_id=self.charge_id,
                status='lost',
                payment_intent=self.payment_intent,
                amount_minor=utils.to_minor_units(self.source_amount, self.source_currency_id.name),
                currency_name=self.source_currency_id.name,
                reason='failed_after_success',
                opened_at=self.created_at,
                lost_at=self.created_at,
            ),
        )

    def _reconcile_payout(self):
        """Match a payout that came back with itself: the bank's statement will show neither.

        Of one that failed staff are told. The feed knows that before its event, or without it.
        """
        payouts = self.search([
            ('provider_id', '=', self.provider_id.id),
            ('source_id', '=', self.source_id),
            ('kind', '=', 'payout'),
        ])
        account = self.provider_id.stripe_checkout_payout_account_id
        self._reconcile_items(payouts.statement_line_ids, account)
        if self.type == 'payout_failure':
            self._schedule_failed_payout(payouts)

    @api.model
    def _reconcile_items(self, statement_lines, account):
        items = statement_lines.line_ids.filtered(
            lambda item: item.account_id == account and not item.reconciled
        )
        currencies = items.currency_id
        if len(items) < 2 or not account.reconcile or len(currencies) != 1:
            return
        if currencies.is_zero(sum(items.mapped('amount_currency'))):
            items.reconcile()
