"""Today's balance at Stripe against what is stored and what is booked."""

import stripe

from odoo import fields, models
from odoo.exceptions import UserError

from .. import balance_facts


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_balance_note = fields.Text(string="Last Comparison", readonly=True, copy=False)

    def _stripe_checkout_compare_balance(self):
        """Compare Stripe's balance with the stored movements and the clearing account.

        :return: For each currency, by its ISO 4217 code: Stripe's balance, the sum of the stored
                 movements, that of the journal items without what took entries of test mode out
                 of the books, and what of the stored movements is not booked yet, such as debits
                 under way; in major units.
        :rtype: dict[str, tuple[float, float, float, float]]
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        self.ensure_one()
        balance = self._stripe_checkout_get_client().v1.balance.retrieve().to_dict()
        totals = balance_facts.read_totals(balance)
        stored = {
            currency.name: net
            for currency, net in self.env['stripe.balance.transaction']._read_group(
                [
                    ('provider_id', '=', self.id),
                    ('account_ref', '=', self._stripe_checkout_get_account_ref()),
                ],
                ['currency_id'],
                ['net:sum'],
            )
        }
        booked = {
            currency.name: amount
            for currency, amount in self.env['account.move.line']._read_group(
                [
                    ('account_id', '=', self.journal_id.default_account_id.id),
                    ('parent_state', '=', 'posted'),
                ],
                ['currency_id'],
                ['amount_currency:sum'],
            )
        }
        self.env.flush_all()  # Odoo does not know what the report reads.
        waiting = {}
        for currency, to_book, reversed_amount in self.env['stripe.balance.report']._read_group(
            [('journal_id', '=', self.journal_id.id)],
            ['currency_id'],
            ['waiting:sum', 'reversed:sum'],
        ):
            waiting[currency.name] = to_book
            booked[currency.name] = booked.get(currency.name, 0.0) - reversed_amount
        find_currency = self.env['res.currency']._stripe_checkout_find
        return {
            name: tuple(
                find_currency(name).round(source.get(name, 0.0))
                for source in (totals, stored, booked, waiting)
            )
            for name in sorted({*totals, *stored, *booked})
        }

    def action_stripe_checkout_compare_balance(self):
        """Ask Stripe for today's balance, and show it beside the books.

        :return: A notification.
        :rtype: dict
        :raise UserError: If Stripe cannot be asked.
        """
        self.ensure_one()
        self._stripe_checkout_check_access()
        provider_sudo = self.sudo()  # Billing admins cannot read the key.
        if not provider_sudo._stripe_checkout_is_connected():
            raise UserError(self.env._("Stripe is not connected."))
        try:
            compared = provider_sudo._stripe_checkout_compare_balance()
        except stripe.StripeError as error:
            raise UserError(self._stripe_checkout_describe_error(error)) from None
        find_currency = self.env['res.currency']._stripe_checkout_find
        lines = []
        agrees = True
        for name, amounts in compared.items():
            currency = find_currency(name)
            at_stripe, stored, booked, waiting = amounts
            agrees = agrees and not (
                currency.compare_amounts(at_stripe, stored)
                or currency.compare_amounts(at_stripe, booked + waiting)
            )
            lines.append(
                self.env._(
                    "%(currency)s: %(stripe)s at Stripe, %(stored)s read, %(booked)s booked, "
                    "%(waiting)s to book",
                    currency=name,
                    stripe=currency.format(at_stripe),
                    stored=currency.format(stored),
                    booked=currency.format(booked),
                    waiting=currency.format(waiting),
                )
            )
        verdict = (
            self.env._("Stripe's balance and the books agree.")
            if agrees
            else self.env._(
                "Stripe's balance and the books differ. What moved since the last run is read "
                "within minutes; the report shows each day."
            )
        )
        provider_sudo.stripe_checkout_balance_note = '\n'.join([
            fields.Datetime.to_string(fields.Datetime.now()) + ' UTC',
            verdict,
            *lines,
        ])
        return self._stripe_checkout_notify(
            f'{verdict}\n' + '\n'.join(lines), 'success' if agrees else 'warning'
        )

    def action_stripe_checkout_open_balance_report(self):
        """Open the report that ties Stripe's balance to the books.

        :rtype: dict
        """
        self.ensure_one()
        self._stripe_checkout_check_access()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_stripe_checkout.action_stripe_balance_report'
        )
        return {**action, 'domain': [('provider_id', '=', self.id)]}

    def action_stripe_checkout_read_balance(self):
        """Read and book now what moved on Stripe's balance.

        :return: A notification.
        :rtype: dict
        """
        self.ensure_one()
        self._stripe_checkout_check_access()
        self.sudo()._stripe_checkout_wake_feed()
        return self._stripe_checkout_notify(
            self.env._("Stripe's balance is being read. Reload in a moment."), 'info'
        )
