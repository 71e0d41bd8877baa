"""The accounts on which the movements of Stripe's balance are booked."""

from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Command


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_fee_account_id = fields.Many2one(
        'account.account',
        string="Stripe Fees",
        help="Where the fees of payments and disputes and Stripe's own charges are booked.",
        copy=False,
        check_company=True,
        tracking=True,
    )
    stripe_checkout_dispute_account_id = fields.Many2one(check_company=True, tracking=True)
    stripe_checkout_payout_account_id = fields.Many2one(
        'account.account',
        string="Payouts",
        help="Where payouts stand until the bank's statement shows them.",
        copy=False,
        check_company=True,
        tracking=True,
    )
    stripe_checkout_classify_account_id = fields.Many2one(
        'account.account',
        string="To Be Classified",
        help="Where movements are booked that the addon cannot know, such as top-ups and payments "
        "of other uses of the Stripe account. Each comes with a to-do.",
        copy=False,
        check_company=True,
        tracking=True,
    )
    stripe_checkout_fee_mode = fields.Selection(
        string="Fees Are Booked",
        selection=[('payment', "One line per payment"), ('day', "One line a day")],
        help="One line a day is booked when the day is over.",
        default='payment',
        required=True,
        copy=False,
        tracking=True,
    )

    def _stripe_checkout_ensure_accounts(self):
        """Set the accounts that are not set, made if need be."""
        self.ensure_one()
        self._stripe_checkout_ensure_dispute_account()
        company = self.company_id
        expense = self.env['account.account'].search(
            [*self._stripe_checkout_get_account_domain(), ('account_type', '=', 'expense')],
            limit=1,
        )
        asset_code = self.stripe_checkout_dispute_account_id.code
        if not self.stripe_checkout_fee_account_id:
            self.stripe_checkout_fee_account_id = self._stripe_checkout_create_account(
                self.env._("Stripe fees"), 'expense', expense.code or '620000'
            )
        if not self.stripe_checkout_classify_account_id:
            self.stripe_checkout_classify_account_id = self._stripe_checkout_create_account(
                self.env._("Stripe, to be classified"), 'asset_current', asset_code, reconcile=True
            )
        if not self.stripe_checkout_payout_account_id:
            self.stripe_checkout_payout_account_id = (
                company.transfer_account_id
                or self._stripe_checkout_create_account(
                    self.env._("Stripe payouts"), 'asset_current', asset_code, reconcile=True
                )
            )
        # The clearing account takes every currency in which clients pay and Stripe settles.
        self.journal_id.default_account_id.currency_id = False

    def _stripe_checkout_get_account_domain(self):
        return self.env['account.account']._check_company_domain(self.company_id)

    def _stripe_checkout_create_account(self, name, account_type, start_code, reconcile=False):
        accounts = self.env['account.account'].with_company(self.company_id)
        return accounts.create({
            'name': name,
            'code': accounts._search_new_account_code(start_code),
            'account_type': account_type,
            'reconcile': reconcile,
            'company_ids': [Command.link(self.company_id.id)],
        })

    def _stripe_checkout_get_exchange_account(self, is_gain):
        """Return where a conversion that Stripe made gains or loses.

        :param bool is_gain: Whether it is a gain.
        :rtype: account.account
        :raise UserError: If the company has no such account: the movement then waits for it.
        """
        company = self.company_id
        account = (
            company.income_currency_exchange_account_id
            if is_gain
            else company.expense_currency_exchange_account_id
        )
        if not account:
            raise UserError(
                self.env._(
                    "%(company)s has no accounts for exchange differences. Set them in the "
                    "accounting settings.",
                    company=company.display_name,
                )
            )
        return account
