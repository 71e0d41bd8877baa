"""The bank statement lines of movements: amount, day and counterpart of each."""

from odoo import models
from odoo.exceptions import UserError
from odoo.fields import Command

from .. import utils

# Amounts and rates are rounded: what is nearly all of a dispute is all of it.
WHOLE = 0.99


class StripeBalanceTransaction(models.Model):
    _inherit = 'stripe.balance.transaction'

    def _prepare_movement(self):
        """Prepare the line of a movement that is no payment of ours."""
        provider = self.provider_id
        day = self._get_open_day(self.day)
        if self.kind == 'payout':
            account = provider.stripe_checkout_payout_account_id
        elif self.kind == 'fee':
            account = provider.stripe_checkout_fee_account_id
        elif self.kind == 'dispute' and self.is_ours and not self._is_void():
            return self._prepare_dispute(day)
        else:
            account = provider.stripe_checkout_classify_account_id
        balance = self._convert(self.amount, day)
        counterpart = [(account, self.currency_id, -self.amount, -balance)]
        return self._prepare_line('movement', day, self.amount, balance, counterpart)

    def _prepare_dispute(self, day):
        """Prepare the line of disputed money, which stands in the currency of the payment.

        What Stripe's conversion costs beside the rate at which the payment was booked is an
        exchange difference.
        """
        account = self.provider_id.stripe_checkout_dispute_account_id
        rate_day = self.payment_id.date or day
        currency = self.source_currency_id or self.currency_id
        if currency == self.currency_id:
            balance = self._convert(self.amount, rate_day)
            counterpart = [(account, currency, -self.amount, -balance)]
            return self._prepare_line('movement', day, self.amount, balance, counterpart)
        amount = self._get_disputed_amount()
        company_amount = currency._convert(
            amount, self.company_currency_id, self.company_id, rate_day
        )
        balance = self._convert(self.amount, day)
        counterpart = [
            (account, currency, -amount, -company_amount),
            *self._prepare_exchange(company_amount - balance),
        ]
        return self._prepare_line('movement', day, self.amount, balance, counterpart)

    def _get_disputed_amount(self):
        """Return how much of a payment that Stripe converted a dispute moves.

        Where money comes back, Stripe names all that was disputed. If it is a part, the rate tells,
        which lies between the minor units of the two currencies:
        https://docs.stripe.com/api/balance_transactions/object#balance_transaction_object-exchange_rate

        :return: The amount in major units of the payment's currency, negative if it is withdrawn.
        :rtype: float
        """
        self.ensure_one()
        if self.amount < 0:
            return -self.source_amount
        unit = utils.to_major_units(1, self.currency_id.name)
        source_unit = utils.to_major_units(1, self.source_currency_id.name)
        rate = self.exchange_rate * unit / source_unit
        if self.amount + unit < WHOLE * self.source_amount * rate:
            return self.source_currency_id.round(self.amount / rate)
        return self.source_amount

    def _prepare_fee(self, day):
        balance = self._convert(-self.fee, day)
        account = self.provider_id.stripe_checkout_fee_account_id
        counterpart = [(account, self.currency_id, self.fee, -balance)]
        return self._prepare_line('fee', day, -self.fee, balance, counterpart)

    def _prepare_difference(self, move):
        """Prepare what lies between the booked payment and what Stripe put on the balance.

        A payment that Stripe converted leaves the clearing account in its own currency and comes
        back in that of the balance; what Stripe's rate gains or loses is an exchange difference.

        :param account.move move: The entry of the payment.
        :rtype: list[dict]
        :raise UserError: If the payment was posted on another account.
        """
        clearing = self.journal_id.default_account_id
        booked = move.line_ids.filtered(lambda line: line.account_id == clearing)
        if not booked:
            raise UserError(
                self.env._(
                    "%(payment)s is not posted on %(account)s, which mirrors Stripe's balance.",
                    payment=self.payment_id.name,
                    account=clearing.display_name,
                )
            )
        currency, amount = booked.currency_id[:1], sum(booked.mapped('amount_currency'))
        balance = sum(booked.mapped('balance'))
        day = self._get_open_day(move.date)
        classify = self.provider_id.stripe_checkout_classify_account_id
        if currency == self.currency_id:
            rest = currency.round(self.amount - amount)
            if currency.is_zero(rest):
                return []
            company_rest = self._convert(rest, day)
            counterpart = [(classify, currency, -rest, -company_rest)]
            return [self._prepare_line('difference', day, rest, company_rest, counterpart)]
        converted = self._convert(self.amount, day)
        return [
            self._prepare_line(
                'conversion_out',
                day,
                -amount,
                -balance,
                [(classify, currency, amount, balance)],
                currency=currency,
            ),
            self._prepare_line(
                'conversion_in',
                day,
                self.amount,
                converted,
                [
                    (classify, currency, -amount, -balance),
                    *self._prepare_exchange(balance - converted),
                ],
            ),
        ]

    def _prepare_exchange(self, loss):
        """Prepare the counterpart of an exchange difference, in the company's currency."""
        currency = self.company_currency_id
        loss = currency.round(loss)
        if not loss:
            return []
        account = self.provider_id._stripe_checkout_get_exchange_account(loss < 0)
        return [(account, currency, loss, loss)]

    def _prepare_line(self, part, day, amount, balance, counterpart, currency=None):
        """Prepare a bank statement line with the journal items of its entry.

        The items are given, so that nothing goes through the suspense account.

        :param str part: Which part of the movement it is; each part is booked once.
        :param date day: The booking day.
        :param float amount: What comes to the clearing account, in the currency of the movement.
        :param float balance: The same in the currency of the company.
        :param list[tuple] counterpart: Account, currency, amount in that and in the currency of the
                                        company.
        :param res.currency currency: Of the amount, if not that of the movement.
        :return: The values of the `account.bank.statement.line`.
        :rtype: dict
        """
        self.ensure_one()
        currency = currency or self.currency_id
        journal = self.journal_id
        journal_currency = journal.currency_id or self.company_currency_id
        partner = self.payment_id.partner_id
        label = self._get_label(part)
        items = [(journal.default_account_id, currency, amount, balance), *counterpart]
        values = {
            'journal_id': journal.id,
            'company_id': self._get_booking_company().id,
            'date': day,
            'payment_ref': label,
            'ref': self.stripe_id,
            'partner_id': partner.id,
            'amount': amount,
            'stripe_checkout_balance_id': self.id,
            'stripe_checkout_part': part,
            'line_ids': [
                Command.create({
                    'name': label,
                    'account_id': account.id,
                    'partner_id': partner.id,
                    'currency_id': item_currency.id,
                    'amount_currency': item_amount,
                    'balance': item_balance,
                })
                for account, item_currency, item_amount, item_balance in items
            ],
        }
        if currency != journal_currency:
            company_currency = self.company_currency_id
            values['amount'] = company_currency._convert(
                balance, journal_currency, self.company_id, day
            )
            values['foreign_currency_id'] = currency.id
            values['amount_currency'] = amount
        return values

    def _get_label(self, part):
        labels = {
            'fee': self.env._("Stripe fee"),
            'fees': self.env._("Stripe fees of the day"),
            'conversion_out': self.env._("Converted by Stripe"),
            'conversion_in': self.env._("Converted by Stripe"),
        }
        kind = dict(self._fields['kind']._description_selection(self.env))[self.kind]
        label = labels.get(part) or self.description or kind
        return ' - '.join(filter(None, (label, self.payment_id.name, self.source_id)))

    def _convert(self, amount, day):
        return self.currency_id._convert(amount, self.company_currency_id, self.company_id, day)
