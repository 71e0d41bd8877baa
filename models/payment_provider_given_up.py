"""What is under way when an account is left: to-dos for staff, for no other key can tell of it.

Once that account is connected again it is followed again, and the to-do is taken off.
"""

import stripe

from odoo import models
from odoo.exceptions import UserError
from odoo.tools import format_datetime


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _stripe_checkout_give_sessions_up(self):
        """Turn each payment page that stays open at Stripe into a to-do, and free its invoices.

        :return: How many there are.
        :rtype: int
        """
        drafts = self._stripe_checkout_get_running('draft')
        opened = drafts.filtered('stripe_checkout_session_id')
        for tx in opened:
            end = tx.stripe_checkout_session_expires_at
            tx._stripe_checkout_schedule_follow_up(
                self.env._("Payment page that stays open at Stripe"),
                self.env._(
                    "A payment page of %(amount)s (%(session)s) could not be closed, because "
                    "Stripe does not accept the key any more. It may have been paid, and can still "
                    "be paid until %(end)s. Look in the Stripe Dashboard after that, and register "
                    "the payment by hand if there is one.",
                    amount=tx.currency_id.format(tx.amount),
                    session=tx.stripe_checkout_session_id,
                    end=format_datetime(self.env, end) if end else self.env._("tomorrow"),
                ),
            )
        drafts._set_canceled()
        return len(opened)

    def _stripe_checkout_ask_once_more(self, transactions):
        """Settle what has come to its end at Stripe: nobody can ask any more afterwards.

        :param payment.transaction transactions: Debits or refunds under way.
        :raise UserError: If Stripe cannot be reached.
        """
        if not self._stripe_checkout_is_connected():
            return  # As in a neutralized copy, which has no key.
        for tx in transactions:
            try:
                tx._stripe_checkout_sweep_one()
            except (stripe.APIConnectionError, stripe.RateLimitError) as error:
                raise UserError(self._stripe_checkout_describe_error(error)) from None
            except stripe.StripeError:
                continue  # The key is dead, or knows nothing of it.

    def _stripe_checkout_give_debits_up(self):
        """Turn each bank debit under way into a to-do, and free its invoices.

        :raise UserError: If Stripe cannot be reached.
        """
        self._stripe_checkout_ask_once_more(self._stripe_checkout_get_running('pending'))
        for tx in self._stripe_checkout_get_running('pending'):
            tx._stripe_checkout_schedule_follow_up(
                self.env._("Bank debit to follow up in Stripe"),
                self.env._(
                    "A bank debit of %(amount)s (%(intent)s) was under way when Stripe was "
                    "disconnected. Look in the Stripe Dashboard whether it arrives, and register "
                    "the payment by hand if it does.",
                    amount=tx.currency_id.format(tx.amount),
                    intent=tx.stripe_checkout_payment_intent or tx.reference,
                ),
            )
            tx._set_canceled(self.env._("Stripe was disconnected while the debit was under way."))
            tx.stripe_checkout_freed = False
            tx.stripe_checkout_left_account = self._stripe_checkout_get_left_account()

    def _stripe_checkout_give_refunds_up(self):
        """Turn each refund under way into a to-do: no other account can tell what becomes of it.

        :raise UserError: If Stripe cannot be reached.
        """
        transactions_sudo = self.env['payment.transaction'].sudo()
        refunds = transactions_sudo.search([
            ('provider_id', '=', self.id),
            ('operation', '=', 'refund'),
            ('state', 'in', ('draft', 'pending')),
        ])
        self._stripe_checkout_ask_once_more(refunds)
        for tx in refunds.filtered(lambda tx: tx.state in ('draft', 'pending')):
            tx.source_transaction_id._stripe_checkout_schedule_follow_up(
                self.env._("Refund to follow up in Stripe"),
                self.env._(
                    "A refund of %(amount)s (%(refund)s) was under way when Stripe was "
                    "disconnected. Look in the Stripe Dashboard whether it was made, and register "
                    "it by hand if it was.",
                    amount=tx.currency_id.format(-tx.amount),
                    refund=tx.stripe_checkout_refund_id or tx.reference,
                ),
            )
            tx._set_canceled(self.env._("Stripe was disconnected while the refund was under way."))
            tx.stripe_checkout_left_account = self._stripe_checkout_get_left_account()

    def _stripe_checkout_get_left_account(self):
        """Return which account is left; False where the key may not read it.

        :rtype: str|False
        """
        return self.stripe_checkout_account_id and self._stripe_checkout_get_account_ref()

    def _stripe_checkout_follow_left_again(self):
        """Follow what was given up when the connected account was left before.

        Not a refund that Stripe never answered for: asking for it again would pay the client twice
        where staff have made it otherwise. It stays a to-do, unless its event comes.
        """
        self.ensure_one()
        transactions_sudo = self.env['payment.transaction'].sudo()
        transactions_sudo.search([
            ('provider_id', '=', self.id),
            ('stripe_checkout_left_account', '=', self._stripe_checkout_get_account_ref()),
            '|',
            ('operation', '!=', 'refund'),
            ('stripe_checkout_refund_id', '!=', False),
        ])._stripe_checkout_follow_again()


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _stripe_checkout_follow_again(self):
        """Follow debits and refunds that were given up; what their to-dos ask for would be booked
        twice.
        """
        for tx in self:
            if tx.operation == 'refund':
                tx._set_pending(extra_allowed_states=('cancel',))
                summary = self.env._("Refund to follow up in Stripe")
                stripe_id, told = tx.stripe_checkout_refund_id, tx.source_transaction_id
            else:
                tx.stripe_checkout_freed = True
                summary = self.env._("Bank debit to follow up in Stripe")
                stripe_id, told = tx.stripe_checkout_payment_intent, tx
            tx.stripe_checkout_left_account = False
            name = f'({stripe_id or tx.reference})'  # As the to-do writes it.
            (told.invoice_ids or told.partner_id).activity_ids.filtered(
                lambda todo, summary=summary, name=name: (
                    todo.summary == summary and name in (todo.note or '')
                )
            ).unlink()
