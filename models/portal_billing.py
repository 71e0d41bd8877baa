"""The figures of a client's billing overview, all of them from the accounting."""

from odoo import api, fields, models
from odoo.fields import Domain

from .. import const

LAST_PAYMENTS = 5

# Why an open invoice cannot be paid online now.
LEFT_OUT = ('blocked', 'processing', 'unavailable')


class StripeCheckoutBilling(models.AbstractModel):
    """What the company of the user owes and has paid.

    Invoices and their lines are read with the user's own rights: the record rules of the portal.
    Payments and credit, which clients cannot read, are read in sudo mode and only of the user's
    commercial partner, in the companies the user may see.
    """

    _name = 'stripe.checkout.billing'
    _description = "Billing Overview"

    @api.model
    def _get_overview(self):
        """Return all that the overview shows; the number of queries is constant.

        :rtype: dict
        """
        open_invoices = self._get_open_invoices()
        states = open_invoices._stripe_checkout_get_states()
        payable = open_invoices.filtered(lambda invoice: states[invoice] == 'payable')
        due = payable.filtered(lambda invoice: invoice._stripe_checkout_is_due())
        due_groups = [self._describe_due(group) for group in due._stripe_checkout_group()]
        # Where the button of what is due asks for all of it, one button is enough.
        asked = [group['invoices'] for group in due_groups if not group['part']]
        debits, payments = self._get_debits(), self._get_payments()
        balances, credits_ = self._get_balances(debits), self._get_credits()
        return {
            'balances': balances,
            'companies': {each['company'] for each in balances + credits_},
            'due_groups': due_groups,
            'has_more': self._has_more(open_invoices),
            'left_out': self._get_left_out(states),
            'open_groups': [
                group for group in payable._stripe_checkout_group() if group not in asked
            ],
            'debits': debits,
            'credits': credits_,
            'payments': payments,
            'refunded': self._get_refunded(payments),
        }

    @api.model
    def _describe_due(self, invoices):
        """Describe the payment of a group of invoices that are due.

        One invoice can be paid up to what is due of it; several at once are paid in full.

        :param account.move invoices: The invoices.
        :return: The `invoices`, which `part` of a single one is due (0 for all of it), and whether
                 the payment `is_exact`: asks for nothing that is not due yet.
        :rtype: dict
        """
        part = invoices._stripe_checkout_get_due_part() if len(invoices) == 1 else 0.0
        is_exact = part or (
            invoices._stripe_checkout_get_due_terms() == invoices._stripe_checkout_get_open_terms()
        )
        return {'invoices': invoices, 'part': part, 'is_exact': bool(is_exact)}

    @api.model
    def _get_left_out(self, states):
        """Return the open invoices that no button asks for, so that nobody takes one for paid.

        :param dict[account.move, str] states: The states of the open invoices.
        :return: The invoices of each of the states `LEFT_OUT`, without states that have none.
        :rtype: dict[str, account.move]
        """
        left_out = self.env['account.move'].concat(
            *(invoice for invoice, state in states.items() if state in LEFT_OUT)
        )
        left_out._stripe_checkout_ensure_tokens()
        return left_out.grouped(states.get)

    # === OWED === #

    @api.model
    def _get_balances(self, debits):
        """Return what is owed, by company and currency.

        :param list[dict] debits: The online payments that the bank still works on.
        :return: For each, the `company`, the `currency`, what is `owed`, what of it is on its way
                 (`under_way`) and what is `overdue`, and the day and the amount that is due next
                 (`next_date`, `next_amount`).
        :rtype: list[dict]
        """
        today = fields.Date.context_today(self)
        balances = {}
        for company, currency, _day, amount in self._read_open_lines(Domain.TRUE):
            balance = balances.setdefault(
                (company, currency),
                {
                    'company': company,
                    'currency': currency,
                    'owed': 0.0,
                    'under_way': 0.0,
                    'overdue': 0.0,
                    'next_date': None,
                    'next_amount': 0.0,
                },
            )
            balance['owed'] += amount
        waited_for = self._get_waited_for_domain(debits)
        for company, currency, day, amount in self._read_open_lines(waited_for):
            balance = balances[company, currency]
            if day and day < today:
                balance['overdue'] += amount
            elif not balance['next_date']:
                balance['next_date'] = day
                balance['next_amount'] = amount
        for debit in debits:
            for invoice in debit['invoices']:
                share = debit['transaction']._stripe_checkout_get_share(invoice)
                balance = balances.get((invoice.company_id, invoice.currency_id))
                if balance:
                    balance['under_way'] += min(share, invoice.amount_residual)
        return list(balances.values())

    @api.model
    def _get_waited_for_domain(self, debits):
        """Return which of the journal items that are owed the client is expected to pay now."""
        under_way = [invoice.id for debit in debits for invoice in debit['invoices']]
        is_waited_for = Domain('move_id.payment_state', '!=', 'blocked')
        return is_waited_for & Domain('move_id', 'not in', under_way)

    @api.model
    def _read_open_lines(self, domain):
        """Return the sums of what is owed, by company, currency and day, the earliest first.

        :param Domain domain: Which of the journal items that are owed.
        :rtype: list[tuple]
        """
        return self.env['account.move.line']._read_group(
            self._get_open_lines_domain() & domain,
            ['company_id', 'currency_id', 'date_maturity:day'],
            ['amount_residual_currency:sum'],
            order='date_maturity:day',
        )

    @api.model
    def _get_open_lines_domain(self):
        """Return which journal items are owed by the company of the user.

        :rtype: Domain
        """
        return Domain([
            ('display_type', '=', 'payment_term'),
            ('parent_state', '=', 'posted'),
            ('move_id.move_type', '=', 'out_invoice'),
            ('move_id.partner_id', 'child_of', self.env.user.commercial_partner_id.id),
            ('reconciled', '=', False),
            ('move_id', 'not in', self._get_registered().ids),
        ])

    @api.model
    def _get_registered(self):
        """Return the invoices that were paid otherwise, without an entry so far.

        :rtype: account.move
        """
        in_payment = self.env['account.move'].search(
            Domain(self._get_open_domain()) & Domain('payment_state', '=', 'in_payment')
        )
        return in_payment.filtered(lambda move: move._stripe_checkout_is_registered())

    @api.model
    def _get_open_invoices(self):
        """Return the oldest open invoices, as many as one payment can hold.

        :rtype: account.move
        """
        return self.env['account.move'].search(
            self._get_open_domain(), order='invoice_date_due, id', limit=const.MAXIMUM_LINES
        )

    @api.model
    def _get_open_domain(self):
        return [
            ('move_type', '=', 'out_invoice'),
            ('state', '=', 'posted'),
            ('payment_state', 'in', ('not_paid', 'in_payment', 'partial', 'blocked')),
            ('amount_residual', '>', 0),
            ('partner_id', 'child_of', self.env.user.commercial_partner_id.id),
        ]

    @api.model
    def _has_more(self, open_invoices):
        """Tell whether the client has open invoices beside those that one payment can hold."""
        if len(open_invoices) < const.MAXIMUM_LINES:
            return False
        return self.env['account.move'].search_count(self._get_open_domain()) > len(open_invoices)

    # === UNDER WAY, CREDIT, PAID === #

    @api.model
    def _get_debits(self):
        """Return the online payments that the bank still works on, the newest first.

        :return: Each with its `transaction` (in sudo mode) and the `invoices` that the user sees.
        :rtype: list[dict]
        """
        transactions_sudo = self.env['payment.transaction'].sudo()  # Clients cannot read them.
        pending = transactions_sudo.search(
            [
                ('partner_id', 'child_of', self.env.user.commercial_partner_id.id),
                ('state', 'in', ('pending', 'authorized')),
                ('provider_code', 'not in', ('none', 'custom')),
            ],
            order='id desc',
        )
        seen = self.env['account.move'].search([('id', 'in', pending.invoice_ids.ids)])
        seen._stripe_checkout_ensure_tokens()
        debits = [
            {'transaction': tx, 'invoices': seen.filtered(lambda m, tx=tx: m in tx.invoice_ids)}
            for tx in pending
        ]
        return [debit for debit in debits if debit['invoices']]

    @api.model
    def _get_credits(self):
        """Return the credit that is not applied to any invoice yet.

        :return: Each sum with its `company`, `currency` and `amount`.
        :rtype: list[dict]
        """
        # In sudo mode: clients cannot read their payments.
        lines_sudo = self.env['account.move.line'].sudo()
        return [
            {'company': company, 'currency': currency, 'amount': -amount}
            for company, currency, amount in lines_sudo._read_group(
                self._get_credit_domain(),
                ['company_id', 'currency_id'],
                ['amount_residual_currency:sum'],
            )
            if not currency.is_zero(amount)
        ]

    @api.model
    def _get_credit_domain(self):
        """Return the journal items that Odoo offers staff to apply to an invoice.

        As `_compute_payments_widget_to_reconcile_info` of `account` finds them.
        """
        return [
            *self._get_sudo_domain(),
            ('account_id.account_type', '=', 'asset_receivable'),
            ('parent_state', '=', 'posted'),
            ('reconciled', '=', False),
            ('balance', '<', 0),
        ]

    @api.model
    def _get_payments(self):
        """Return the last payments of the company of the user, in sudo mode.

        :rtype: account.payment
        """
        payments_sudo = self.env['account.payment'].sudo()  # Clients cannot read them.
        return payments_sudo.search(
            self._get_payments_domain(), order='date desc, id desc', limit=LAST_PAYMENTS
        )

    @api.model
    def _get_refunded(self, payments):
        """Return what of the payments went back to the client.

        :param account.payment payments: The payments, in sudo mode.
        :return: The amount of each that was refunded at all.
        :rtype: dict[account.payment, float]
        """
        return dict(
            payments._read_group(
                [
                    ('source_payment_id', 'in', payments.ids),
                    ('state', 'in', ('in_process', 'paid')),
                ],
                ['source_payment_id'],
                ['amount:sum'],
            )
        )

    @api.model
    def _find_payment(self, payment_id):
        """Return a payment of the company of the user, in sudo mode; empty for any other.

        :param int payment_id: The id, as a browser says it.
        :rtype: account.payment
        """
        payments_sudo = self.env['account.payment'].sudo()  # Clients cannot read them.
        return payments_sudo.search([('id', '=', payment_id), *self._get_payments_domain()])

    @api.model
    def _get_payments_domain(self):
        return [
            *self._get_sudo_domain(),
            ('payment_type', '=', 'inbound'),
            ('partner_type', '=', 'customer'),
            ('state', 'in', ('in_process', 'paid')),
        ]

    @api.model
    def _get_sudo_domain(self):
        """Return what the portal's record rules would say of records that have none."""
        return [
            ('partner_id', 'child_of', self.env.user.commercial_partner_id.id),
            ('company_id', 'in', self.env.companies.ids),
        ]
