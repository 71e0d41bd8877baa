"""What a client reads about an invoice in the portal: its badges, and why there is no button."""

import uuid

from odoo import models

# The key of a badge, with Bootstrap's color for it.
BADGE_COLORS = {
    'paid': 'success',
    'partial': 'info',
    'disputed': 'danger',
    'processing': 'warning',
    'overdue': 'danger',
    'open': 'secondary',
    'refunded': 'secondary',
    'credit': 'info',
    'applied': 'success',
}
# Dark on pale: white on Bootstrap's full colors has too little contrast to be read by everybody.
BADGE_CLASS = 'text-{0}-emphasis bg-{0}-subtle border border-{0}-subtle'


class AccountMove(models.Model):
    _inherit = 'account.move'

    # === BADGES === #

    def _stripe_checkout_get_badges(self):
        """Say of each invoice what the accounting and its transactions say.

        The number of queries does not grow with the number of invoices.

        :return: The badges of each invoice, none for what is not ours to judge (vendor bills); a
                 badge has a `key`, a `label` and a `class`.
        :rtype: dict[account.move, list[dict]]
        """
        labels = self._stripe_checkout_get_badge_labels()
        disputed = self._stripe_checkout_filter_disputed()
        disputed |= self.filtered(lambda move: move.payment_state == 'blocked')  # By staff.
        return {
            invoice: [
                {'key': key, 'label': labels[key], 'class': BADGE_CLASS.format(BADGE_COLORS[key])}
                for key in (
                    *(['disputed'] if invoice in disputed else []),
                    *invoice._stripe_checkout_get_badge_keys(),
                )
            ]
            for invoice in self
        }

    def _stripe_checkout_get_badge_labels(self):
        return {
            'paid': self.env._("Paid"),
            'partial': self.env._("Partially paid"),
            'disputed': self.env._("Disputed"),
            'processing': self.env._("Processing"),
            'overdue': self.env._("Overdue"),
            'open': self.env._("Open"),
            'refunded': self.env._("Refunded"),
            'credit': self.env._("Credit"),
            'applied': self.env._("Applied"),
        }

    def _stripe_checkout_get_badge_keys(self):
        """Return the keys of the badges of one invoice, an empty list where we do not judge."""
        self.ensure_one()
        if self.state != 'posted' or self.move_type not in ('out_invoice', 'out_refund'):
            return []
        is_settled = self.currency_id.is_zero(self.amount_residual)
        if self.move_type == 'out_refund':
            return ['applied' if is_settled else 'credit']
        if self.payment_state == 'reversed' or (is_settled and self._stripe_checkout_is_refunded()):
            return ['refunded']
        if is_settled or self._stripe_checkout_is_registered():
            return ['paid']
        keys = []
        if self.currency_id.compare_amounts(self.amount_residual, self.amount_total) < 0:
            keys.append('partial')
        if self.payment_state == 'blocked':
            return keys
        if self._stripe_checkout_get_pending_transactions():
            keys.append('processing')
        elif self._stripe_checkout_is_overdue():
            keys.append('overdue')
        return keys or ['open']

    def _stripe_checkout_is_test_mode(self):
        """Tell whether a payment of the invoice would move no money.

        :rtype: bool
        """
        # In sudo mode: clients cannot read providers.
        providers_sudo = self.env['payment.provider'].sudo()
        provider = providers_sudo._stripe_checkout_get_for_company(self.company_id[:1])
        return provider.stripe_checkout_mode == 'test'

    # === WHY NOT === #

    def _stripe_checkout_get_reason(self):
        """Say in one line why the invoice cannot be paid online.

        :return: The text for the client; empty where it can be paid, and for other documents.
        :rtype: str
        """
        self.ensure_one()
        if self.move_type != 'out_invoice':
            return ''
        state = self._stripe_checkout_get_state()
        if state == 'processing':
            return self._stripe_checkout_get_reason_processing()
        if state == 'paid':
            return self._stripe_checkout_get_reason_paid()
        return {
            'draft': self.env._("This invoice is not final yet, so it cannot be paid yet."),
            'cancelled': self.env._("This invoice was cancelled. There is nothing to pay."),
            'reversed': self.env._(
                "This invoice is covered by a credit note. There is nothing to pay."
            ),
            'zero': self.env._("The amount of this invoice is zero. There is nothing to pay."),
            'refunded': self.env._(
                "This invoice was paid, and the payment was refunded. There is nothing to pay."
            ),
            'blocked': self.env._(
                "Payment of this invoice is on hold while a question about it is settled."
            ),
            'unavailable': self.env._("This invoice cannot be paid online at the moment."),
        }.get(state, '')

    def _stripe_checkout_get_reason_processing(self):
        pending = self._stripe_checkout_get_pending_transactions()
        amount = sum(tx._stripe_checkout_get_share(self) for tx in pending)
        if not pending._stripe_checkout_are_debits():
            return self.env._(
                "A payment of %(amount)s is on its way. If you were shown a reference to pay with,"
                " pay with it in time.",
                amount=self.currency_id.format(amount),
            )
        return self.env._(
            "A payment of %(amount)s is on its way. Your bank is working on it, which can take some"
            " days; there is nothing that you need to do.",
            amount=self.currency_id.format(amount),
        )

    def _stripe_checkout_get_reason_paid(self):
        move_sudo = self.sudo()  # Clients cannot read the other side of a reconciliation.
        receivable = move_sudo.line_ids.filtered(lambda line: line.display_type == 'payment_term')
        sources = receivable.matched_credit_ids.credit_move_id.move_id
        if any(source.move_type == 'out_refund' for source in sources):
            return self.env._("This invoice is covered by credit and payments. Nothing is left.")
        return self.env._("This invoice is paid. Thank you!")

    # === CREDIT === #

    def _stripe_checkout_get_credit(self):
        """Return the client's credit that staff can apply to the invoice with one click.

        As `_compute_payments_widget_to_reconcile_info` of `account` finds it, in the currency of
        the invoice.

        :return: The amount in major units.
        :rtype: float
        """
        self.ensure_one()
        move_sudo = self.sudo()  # Clients cannot read their payments.
        receivable = move_sudo.line_ids.filtered(lambda line: line.display_type == 'payment_term')
        [[left]] = move_sudo.env['account.move.line']._read_group(
            [
                ('account_id', 'in', receivable.account_id.ids),
                ('parent_state', '=', 'posted'),
                ('partner_id', '=', move_sudo.commercial_partner_id.id),
                ('company_id', '=', move_sudo.company_id.id),
                ('currency_id', '=', move_sudo.currency_id.id),
                ('reconciled', '=', False),
                ('balance', '<', 0),
            ],
            aggregates=['amount_residual_currency:sum'],
        )
        return -left

    # === WHERE === #

    def _stripe_checkout_ensure_tokens(self):
        """Give the invoices the tokens of their addresses, all in one query.

        `get_portal_url` makes a missing one by itself, with three queries for each invoice.
        """
        moves_sudo = self.sudo().filtered(lambda move: not move.access_token)  # For a client.
        moves_sudo._write_multi([{'access_token': str(uuid.uuid4())} for _move in moves_sudo])
        moves_sudo.invalidate_recordset(['access_token'], flush=False)

    def _stripe_checkout_get_portal_pay_url(self):
        """Return where the Pay button of the portal leads, for strangers with the portal link too.

        :rtype: str
        """
        self.ensure_one()
        path = f'/my/invoices/{self.id}/pay_online'
        return f'{path}?access_token={self._portal_ensure_token()}'
