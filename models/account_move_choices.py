"""Which amounts of an invoice the client can choose to pay."""

from odoo import models

from .. import utils


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _stripe_checkout_get_choices(self):
        """Return the amounts that the client can choose from on the invoice's page.

        :return: The choices, each with a `key`, a `label`, an `amount` and, for an amount of the
                 client's own, a `minimum`, in major units; one of installments has the day `until`
                 which they are due. Empty where all has to be paid.
        :rtype: list[dict]
        """
        self.ensure_one()
        if self._stripe_checkout_get_state() != 'payable':
            return []
        left = self._stripe_checkout_get_due()
        choices = []
        installment = self._get_invoice_next_payment_values()
        if installment.get('installment_state') in ('next', 'overdue'):
            until = self._stripe_checkout_get_next_day()
            amount = self._stripe_checkout_get_part_until(until)
            if self._stripe_checkout_can_pay_part(amount):
                is_overdue = installment['installment_state'] == 'overdue'
                label = self.env._("Overdue") if is_overdue else self.env._("Next installment")
                choices.append({'key': 'next', 'label': label, 'amount': amount, 'until': until})
        minimum = self._stripe_checkout_get_smallest_part()
        if minimum is not None:
            label = self.env._("Another amount")
            choices.append({'key': 'own', 'label': label, 'amount': None, 'minimum': minimum})
        if not choices:
            return []
        return [{'key': 'all', 'label': self.env._("All that is left"), 'amount': left}, *choices]

    def _stripe_checkout_get_due_part(self):
        """Return what of the invoice is due by today, where the rest can be paid later.

        :return: The amount in major units; 0 where all that is left is paid at once.
        :rtype: float
        """
        self.ensure_one()
        due = self._stripe_checkout_get_due_terms()
        amount = self.currency_id.round(sum(due.mapped('amount_residual_currency')))
        return amount if self._stripe_checkout_can_pay_part(amount) else 0.0

    def _stripe_checkout_get_smallest_part(self):
        """Return the smallest amount of their own that clients may choose.

        :return: The amount in major units; None where they may not choose.
        :rtype: float|None
        """
        self.ensure_one()
        provider = self._stripe_checkout_get_provider()
        if not provider.stripe_checkout_allow_partial:
            return None
        minimum = provider._stripe_checkout_get_minimum_amount(self.currency_id)
        return minimum if self._stripe_checkout_can_pay_part(minimum) else None

    def _stripe_checkout_can_pay_part(self, amount):
        """Tell whether a part can be paid online, and then the rest.

        :param float amount: The part in major units.
        :rtype: bool
        """
        self.ensure_one()
        name = self.currency_id.name
        rest = self.currency_id.round(self.amount_residual - amount)
        return utils.can_be_charged(amount, name) and utils.can_be_charged(rest, name)

    def _stripe_checkout_read_choice(self, choice, own_amount=None, until=None):
        """Return the amount of what the client has chosen.

        :param str choice: The key of a choice, as a browser says it.
        :param str own_amount: The amount of the client's own, as a browser says it.
        :param date until: The day up to which the installments were due that the client has seen
               and chosen: once they are paid, those that follow are another choice.
        :return: The amount in major units, 0 for all; None if it may not be chosen.
        :rtype: float|None
        """
        self.ensure_one()
        if choice == 'all':
            return 0.0
        if choice in ('due', 'next'):
            part = self._stripe_checkout_get_part_until(until) if until else 0.0
            is_all = self.currency_id.compare_amounts(part, self.amount_residual) == 0
            return 0.0 if is_all else part or None
        choices = {each['key']: each for each in self._stripe_checkout_get_choices()}
        amount = utils.parse_amount(own_amount)
        if choice != 'own' or 'own' not in choices or amount is None:
            return None
        if not utils.can_be_charged(amount, self.currency_id.name):
            return None  # Nor can the largest numbers be compared, which are rounded first.
        beside_all = self.currency_id.compare_amounts(amount, self._stripe_checkout_get_due())
        if beside_all == 0:
            return 0.0
        if beside_all > 0:  # More than settles it today, while a discount lasts.
            return None
        if amount < choices['own']['minimum'] or not self._stripe_checkout_can_pay_part(amount):
            return None
        return amount

    def _stripe_checkout_may_pay(self, amount):
        """Tell whether the client may pay an amount of the invoices, which a browser has named.

        :param float amount: The amount in major units.
        :rtype: bool
        """
        left = sum(self.mapped('amount_residual'))
        due = sum(invoice._stripe_checkout_get_due() for invoice in self)
        may = [left, due]
        if len(self) == 1:
            may += [choice['amount'] for choice in self._stripe_checkout_get_choices()]
            may.append(self._stripe_checkout_read_choice('own', str(amount)))
        return any(each and not self.currency_id.compare_amounts(amount, each) for each in may)
