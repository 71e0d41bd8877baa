"""Whether invoices can be paid online now, and else why not."""

from odoo import models

from .. import const
from ..const import PROVIDER_CODE

# Of several invoices of which none can be paid, what concerns the client most is said: what waits
# for somebody first, "paid" only where nothing else is left.
REASONS = (
    'processing',
    'draft',
    'blocked',
    'unavailable',
    'paid',
    'refunded',
    'reversed',
    'cancelled',
    'zero',
)


class AccountMove(models.Model):
    _inherit = 'account.move'

    # === STATES === #

    def _stripe_checkout_get_state(self):
        """Say in one word whether the invoices can be paid online, all at once, and else why not.

        :return: `'payable'`, `'draft'`, `'cancelled'`, `'reversed'`, `'processing'`, `'paid'`,
                 `'refunded'`, `'zero'`, `'blocked'` by staff, `'mixed'` where each can be paid but
                 not with the others, or `'unavailable'` where online payment is not offered.
        :rtype: str
        """
        states = self._stripe_checkout_get_states()
        reasons = [state for state in states.values() if state != 'payable']
        if reasons:
            return min(reasons, key=REASONS.index)
        if len(self) == 1:
            return 'payable'
        if len(self._stripe_checkout_group()) > 1:
            return 'mixed'
        return 'payable' if self._stripe_checkout_get_provider() else 'unavailable'

    def _stripe_checkout_get_states(self):
        """Say of each invoice whether it can be paid online by itself.

        The number of queries does not grow with the number of invoices.

        :return: The state of each invoice, see `_stripe_checkout_get_state`.
        :rtype: dict[account.move, str]
        """
        # All transactions in one go: one by one, it depends on their order what is read with which.
        transactions_sudo = self.sudo().transaction_ids
        (transactions_sudo | transactions_sudo.child_transaction_ids).mapped('state')
        states = {invoice: invoice._stripe_checkout_get_own_state() for invoice in self}
        payable = self.filtered(lambda invoice: states[invoice] == 'payable')
        for invoice in payable - payable._stripe_checkout_filter_offered():
            states[invoice] = 'unavailable'
        return states

    def _stripe_checkout_get_own_state(self):
        """Say whether the invoice as such can be paid, see `_stripe_checkout_get_state`."""
        self.ensure_one()
        if self.state == 'draft':
            return 'draft'
        if self.state == 'cancel':
            return 'cancelled'
        if self.payment_state == 'reversed':
            return 'reversed'
        if self.currency_id.is_zero(self.amount_total):
            return 'zero'
        if self.currency_id.is_zero(self.amount_residual):
            return 'refunded' if self._stripe_checkout_is_refunded() else 'paid'
        if self._stripe_checkout_is_registered():
            return 'paid'
        if self._stripe_checkout_get_pending_transactions():
            return 'processing'
        if self.payment_state == 'blocked':
            return 'blocked'
        return 'payable' if self.sudo()._has_to_be_paid() else 'unavailable'

    def _stripe_checkout_get_pending_transactions(self):
        """Return the online payments of the invoices that are on their way.

        :rtype: payment.transaction
        """
        # In sudo mode: clients and strangers cannot read transactions.
        return self.sudo().transaction_ids.filtered(
            lambda tx: (
                tx.state in ('pending', 'authorized') and tx.provider_code not in ('none', 'custom')
            )
        )

    # === TOGETHER === #

    def _stripe_checkout_group(self):
        """Group the invoices by what one payment must not mix.

        :return: The groups, each of one company, currency, client and receivable account.
        :rtype: list[account.move]
        """
        return list(self.grouped(lambda invoice: invoice._stripe_checkout_get_group_key()).values())

    def _stripe_checkout_get_group_key(self):
        """Return what two invoices must have in common to be paid at once, last the account."""
        self.ensure_one()
        move_sudo = self.sudo()  # Clients cannot read accounts.
        receivable = move_sudo.line_ids.filtered(lambda line: line.display_type == 'payment_term')
        return (
            self.company_id.id,
            self.currency_id.id,
            move_sudo.commercial_partner_id.id,
            tuple(sorted(receivable.account_id.ids)),
        )

    def _stripe_checkout_differ_by_account(self):
        """Tell whether nothing but the receivable account keeps the invoices apart.

        :rtype: bool
        """
        keys = {invoice._stripe_checkout_get_group_key() for invoice in self}
        return len(keys) > 1 and len({key[:-1] for key in keys}) == 1

    # === PROVIDERS === #

    def _stripe_checkout_filter_offered(self):
        """Return which of the invoices are offered online payment, each by itself.

        :rtype: account.move
        """
        offered = self.browse()
        for (company, currency, _country), invoices in self._stripe_checkout_group_alike().items():
            provider = invoices._stripe_checkout_find_provider(0.0)
            offered += invoices.filtered(
                lambda move, company=company, currency=currency, provider=provider: (
                    provider._stripe_checkout_takes(move.amount_residual, currency, company)
                )
            ).with_env(self.env)
        return offered

    def _stripe_checkout_group_alike(self):
        """Group the invoices by what providers are offered by, but for the amount.

        :return: The invoices of each company, currency and country, in sudo mode.
        :rtype: dict[tuple, account.move]
        """
        # In sudo mode: clients and strangers can read neither providers nor partners.
        return self.sudo().grouped(
            lambda move: (move.company_id, move.currency_id, move.partner_id.country_id)
        )

    def _stripe_checkout_get_provider(self):
        """Return the provider through which the invoices can be paid now, all at once.

        :return: The provider; empty if online payment is not offered for these invoices.
        :rtype: payment.provider
        """
        currency, company = self.currency_id, self.company_id
        amount = sum(invoice._stripe_checkout_get_due() for invoice in self)
        no_provider = self.env['payment.provider'].sudo()
        if len(currency) != 1 or len(company) != 1 or len(self) > const.MAXIMUM_LINES:
            return no_provider
        provider = self._stripe_checkout_find_provider(amount)
        takes = provider._stripe_checkout_takes(amount, currency, company)
        return provider if takes else no_provider

    def _stripe_checkout_find_provider(self, amount):
        """Return our provider if Odoo offers it for an amount of the invoices' currency.

        :param float amount: The amount in major units; 0 for any amount.
        :rtype: payment.provider
        """
        return self._stripe_checkout_get_compatible_providers(amount).filtered(
            lambda p: p.code == PROVIDER_CODE and p._stripe_checkout_takes_payments()
        )[:1]

    def _stripe_checkout_filter_other_ways(self):
        """Return which of the invoices another provider than ours can take a payment of.

        The number of queries does not grow with the number of invoices.

        :rtype: account.move
        """
        found = self.browse()
        for (company, currency, _country), invoices in self._stripe_checkout_group_alike().items():
            others = invoices._stripe_checkout_get_compatible_providers(0.0).filtered(
                lambda provider: provider.code != PROVIDER_CODE
            )
            found += invoices.filtered(
                lambda move, company=company, currency=currency, others=others: any(
                    other._stripe_checkout_is_within_limit(move.amount_residual, currency, company)
                    for other in others
                )
            ).with_env(self.env)
        return found

    def _stripe_checkout_get_compatible_providers(self, amount):
        """Return the published providers that Odoo offers the client of the invoices."""
        # In sudo mode: clients and strangers cannot read providers.
        providers_sudo = self.env['payment.provider'].sudo()
        return providers_sudo._get_compatible_providers(
            self.company_id.id,
            self.sudo()[:1].partner_id.id,
            amount,
            currency_id=self.currency_id.id,
        ).filtered('is_published')
