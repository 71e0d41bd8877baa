"""A payout and the line by which it shows on the statement of the real bank."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

# A bank shows a payout some days around the one that Stripe foretells.
ARRIVAL_WINDOW = timedelta(days=14)


class StripeBalanceTransaction(models.Model):
    _inherit = 'stripe.balance.transaction'

    is_bank_matched = fields.Boolean(
        string="Seen at the Bank",
        help="The payout's item on the transfer account is matched.",
        compute='_compute_is_bank_matched',
        compute_sudo=True,
    )

    @api.depends('kind', 'statement_line_ids.line_ids.reconciled')
    def _compute_is_bank_matched(self):
        for row in self:
            items = row._get_transfer_items()
            row.is_bank_matched = bool(items) and all(items.mapped('reconciled'))

    def _get_transfer_items(self):
        """Return the journal items of payouts on the transfer account.

        :rtype: account.move.line
        """
        payouts = self.filtered(lambda row: row.kind == 'payout')
        lines = payouts.statement_line_ids.filtered(
            # An instant payout has a fee, which never shows at the bank.
            lambda line: line.stripe_checkout_part == 'movement'
        )
        return lines.line_ids.filtered(
            lambda item: item.account_id != item.journal_id.default_account_id
        )

    def action_match_bank_line(self):
        """Match a payout with the one line of the bank's statement that bears its amount.

        Odoo Community has no widget for it. The line's counterpart goes from the suspense account
        to the transfer account, and the two items are matched.

        :return: A notification.
        :rtype: dict
        :raise AccessError: If the user is no billing admin.
        :raise UserError: If no line, or more than one, bears the amount.
        """
        self.ensure_one()
        self.provider_id._stripe_checkout_check_access()
        # In sudo mode: in Odoo Community billing admins may not write lines of bank statements.
        row_sudo = self.sudo()
        item = row_sudo._get_transfer_items().filtered(lambda item: not item.reconciled)
        if not item:
            raise UserError(self.env._("This payout is matched already."))
        line = row_sudo._find_bank_line()
        _liquidity, suspense, _others = line._seek_for_lines()
        suspense.with_context(skip_readonly_check=True).account_id = item.account_id
        (item + suspense).reconcile()
        return self.env['payment.provider']._stripe_checkout_notify(
            self.env._(
                "Matched with %(label)s of %(date)s.", label=line.payment_ref or '', date=line.date
            )
        )

    def _find_bank_line(self):
        """Return the line of the bank's statement by which the payout shows.

        :rtype: account.bank.statement.line
        :raise UserError: If no line, or more than one, bears the amount.
        """
        arrival = self.arrival_date or self.day
        lines = self.env['account.bank.statement.line'].search([
            ('company_id', '=', self.company_id.id),
            ('journal_id.stripe_checkout_mode', '=', False),
            ('is_reconciled', '=', False),
            ('currency_id', '=', self.currency_id.id),
            ('date', '>=', arrival - ARRIVAL_WINDOW),
            ('date', '<=', arrival + ARRIVAL_WINDOW),
        ])
        found = lines.filtered(
            lambda line: not self.currency_id.compare_amounts(line.amount, -self.amount)
        )
        if len(found) != 1:
            raise UserError(
                self.env._(
                    "Open lines of %(amount)s on the bank's statements around %(date)s: %(count)s. "
                    "Exactly one is needed.",
                    amount=self.currency_id.format(-self.amount),
                    date=arrival,
                    count=len(found),
                )
            )
        return found
