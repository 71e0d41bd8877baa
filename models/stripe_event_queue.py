"""The queue that works the ledger of Stripe's events off."""

import logging
from datetime import timedelta

import stripe
from psycopg2.extensions import TransactionRollbackError

from odoo import api, fields, models
from odoo.tools import SQL

from .. import utils
from .stripe_event import CRON_XML_IDS

_logger = logging.getLogger(__name__)

BATCH_SIZE = 50
# How often events are given back because another database transaction was faster. It has ended by
# then, so that the next look mostly succeeds; what goes on failing is an error like any other.
CONFLICT_LIMIT = 5
# How long other workers leave events alone that are processed one by one.
ALONE_PAUSE = timedelta(minutes=2)
# Minutes until the next attempt; the last one is repeated, because money is never given up.
RETRY_DELAYS = (0.5, 2, 10, 30, 120, 360, 1440)


class StripeEvent(models.Model):
    _inherit = 'stripe.event'

    # === WHAT IS DUE === #

    @api.model
    def _cron_process_events(self):
        """Work the queue off, in batches, until it is empty or the time is up.

        Several cron records call this method at once, on any number of hosts; the rows are shared
        out by locks that do not wait.
        """
        while batch := self._take_batch():
            batch._process_batch()
            if not self.env['ir.cron']._commit_progress(len(batch)):
                # Odoo would take what is left up again only when it polls, a minute later.
                self._wake_queue()
                self._commit()
                return

    @api.model
    def _take_batch(self):
        """Take due events, and mark them as under way in a transaction of its own.

        Only what goes together is taken, see `_choose_part`; other workers take the rest meanwhile.

        An event that is marked already was under way when a worker died: it is taken alone, and
        its attempt is counted first, so that it cannot take the others down with it again.

        :return: The events; empty if none is due.
        :rtype: stripe.event
        """
        rows = self._lock_due()
        if not rows:
            return self.browse()
        fresh = self.browse(row_id for row_id, under_way in rows if not under_way)
        batch = fresh._choose_part() or self.browse(rows[0][0])
        values = {'under_way': True}
        if not fresh:
            values['attempts'] = batch.attempts + 1
            values['next_attempt_at'] = batch._get_next_attempt(values['attempts'])
            values['error'] = self.env._("The worker that processed this event died.")
        batch.write(values)
        if not fresh:
            batch._schedule_next_attempt()  # It may take the next worker down, too.
        self._commit()
        return batch

    def _choose_part(self):
        """Choose what is processed in one transaction.

        What is taken at its word comes first, all at once. Of the rest the events of one type: what
        is booked holds rows, and the numbering of the journal, that others wait for, and must not
        wait itself for Stripe's answers about something else.

        :rtype: stripe.event
        """
        sure = self.filtered(lambda event: event._states_final_fact())
        first = self[:1]
        return sure or self.filtered(
            lambda event: (event.provider_id, event.type) == (first.provider_id, first.type)
        )

    @api.model
    def _lock_due(self):
        """Lock due events that nobody else has, as the first statement of a fresh transaction.

        Later in a transaction `SKIP LOCKED` fails on rows that were changed since its snapshot.

        :return: The ids, and whether each was under way.
        :rtype: list[tuple[int, bool]]
        """
        self._commit()
        self.env.cr.execute(
            SQL(
                """
                  SELECT id, COALESCE(under_way, FALSE)
                    FROM stripe_event
                   WHERE state IN ('pending', 'failed')
                     AND next_attempt_at <= (clock_timestamp() AT TIME ZONE 'UTC')
                ORDER BY COALESCE(under_way, FALSE), provider_id, id
                   LIMIT %s
                     FOR UPDATE SKIP LOCKED
                """,
                BATCH_SIZE,
            )
        )
        return self.env.cr.fetchall()

    def _lock_batch(self):
        """Lock the events of the batch in a fresh transaction, less what somebody else has.

        :rtype: stripe.event
        """
        self._commit()
        self.env.cr.execute(
            SQL(
                """
                  SELECT id
                    FROM stripe_event
                   WHERE id = ANY(%s) AND state IN ('pending', 'failed')
                ORDER BY id
                     FOR UPDATE SKIP LOCKED
                """,
                self.ids,
            )
        )
        self.env.invalidate_all(flush=False)
        return self.browse(row[0] for row in self.env.cr.fetchall())

    def _process_batch(self):
        """Process the events together, or one by one if that fails."""
        locked = self._lock_batch()
        try:
            # What fails stays held: under way and not held it would pass for a dead worker's.
            with self.env.cr.savepoint():
                locked._handle()
                locked._set_done()
        except Exception as error:
            self.env.cr.postcommit.clear()  # Of what was taken back.
            locked._note_failure(error)
        else:
            self._commit()

    def _note_failure(self, error):
        """Decide what becomes of events, held, whose processing failed.

        :param Exception error: What went wrong.
        """
        # Of the operational errors only these (PostgreSQL's class 40) pass by themselves: a
        # statement that times out, say, does so again.
        if isinstance(error, TransactionRollbackError) and self._give_back():
            return
        if len(self) == 1 and self._leave_behind(error):
            return
        # Where Stripe does not answer one, each of the others would wait as long; but what is taken
        # at its word waits for nobody.
        is_silence = isinstance(error, stripe.APIConnectionError)
        if len(self) == 1 or (is_silence and not self[0]._states_final_fact()):
            self._set_failed(error)
            return
        _logger.info("A batch of %s events failed, processing one by one", len(self))
        self._put_aside()
        for event in self:
            event._process_alone()

    def _put_aside(self):
        """Keep the events from other workers while they are processed one by one.

        They are not held then, and what is under way and not held passes for a dead worker's.
        """
        self.write({'under_way': False, 'next_attempt_at': self._get_now() + ALONE_PAUSE})
        self[:1]._schedule_next_attempt()  # Should this worker die, too.
        self._commit()

    def _process_alone(self):
        """Process an event that was put aside, unless somebody else has it after all."""
        if locked := self._lock_batch():
            locked.under_way = True
            self._commit()
            self._process_batch()

    def _handle(self):
        """Hand the events over to the handlers of their types, company by company."""
        for provider, provider_events in self.grouped('provider_id').items():
            for event_type, events in provider_events.grouped('type').items():
                events.with_company(provider.company_id)._get_handler(event_type)()

    # === OUTCOME === #

    def _set_done(self):
        for event in self:
            event.write({
                'state': 'ignored' if event.state == 'ignored' else 'done',
                'attempts': event.attempts + 1,
                'under_way': False,
                'conflicts': 0,
                'error': False,
            })
        self._close_follow_up()

    def _set_failed(self, error):
        """Keep the error of events that are held, and try again later, less and less often.

        :param Exception error: What went wrong.
        """
        for event in self:
            _logger.warning(
                "Event %s (%s) failed: %s",
                event.event_id,
                event.type,
                utils.redact(str(error)),
                exc_info=error,
            )
            attempts = event.attempts + 1
            event.write({
                'state': 'failed',
                'attempts': attempts,
                'next_attempt_at': event._get_next_attempt(attempts),
                'under_way': False,
                'conflicts': 0,
                'error': event._describe_error(error),
            })
        self._follow_up_safely()
        self._schedule_next_attempt()
        self._commit()

    def _give_back(self):
        """Take the mark off held events that another transaction was faster with: no attempt.

        :return: Whether they were given back; False if that has happened often enough.
        :rtype: bool
        """
        if max(self.mapped('conflicts')) >= CONFLICT_LIMIT:
            return False
        now = self._get_now()
        for event in self:
            event.write({
                'under_way': False,
                'conflicts': event.conflicts + 1,
                'next_attempt_at': min(event.next_attempt_at, now),
            })
        self._commit()
        return True

    @api.model
    def _get_next_attempt(self, attempts):
        """Return when an event that failed is due again, UTC."""
        delay = RETRY_DELAYS[min(attempts, len(RETRY_DELAYS)) - 1]
        return fields.Datetime.now() + timedelta(minutes=delay)

    def _schedule_next_attempt(self):
        """Wake the queue when the events are due again."""
        cron = self.env.ref(CRON_XML_IDS[0], raise_if_not_found=False)
        moments = self.mapped('next_attempt_at')
        if cron and moments:
            cron._trigger(at=[moment + timedelta(seconds=1) for moment in moments])

    @api.model
    def _commit(self):
        # Each batch is a transaction of its own: what is processed stays processed.
        self.env.flush_all()
        self.env.cr.commit()  # pylint: disable=invalid-commit
