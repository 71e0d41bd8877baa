"""The early-payment discount: asked for while it lasts, granted by the day the client paid."""

from odoo import fields, models
from odoo.exceptions import UserError


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _stripe_checkout_get_due(self):
        """Return what settles the invoice if it is paid today.

        :return: What is left, less the early-payment discount while it lasts, in major units.
        :rtype: float
        """
        self.ensure_one()
        return self.currency_id.round(self.amount_residual - self._stripe_checkout_get_discount())

    def _stripe_checkout_get_discount(self, day=None):
        """Return the early-payment discount that a payment in full is granted on a day.

        By Odoo's rules: on an invoice of which nothing is paid yet, up to the day of its terms.

        :param date day: The day; by default today, in the time zone in which payments are booked.
        :return: The discount in major units; 0 if there is none.
        :rtype: float
        """
        self.ensure_one()
        move_sudo = self.sudo()  # Clients cannot read payment terms.
        if not move_sudo.invoice_payment_term_id.early_discount or not self.amount_residual:
            return 0.0
        day = day or self._stripe_checkout_get_today()
        if not move_sudo._is_eligible_for_early_payment_discount(move_sudo.currency_id, day):
            return 0.0
        discounted = sum(move_sudo._stripe_checkout_get_terms().mapped('discount_amount_currency'))
        return self.currency_id.round(self.amount_residual - discounted)

    def _stripe_checkout_get_discount_day(self):
        """Return the last day on which a payment is granted the early-payment discount.

        :return: The day; False where the terms grant none.
        :rtype: date|bool
        """
        self.ensure_one()
        return self._stripe_checkout_get_terms()[:1].discount_date

    def _stripe_checkout_get_terms(self):
        return self.line_ids.filtered(lambda line: line.display_type == 'payment_term')

    def _stripe_checkout_get_today(self):
        """Return the day it is where payments are booked.

        :rtype: date
        """
        # In sudo mode: clients cannot read providers.
        providers_sudo = self.env['payment.provider'].sudo()
        provider = providers_sudo._stripe_checkout_get_for_company(self.company_id)
        return provider._stripe_checkout_get_day(fields.Datetime.now())

    def _stripe_checkout_prepare_discount_lines(self, day, rate_day):
        """Prepare the journal items that grant the discount: on its account and on every tax.

        As Odoo's Register Payment does, see `account.payment.register`.

        :param date day: The day on which the client paid.
        :param date rate_day: The day whose rate of exchange counts.
        :return: The values of the journal items, beside those of the payment.
        :rtype: list[dict]
        :raise UserError: If the company has no account for it.
        """
        self.ensure_one()
        company_currency = self.company_id.currency_id

        def convert(amount):
            return self.currency_id._convert(amount, company_currency, self.company_id, rate_day)

        counterparts = self._get_invoice_counterpart_amls_for_early_payment_discount(
            [
                {
                    'aml': line,
                    'amount_currency': -line.amount_residual_currency,
                    'balance': convert(-line.amount_residual_currency),
                }
                for line in self._stripe_checkout_get_terms()
            ],
            convert(self._stripe_checkout_get_discount(day)),
        )
        prepared = [line for lines in counterparts.values() for line in lines]
        if not all(line['account_id'] for line in prepared):
            raise UserError(
                self.env._(
                    "%(company)s has no account for early-payment discounts, or none for their "
                    "exchange differences. Set it in the accounting settings.",
                    company=self.company_id.display_name,
                )
            )
        return prepared
