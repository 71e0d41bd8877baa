"""Booking captured payments: one payment for each PaymentIntent, reconciled where it can be."""

import logging

from psycopg2.extensions import TransactionRollbackError

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import session_facts
from ..const import PROVIDER_CODE
from .account_payment_inbox import ACTIVITY_TYPE

_logger = logging.getLogger(__name__)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    @api.model
    def _stripe_checkout_book(self, facts_by_transaction):
        """Book what Stripe captured, in one batch, and once: what is booked already is left alone.

        :param dict facts_by_transaction: The facts of each transaction, all of them paid.
        :return: None
        :raise UserError: If accounting refuses a payment; nothing is booked then.
        """
        # In sudo mode: a webhook or a stranger on the success page may call.
        payments_sudo = self.env['account.payment'].sudo()
        booked = payments_sudo._stripe_checkout_find_booked([
            facts.payment_intent for facts in facts_by_transaction.values()
        ])
        for tx in facts_by_transaction:
            # A session that had expired in our eyes may have been paid in its last second.
            if tx.state != 'done':
                tx._set_done(extra_allowed_states=('cancel',))
        to_book = {
            tx: facts
            for tx, facts in facts_by_transaction.items()
            if facts.payment_intent and facts.payment_intent not in booked
        }
        self._stripe_checkout_create_payments({
            tx: facts for tx, facts in to_book.items() if tx.invoice_ids
        })
        for tx, facts in facts_by_transaction.items():
            if not tx.is_post_processed:
                tx._stripe_checkout_post_process_safely(facts if tx in to_book else None)

    def _stripe_checkout_post_process_safely(self, facts):
        """Run what other modules do with a paid transaction, and book it even if they fail.

        A transaction without invoices (of the shop, say) is booked in between, by
        `account_payment`, after those modules had the chance to make its invoice.

        :param SessionFacts|None facts: The facts if the payment is not booked yet.
        """
        self.ensure_one()
        try:
            with self.env.cr.savepoint():
                self.with_context(stripe_checkout_facts=facts)._post_process()
        except TransactionRollbackError:
            raise  # Another transaction was faster: the caller runs again.
        except Exception:
            # Any module may add to the post-processing; none may lose a captured payment. Odoo's
            # own cron tries the rest again.
            _logger.exception("Post-processing of transaction %s failed", self.reference)
        if facts and not self.payment_id:
            self._stripe_checkout_create_payments({self: facts})

    def _create_payment(self, **extra_create_values):
        """Override of `account_payment` to book what Stripe captured.

        Odoo creates the payment of any transaction that is done, and whoever may write
        transactions can say so of one that nobody has paid.

        :return: The payment.
        :rtype: account.payment
        :raise UserError: If Stripe captured nothing.
        :raise stripe.StripeError: If Stripe has to be asked and cannot be.
        """
        self.ensure_one()
        if self.provider_code != PROVIDER_CODE or self.operation == 'refund':
            return super()._create_payment(**extra_create_values)
        facts = self.env.context.get('stripe_checkout_facts')
        if not facts:
            session = self.provider_id._stripe_checkout_retrieve_session(
                self.stripe_checkout_session_id
            )
            facts = session_facts.from_session(session)
        if facts.outcome != 'paid' or not facts.payment_intent:
            raise UserError(self.env._("Stripe did not receive a payment of %s.", self.reference))
        self._stripe_checkout_create_payments({self: facts})
        return self.payment_id

    @api.model
    def _stripe_checkout_create_payments(self, facts_by_transaction):
        """Create, post and reconcile the payments of transactions, company by company.

        :param dict facts_by_transaction: The facts of each transaction, none of them booked.
        :return: None
        :raise UserError: If accounting refuses a payment.
        :raise psycopg2.errors.UniqueViolation: If a payment is booked already after all.
        """
        everything = self.browse().concat(*facts_by_transaction)
        for company, company_transactions in everything.grouped('company_id').items():
            transactions = company_transactions.with_company(company)
            payments_sudo = self.env['account.payment'].sudo().with_company(company)
            payments = payments_sudo.create([
                tx._stripe_checkout_prepare_payment(facts_by_transaction[tx]) for tx in transactions
            ])
            payments.action_post()
            payments._stripe_checkout_note_lock()
            for tx, payment in zip(transactions, payments, strict=True):
                tx.payment_id = payment
            transactions._stripe_checkout_reconcile()

    def _stripe_checkout_prepare_payment(self, facts):
        """Prepare the payment of what Stripe captured, which may differ from what was asked.

        :param SessionFacts facts: The facts of the paid session.
        :return: The values of the `account.payment`.
        :rtype: dict
        :raise UserError: If the currency is unknown or the provider has no journal.
        """
        self.ensure_one()
        provider = self.provider_id
        journal = provider.journal_id
        if not journal:
            raise UserError(self.env._("Stripe has no journal. Connect Stripe again."))
        currency = self.env['res.currency']._stripe_checkout_require(facts.currency_name)
        method_line = journal.inbound_payment_method_line_ids.filtered(
            lambda line: line.payment_provider_id == provider
        )
        invoices = self.invoice_ids
        paid_at = self._stripe_checkout_get_paid_at(facts)
        discount_lines = self._stripe_checkout_prepare_discount_lines(facts, paid_at)
        values = {
            'payment_type': 'inbound',
            'partner_type': 'customer',
            'partner_id': (
                invoices[:1].commercial_partner_id or self.partner_id.commercial_partner_id
            ).id,
            'amount': facts.amount,
            'currency_id': currency.id,
            'date': self._stripe_checkout_get_booking_date(paid_at, discount_lines),
            'journal_id': journal.id,
            'company_id': self.company_id.id,
            'payment_method_line_id': method_line[:1].id,
            'payment_transaction_id': self.id,
            'memo': f'{self.reference} - {facts.payment_intent}',
            'invoice_ids': [fields.Command.set(invoices.ids)],
            'stripe_checkout_payment_intent': facts.payment_intent,
            'stripe_checkout_session_id': facts.session_id,
            'stripe_checkout_paid_at': paid_at,
            # Even an empty list lets Odoo make the journal entry at once, see its create.
            'write_off_line_vals': discount_lines,
        }
        # Where nothing is open any more, too: the client may owe on another account than usual, and
        # staff apply what has no home to another invoice, or to the same one later.
        terms = self._stripe_checkout_get_open_lines() or invoices._stripe_checkout_get_terms()
        receivable = terms.account_id.filtered('active')[:1]
        if receivable:
            values['destination_account_id'] = receivable.id
        return values

    # === RECONCILIATION === #

    def _stripe_checkout_get_open_lines(self):
        """Return what is left to receive on the posted invoices of the transactions.

        :rtype: account.move.line
        """
        return self.invoice_ids.filtered(lambda move: move.state == 'posted').line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable' and not line.reconciled
        )

    def _stripe_checkout_is_paid_in_advance(self):
        """Tell whether the payment was for no invoice, and is open.

        :rtype: bool
        """
        self.ensure_one()
        payment = self.payment_id
        return bool(
            not self.stripe_checkout_promise
            and not payment.stripe_checkout_credit_kept
            and payment._stripe_checkout_get_credit_lines()
        )

    def _stripe_checkout_get_paid_invoices(self):
        """Return what the payments have paid, else what they were for.

        Staff may have applied a payment without a home to another invoice.

        :rtype: account.move
        """
        items = self.payment_id.move_id.line_ids.matched_debit_ids.debit_move_id
        paid = items.move_id.filtered(lambda move: move.move_type == 'out_invoice')
        return paid or self.invoice_ids

    def _stripe_checkout_reconcile(self):
        """Match the payments with the invoices, all at once, or one by one if one is refused.

        What cannot be matched stays as the client's open credit, with a to-do for staff: the money
        is captured, whatever became of the invoice.
        """
        plan = {}
        for tx in self:
            credit = tx.payment_id.move_id.line_ids.filtered(
                lambda line: line.account_id.account_type == 'asset_receivable'
            )
            due = tx._stripe_checkout_get_open_lines().filtered(
                lambda line, credit=credit: (
                    line.account_id == credit.account_id and line.currency_id == credit.currency_id
                )
            )
            # What another currency than its own pays of an invoice, a person has to say.
            if due:
                plan[tx] = credit + due
        if plan and not self._stripe_checkout_try_plan(list(plan.values())) and len(plan) > 1:
            for lines in plan.values():
                self._stripe_checkout_try_plan([lines])
        self._stripe_checkout_follow_up_credit()

    @api.model
    def _stripe_checkout_try_plan(self, plan):
        """Reconcile the groups of lines together, or none of them.

        :param list[account.move.line] plan: The groups.
        :return: Whether Odoo accepted.
        :rtype: bool
        """
        try:
            with self.env.cr.savepoint():
                self.env['account.move.line']._reconcile_plan(plan)
        except TransactionRollbackError:
            raise  # Another transaction was faster: the caller runs again.
        except Exception:
            # Whatever accounting refuses (a missing exchange journal, a lock, another module's
            # rule), the payment itself has to stay.
            _logger.exception("Payments could not be matched with their invoices")
            return False
        return True

    def _stripe_checkout_follow_up_credit(self):
        """Keep one to-do where a payment did not go to its invoices in full.

        What a shop sells has no invoices, and nothing was promised for any. What staff have left
        as credit stays so.
        """
        for tx in self:
            payment = tx.payment_id
            left = payment.stripe_checkout_credit
            has_home = not left or not (tx.invoice_ids or tx.stripe_checkout_promise)
            if has_home or payment.stripe_checkout_credit_kept:
                continue
            todo = payment.activity_search([ACTIVITY_TYPE])
            if todo:
                todo.note = tx._stripe_checkout_describe_credit(left)
                continue
            user = tx.provider_id._stripe_checkout_get_follow_up_user(payment.company_id)
            payment.activity_schedule(
                ACTIVITY_TYPE,
                summary=self.env._("Payment without a home"),
                note=tx._stripe_checkout_describe_credit(left),
                user_id=user.id,
            )

    def _stripe_checkout_describe_credit(self, left):
        """Return what of the payment has no invoice, and what to do with it.

        :param float left: The amount in major units.
        :rtype: str
        """
        self.ensure_one()
        values = {
            'amount': self.payment_id.currency_id.format(left),
            'invoices': ', '.join(self.invoice_ids.mapped('display_name')),
            'reference': self.reference,
        }
        if self.invoice_ids:
            return self.env._(
                "%(amount)s of this online payment could not be matched with %(invoices)s. Apply "
                "it to another invoice, refund it, or leave it as the client's credit.",
                **values,
            )
        return self.env._(
            "What this online payment of %(amount)s (%(reference)s) was for is not in this "
            "database. Check the client, then apply it to an invoice, refund it, or leave it "
            "as the client's credit.",
            **values,
        )
