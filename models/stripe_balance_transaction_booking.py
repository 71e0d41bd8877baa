"""Booking the movements of Stripe's balance: each once, on the journal that mirrors the balance."""

import logging
from datetime import timedelta

from psycopg2.extensions import TransactionRollbackError

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tools import SQL

from .. import utils
from ..dispute_facts import DisputeFacts

_logger = logging.getLogger(__name__)

BATCH_SIZE = 50


class StripeBalanceTransaction(models.Model):
    _inherit = 'stripe.balance.transaction'

    # === WHAT IS DUE === #

    @api.model
    def _book_pending(self, provider):
        """Book what is stored and not booked yet, in batches, the oldest first.

        :param payment.provider provider: The provider.
        :return: Whether there is time left.
        :rtype: bool
        """
        tried = []
        while rows := self._lock_pending(provider, tried):
            rows._book_batch()
            tried += rows.ids
            if not self.env['ir.cron']._commit_progress(len(rows)):
                return False
        self._book_day_fees(provider)
        return True

    @api.model
    def _lock_pending(self, provider, tried):
        """Lock movements that nobody else books, those tried longest ago first.

        :param payment.provider provider: The provider.
        :param list[int] tried: Movements that this run has tried already.
        :rtype: stripe.balance.transaction
        """
        self.env.flush_all()
        query = SQL(
            """
              SELECT id
                FROM stripe_balance_transaction
               WHERE provider_id = %s AND state = 'pending' AND id != ALL(%s)
            ORDER BY tried_at NULLS FIRST, created_at, id
               LIMIT %s
                 FOR UPDATE SKIP LOCKED
            """,
            provider.id,
            tried,
            BATCH_SIZE,
        )
        return self.browse(row_id for (row_id,) in self.env.execute_query(query))

    def _book_batch(self):
        """Book movements together, or one by one if accounting refuses one of them."""
        self.tried_at = fields.Datetime.now()
        self._match_payments()
        error = self._try_to_book(self._book)
        if error and len(self) > 1:
            for row in self:
                row._book_batch()
        elif error:
            self._note_error(error)

    def _try_to_book(self, book):
        """Book all or nothing.

        :param callable book: What books.
        :return: What accounting or the database answered; None if it is booked.
        :rtype: Exception|None
        :raise TransactionRollbackError: If another transaction was faster: the next run goes on.
        """
        try:
            with self.env.cr.savepoint():
                book()
        except TransactionRollbackError:
            raise
        except Exception as error:  # Whatever it is: the caller keeps it, staff have a to-do.
            return error
        return None

    def _note_error(self, error):
        """Keep why a movement could not be booked; it is tried again in the next run.

        :param Exception error: What accounting or the database answered.
        """
        self.ensure_one()
        # A database's second line has values of the row that it refused.
        message = utils.redact(str(error)).partition('\n')[0]
        _logger.warning(
            "Movement %s could not be booked: %s",
            self.stripe_id,
            message,
            exc_info=None if isinstance(error, UserError) else error,
        )
        self.error = message

    # === OUR PAYMENTS === #

    def _match_payments(self):
        """Find the payments and refunds of ours that the movements are of."""
        rows = self.filtered(lambda row: not row.payment_id)
        payments = self.env['account.payment']
        by_intent = {
            payment.stripe_checkout_payment_intent: payment
            for payment in payments.search([
                ('stripe_checkout_payment_intent', 'in', rows.mapped('payment_intent')),
                ('company_id', 'child_of', rows.company_id.ids),
            ])
        }
        by_refund = {
            payment.stripe_checkout_refund_id: payment
            for payment in payments.search([
                ('stripe_checkout_refund_id', 'in', rows.mapped('source_id')),
                ('company_id', 'child_of', rows.company_id.ids),
            ])
        }
        known = rows._find_our_intents()
        for row in rows:
            is_refund = row.kind in ('refund', 'refund_failure')
            found = by_refund.get(row.source_id) if is_refund else by_intent.get(row.payment_intent)
            values = {'payment_id': found.id} if found else {}
            if row.payment_intent and (found or row.payment_intent in known):
                values['is_ours'] = True
            if values:
                row.write(values)
            if row.kind == 'capture' and found:
                row._complete_payment()

    def _find_our_intents(self):
        """Find which PaymentIntents of the movements are ours.

        Refunds and disputes bear nothing of ours. Before their payment is settled, its charge on
        the balance tells alone, which bears our metadata.

        :rtype: set[str]
        """
        intents = [intent for intent in self.mapped('payment_intent') if intent]
        transactions = self.env['payment.transaction'].search([
            ('stripe_checkout_payment_intent', 'in', intents)
        ])
        captures = self.search([
            ('provider_id', 'in', self.provider_id.ids),
            ('payment_intent', 'in', intents),
            ('is_ours', '=', True),
        ])
        return {
            *transactions.mapped('stripe_checkout_payment_intent'),
            *captures.mapped('payment_intent'),
        }

    def _complete_payment(self):
        """Fill in on the payment what only the charge tells."""
        payment = self.payment_id
        if not payment.stripe_checkout_charge_id:
            payment.stripe_checkout_charge_id = self.charge_id
        transaction = payment.payment_transaction_id
        if transaction and not transaction.stripe_checkout_method:
            transaction.stripe_checkout_method = self.method

    def _get_booked_move(self):
        """Return the entry by which the amount is on the clearing account already.

        :return: The entry, empty if the movement is none of a payment, or not booked yet.
        :rtype: account.move
        """
        self.ensure_one()
        move = self.payment_id.move_id
        if self.kind == 'refund_failure':
            move = move.reversal_move_ids[:1]
        return move.filtered(lambda entry: entry.state == 'posted')

    def _is_void_refund(self):
        """Tell whether a refund failed before it was booked: only Stripe saw it come and go."""
        if self.kind not in ('refund', 'refund_failure') or self.payment_id:
            return False
        refund = self.env['payment.transaction'].search(
            [('stripe_checkout_refund_id', '=', self.source_id)], limit=1
        )
        return refund.state == 'error'

    def _is_of_charge(self):
        """Tell whether the charge itself caused the movement, and no refund or dispute of it."""
        return bool(self.is_ours and self.charge_id and self.source_id == self.charge_id)

    def _is_void_debit(self):
        """Tell whether a debit failed before it was booked: only Stripe saw it come and go.

        Stripe shows a debit on the balance while it is under way, and takes it back by a second
        movement of the same charge if it fails.
        """
        return (
            self._is_of_charge()
            and not self.payment_id
            and bool(
                self.search_count(
                    [
                        ('provider_id', '=', self.provider_id.id),
                        ('source_id', '=', self.source_id),
                        ('kind', '=', 'dispute'),
                    ],
                    limit=1,
                )
            )
        )

    def _is_void(self):
        return self._is_void_refund() or self._is_void_debit()

    # === BOOKING === #

    def _book(self):
        """Book the movements that can be booked now.

        Payments and refunds are on the clearing account already, by entries of their own. Whatever
        else a movement does to the balance becomes a bank statement line with its counterpart.
        """
        prepared = []
        booked = self.browse()
        for row in self:
            plan = row._prepare()
            if plan is not None:
                booked += row
                prepared += plan
        lines_sudo = self.env['account.bank.statement.line'].sudo()
        lines = lines_sudo.with_context(tracking_disable=True).create(prepared)
        for line in lines.filtered(lambda line: line.stripe_checkout_part == 'fee'):
            line.stripe_checkout_balance_id.fee_line_id = line
        for row in booked:
            row._finish(lines)

    def _prepare(self):
        """Prepare the statement lines of one movement.

        :return: The values of the lines; None for a movement whose payment is not booked yet.
        :rtype: list[dict]|None
        """
        self.ensure_one()
        day = self.day
        lines = []
        if self.kind in ('capture', 'refund', 'refund_failure') and self.is_ours:
            move = self._get_booked_move()
            if not move and not self._is_void():
                return None
            if move:
                self.journal_id = move.journal_id
                day = move.date
                lines += self._prepare_difference(move)
        elif self.kind == 'dispute' and self.is_ours and not (self.payment_id or self._is_void()):
            return None
        else:
            move = self.env['account.move']
        if not move and self.amount:
            lines.append(self._prepare_movement())
        booked_day = self._get_open_day(day)
        self.booked_day = day if move else booked_day
        self.moved = booked_day != day or self._is_payment_moved(move)
        if self.fee and self.provider_id.stripe_checkout_fee_mode == 'payment':
            lines.append(self._prepare_fee(booked_day))
        return lines

    def _is_payment_moved(self, move):
        """Tell whether the payment itself was booked on another day than Stripe's."""
        if move and move != self.payment_id.move_id:
            # The reversal of a refund that failed. It bears another day also where no event told.
            return move.date != self.day and self._get_open_day(self.day) != self.day
        paid_at = self.payment_id.stripe_checkout_paid_at
        return bool(
            move == self.payment_id.move_id
            and paid_at
            and self.provider_id._stripe_checkout_get_day(paid_at) != move.date
        )

    def _get_open_day(self, day):
        """Return the day, or the first one after it that no lock date closes.

        :param date day: The day on which the money moved.
        :rtype: date
        """
        company = self._get_booking_company()
        locks = company._get_violated_lock_dates(day, False, self.journal_id)
        return locks[-1][0] + timedelta(days=1) if locks else day

    def _get_booking_company(self):
        """Return the company that books the movement: that of its payment, maybe a branch.

        :rtype: res.company
        """
        return self.payment_id.company_id or self.company_id

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
        amount = -self.source_amount if self.amount < 0 else self.source_amount
        company_amount = currency._convert(
            amount, self.company_currency_id, self.company_id, rate_day
        )
        balance = self._convert(self.amount, day)
        counterpart = [
            (account, currency, -amount, -company_amount),
            *self._prepare_exchange(company_amount - balance),
        ]
        return self._prepare_line('movement', day, self.amount, balance, counterpart)

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

    # === AFTERWARDS === #

    def _finish(self, lines):
        """Note that a movement is booked, and what follows from it.

        :param account.bank.statement.line lines: The lines of the whole batch.
        """
        self.ensure_one()
        own = lines.filtered(lambda line: line.stripe_checkout_balance_id == self)
        classify = self.provider_id.stripe_checkout_classify_account_id
        unclear = own.filtered(lambda line: line.stripe_checkout_part in ('movement', 'difference'))
        is_unclear = classify in unclear.line_ids.account_id and not self._is_void()
        self.write({
            'state': 'classify' if is_unclear else 'booked',
            'fee_day': self.fee_line_id.date,
            'error': False,
        })
        if is_unclear:
            self._schedule_classification(unclear)
        conversions = own - unclear
        self._reconcile_items(
            conversions.filtered(
                lambda line: line.stripe_checkout_part in ('conversion_out', 'conversion_in')
            ),
            classify,
        )
        if self.kind == 'payout' and self.type != 'payout':
            self._reconcile_payout()
        if self.kind == 'dispute' and self._is_of_charge() and self.payment_id:
            self._charge_back()
        if self.kind == 'dispute' and self.amount > 0:
            self.env['stripe.dispute']._note_movement(self)

    def _charge_back(self):
        """Open the invoices again whose debit failed after it had succeeded: no dispute says so."""
        self.env['stripe.dispute']._settle(
            self.provider_id,
            DisputeFacts(
                dispute_id=self.charge_id,
                status='lost',
                payment_intent=self.payment_intent,
                amount_minor=utils.to_minor_units(self.source_amount, self.source_currency_id.name),
                currency_name=self.source_currency_id.name,
                reason='failed_after_success',
                opened_at=self.created_at,
                lost_at=self.created_at,
            ),
        )

    def _reconcile_payout(self):
        """Match a payout that came back with itself: the bank's statement will show neither.

        Of one that failed staff are told. The feed knows that before its event, or without it.
        """
        payouts = self.search([
            ('provider_id', '=', self.provider_id.id),
            ('source_id', '=', self.source_id),
            ('kind', '=', 'payout'),
        ])
        account = self.provider_id.stripe_checkout_payout_account_id
        self._reconcile_items(payouts.statement_line_ids, account)
        if self.type == 'payout_failure':
            self._schedule_failed_payout(payouts)

    @api.model
    def _reconcile_items(self, statement_lines, account):
        items = statement_lines.line_ids.filtered(
            lambda item: item.account_id == account and not item.reconciled
        )
        currencies = items.currency_id
        if len(items) < 2 or not account.reconcile or len(currencies) != 1:
            return
        if currencies.is_zero(sum(items.mapped('amount_currency'))):
            items.reconcile()
