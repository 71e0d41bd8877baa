"""Which amounts a provider takes, and which of them a client may choose."""

from odoo import fields, models

from .. import utils


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_allow_partial = fields.Boolean(
        string="Clients May Pay Part of an Invoice",
        help="On the page of an invoice, let the client choose an amount between the smallest part "
        "and the balance. Where the payment terms have installments, the next one can be chosen in "
        "any case.",
        copy=False,
        tracking=True,
    )
    stripe_checkout_minimum_amount = fields.Monetary(
        string="Smallest Part",
        help="The smallest amount that a client may choose, in the currency of the company. An "
        "invoice with less than that left can be paid in full only.",
        currency_field='main_currency_id',
        default=10.0,
        copy=False,
        tracking=True,
    )

    _stripe_checkout_minimum_amount_positive = models.Constraint(
        'CHECK(stripe_checkout_minimum_amount >= 0)', "The smallest part cannot be negative."
    )

    def _stripe_checkout_takes(self, amount, currency, company):
        """Tell whether the provider can take exactly an amount, by Stripe's limits and its own.

        :param float amount: The amount in major units.
        :param res.currency currency: Its currency.
        :param res.company company: The company, in whose currency the provider's limit is.
        :return: Whether it can; an empty provider takes nothing.
        :rtype: bool
        """
        return (
            bool(self)
            and utils.can_be_charged(amount, currency.name)
            and self._stripe_checkout_is_within_limit(amount, currency, company)
        )

    def _stripe_checkout_is_within_limit(self, amount, currency, company):
        """Tell whether a provider of any kind can take an amount, by its own limit.

        As `_get_compatible_providers` of `payment` judges by it.

        :param float amount: The amount in major units.
        :param res.currency currency: Its currency.
        :param res.company company: The company, in whose currency the limit is.
        :rtype: bool
        """
        self.ensure_one()
        if not self.maximum_amount:
            return True
        today = fields.Date.context_today(self)
        converted = currency._convert(amount, company.currency_id, company, today)
        return currency.compare_amounts(self.maximum_amount, converted) >= 0

    def _stripe_checkout_get_minimum_amount(self, currency):
        """Return the smallest part that a client may choose to pay.

        :param res.currency currency: The currency of the invoice.
        :return: The amount in major units of that currency.
        :rtype: float
        """
        self.ensure_one()
        today = fields.Date.context_today(self)
        chosen = self.main_currency_id._convert(
            self.stripe_checkout_minimum_amount, currency, self.company_id, today
        )
        smallest = utils.get_minimum_charge(currency.name)
        return max(utils.round_up(currency.round(chosen), currency.name), smallest)
