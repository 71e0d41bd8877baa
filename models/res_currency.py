from odoo import api, models
from odoo.exceptions import UserError


class ResCurrency(models.Model):
    _inherit = 'res.currency'

    @api.model
    def _stripe_checkout_find(self, name):
        """Return a currency by its code, active or not: captured money has to be booked.

        :param str name: The ISO 4217 code.
        :rtype: res.currency
        """
        return self.with_context(active_test=False).search([('name', '=', name)], limit=1)

    @api.model
    def _stripe_checkout_require(self, name):
        """Return a currency that something was paid in.

        :param str name: The ISO 4217 code.
        :rtype: res.currency
        :raise UserError: If Odoo does not know it.
        """
        currency = self._stripe_checkout_find(name)
        if not currency:
            raise UserError(
                self.env._(
                    "Odoo does not know the currency %(name)s. Add it to the currencies, so that "
                    "the payment can be booked.",
                    name=name,
                )
            )
        return currency
