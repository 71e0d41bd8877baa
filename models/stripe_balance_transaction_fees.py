"""Fees in one line a day, where the provider is set so."""

from odoo import api, fields, models
from odoo.tools import format_date


class StripeBalanceTransaction(models.Model):
    _inherit = 'stripe.balance.transaction'

    @api.model
    def _book_day_fees(self, provider):
        """Book the fees of the days that are over: one line a day, for each currency and branch.

        A fee that Stripe shows later gets one more line. What accounting refuses holds up no other
        day: the first movement of such a day keeps the error, and a day later its to-do.

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
        for rows in waiting.grouped(
            lambda row: (
                row.journal_id,
                row.currency_id,
                row._get_booking_company(),
                row._get_open_day(row.day),
            )
        ).values():
            error = rows._try_to_book(rows._book_fees)
            if error:
                rows._get_first()._note_error(error)

    def _book_fees(self):
        """Book the fees of movements of one day in one line."""
        lines_sudo = self.env['account.bank.statement.line'].sudo()
        # Writing the rows keeps two runs from booking the same fees.
        line = lines_sudo.with_context(tracking_disable=True).create(self._prepare_day_fees())
        self.write({'fee_line_id': line.id, 'fee_day': line.date, 'error': False})
        self.filtered(lambda row: row.day != line.date).moved = True

    def _get_first(self):
        """Return the movement that stands for all of its day, the oldest."""
        return min(self, key=lambda row: (row.created_at, row.id))

    def _prepare_day_fees(self):
        """Prepare the one line of the fees of a day, in one currency.

        :return: The values of the `account.bank.statement.line`.
        :rtype: dict
        """
        first = self._get_first()
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

    def _schedule_unbooked_fees(self):
        """Leave the to-do of a day whose fees could not be booked, on its first movement."""
        self.ensure_one()
        rows = self.search([
            ('provider_id', '=', self.provider_id.id),
            ('currency_id', '=', self.currency_id.id),
            ('day', '=', self.day),
            ('state', '!=', 'pending'),
            ('fee_line_id', '=', False),
        ])
        self._schedule(
            self.env._("Fees not booked"),
            self.env._(
                "Stripe's fees of %(amount)s of %(day)s could not be booked: %(error)s It is tried "
                "again by itself. Mend the cause, such as an account in the settings.",
                amount=self.currency_id.format(sum(rows.mapped('fee'))),
                day=format_date(self.env, self.day),
                error=self.error,
            ),
        )
