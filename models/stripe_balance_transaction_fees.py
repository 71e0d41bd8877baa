"""Fees in one line a day, where the provider is set so."""

from odoo import api, fields, models


class StripeBalanceTransaction(models.Model):
    _inherit = 'stripe.balance.transaction'

    @api.model
    def _book_day_fees(self, provider):
        """Book the fees of the days that are over: one line a day, for each currency and branch.

        A fee that Stripe shows later gets one more line.

        :param payment.provider provider: The provider.
        """
        today = provider._stripe_checkout_get_day(fields.Datetime.now())
        waiting = self.search([
            ('provider_id', '=', provider.id),
            ('state', 'in', ('booked', 'classify')),
            ('fee', '!=', 0),
            ('fee_line_id', '=', False),
            ('day', '<', today),
        ])
        lines_sudo = self.env['account.bank.statement.line'].sudo()
        for rows in waiting.grouped(
            lambda row: (
                row.journal_id,
                row.currency_id,
                row._get_booking_company(),
                row._get_open_day(row.day),
            )
        ).values():
            # Writing the rows keeps two runs from booking the same fees.
            line = lines_sudo.with_context(tracking_disable=True).create(rows._prepare_day_fees())
            rows.write({'fee_line_id': line.id, 'fee_day': line.date})
            rows.filtered(lambda row, line=line: row.day != line.date).moved = True

    def _prepare_day_fees(self):
        """Prepare the one line of the fees of a day, in one currency.

        :return: The values of the `account.bank.statement.line`.
        :rtype: dict
        """
        first = min(self, key=lambda row: (row.created_at, row.id))
        day = first._get_open_day(first.day)
        fee = first.currency_id.round(sum(self.mapped('fee')))
        balance = first._convert(-fee, day)
        account = first.provider_id.stripe_checkout_fee_account_id
        counterpart = [(account, first.currency_id, fee, -balance)]
        label = self.env._("Stripe fees of %(count)s movements", count=len(self))
        values = first._prepare_line('fees', day, -fee, balance, counterpart)
        values.update({'payment_ref': label, 'partner_id': False})
        for _command, _id, item in values['line_ids']:
            item.update({'name': label, 'partner_id': False})
        return values
