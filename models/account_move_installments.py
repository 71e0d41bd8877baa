"""What is open of invoices, installment by installment: what is due, and what is asked for."""

from odoo import api, fields, models
from odoo.fields import Domain


class AccountMove(models.Model):
    _inherit = 'account.move'

    # === OPEN AND DUE === #

    def _stripe_checkout_get_open_terms(self):
        """Return what is left of the invoices, installment by installment, the earliest first.

        :rtype: account.move.line
        """
        return self.line_ids.filtered(
            lambda line: line.display_type == 'payment_term' and not line.reconciled
        ).sorted(lambda line: line.date_maturity or line.date)

    def _stripe_checkout_get_due_terms(self):
        """Return the open installments that are to be paid today or were earlier.

        :rtype: account.move.line
        """
        today = fields.Date.context_today(self)
        return self._stripe_checkout_get_open_terms().filtered(
            lambda line: (line.date_maturity or line.date) <= today
        )

    def _stripe_checkout_is_overdue(self):
        """Tell whether an installment of the invoice is past its day.

        :rtype: bool
        """
        self.ensure_one()
        today = fields.Date.context_today(self)
        return any(
            (line.date_maturity or line.date) < today
            for line in self._stripe_checkout_get_open_terms()
        )

    @api.model
    def _stripe_checkout_get_overdue_domain(self):
        """Return which of the invoices that the user sees have the badge of what is overdue.

        :rtype: Domain
        """
        return (
            Domain('move_type', '=', 'out_invoice')
            & Domain('payment_state', 'in', ('not_paid', 'partial'))
            & Domain(
                'line_ids',
                'any',
                [
                    ('display_type', '=', 'payment_term'),
                    ('reconciled', '=', False),
                    ('date_maturity', '<', fields.Date.context_today(self)),
                ],
            )
            & self._stripe_checkout_get_waited_for_domain()
        )

    @api.model
    def _stripe_checkout_get_waited_for_domain(self):
        """Return for which of the invoices no online payment is on its way.

        :rtype: Domain
        """
        # In sudo mode: clients cannot read transactions.
        pending = self.sudo()._search(self._stripe_checkout_get_fact_domains()['pending'])
        return Domain('id', 'not in', pending)

    def _stripe_checkout_is_due(self):
        """Tell whether an installment of the invoice is to be paid today or was earlier.

        :rtype: bool
        """
        self.ensure_one()
        return bool(self._stripe_checkout_get_due_terms())

    # === ASKED FOR === #

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
