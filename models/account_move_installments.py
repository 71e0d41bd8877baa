"""What is asked for of an invoice that is paid in installments."""

from odoo import fields, models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _stripe_checkout_get_next_day(self):
        """Return the day up to which the client is asked to pay next: of what is overdue the last,
        else that of the next installment.

        :return: The day; None where nothing is open.
        :rtype: date|None
        """
        self.ensure_one()
        today = fields.Date.context_today(self)
        days = [line.date_maturity or line.date for line in self._stripe_checkout_get_open_terms()]
        return max((day for day in days if day < today), default=next(iter(days), None))

    def _stripe_checkout_get_part_until(self, day):
        """Return what is open of the installments that are due up to a day.

        :param date day: The day.
        :return: The amount in major units; 0 where it cannot be paid by itself, or nothing is open.
        :rtype: float
        """
        self.ensure_one()
        terms = self._stripe_checkout_get_open_terms().filtered(
            lambda line: (line.date_maturity or line.date) <= day
        )
        amount = self.currency_id.round(sum(terms.mapped('amount_residual_currency')))
        is_all = self.currency_id.compare_amounts(amount, self.amount_residual) == 0
        return amount if is_all or self._stripe_checkout_can_pay_part(amount) else 0.0
