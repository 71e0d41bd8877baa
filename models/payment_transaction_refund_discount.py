"""The early-payment discount of a payment that goes back to the client in full."""

from odoo import models
from odoo.fields import Command


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _stripe_checkout_prepare_discount_back(self, amount):
        """Prepare the journal items that take the discount back once all that was paid goes back.

        It was granted for the payment. Where a part goes back, it stays granted.

        :param float amount: What goes back now, in major units.
        :return: The values of the journal items, beside those of the refund.
        :rtype: list[dict]
        """
        self.ensure_one()
        refunds = self.child_transaction_ids.filtered(
            lambda tx: tx.operation == 'refund' and tx.state == 'done'
        ).payment_id
        returned = sum(refunds.mapped('amount')) + amount
        is_part = self.currency_id.compare_amounts(returned, self.payment_id.amount) < 0
        if is_part or refunds._stripe_checkout_get_discount_items():
            return []
        return self.payment_id._stripe_checkout_get_discount_items()._stripe_checkout_mirror()

    def _stripe_checkout_tell_discount_back(self, failed):
        """Return what staff have to know of the discount once a refund failed, for its to-do.

        Where the rest of the payment stays refunded, the discount stays taken back with it: whether
        the client keeps it is for people to decide.

        :param payment.transaction failed: The refund.
        :return: A sentence behind a space; nothing where nothing is taken back.
        :rtype: str
        """
        self.ensure_one()
        refunds = self.child_transaction_ids.filtered(
            lambda tx: tx.operation == 'refund' and tx.state == 'done' and tx != failed
        )
        discounts = refunds.payment_id._stripe_checkout_get_discount_items()
        if not discounts:
            return ''
        return ' ' + self.env._(
            "The early-payment discount of %(discount)s, which was taken back with another refund, "
            "stays so.",
            discount=self.currency_id.format(-sum(discounts.mapped('amount_currency'))),
        )


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    def _stripe_checkout_get_discount_items(self):
        """Return the journal items of early-payment discounts, granted by payments or taken back
        by refunds: on the account of the discounts, and on those of its taxes.

        :rtype: account.move.line
        """
        items = self.env['account.move.line']
        for payment in self:
            _liquidity, _counterpart, discounts = payment._seek_for_lines()
            items += discounts
        return items


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    def _stripe_checkout_mirror(self):
        """Prepare journal items that cancel these, in the tax report too.

        :return: The values of the journal items.
        :rtype: list[dict]
        """
        return [
            {
                'name': item.name,
                'account_id': item.account_id.id,
                'partner_id': item.partner_id.id,
                'currency_id': item.currency_id.id,
                'amount_currency': -item.amount_currency,
                'balance': -item.balance,
                'analytic_distribution': item.analytic_distribution,
                'tax_ids': [Command.set(item.tax_ids.ids)],
                'tax_tag_ids': [Command.set(item.tax_tag_ids.ids)],
                'tax_repartition_line_id': item.tax_repartition_line_id.id,
                'group_tax_id': item.group_tax_id.id,
            }
            for item in self
        ]
