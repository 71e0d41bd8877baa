"""Booking the movements of Stripe's balance: each once, on the journal that mirrors the balance."""

import logging
from datetime import timedelta

from psycopg2.extensions import TransactionRollbackError

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from .. import utils

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
        # What Stripe converted comes to the clearing account by a line of its own.
        is_converted = any(line['stripe_checkout_part'] == 'conversion_in' for line in lines)
        self.booked_day = day if move and not is_converted else booked_day
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
