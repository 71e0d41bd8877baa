"""The ledger of Stripe's events: each stored once, and what wakes the queue."""

import random
import uuid

import psycopg2
from psycopg2.extras import Json

from odoo import api, fields, models
from odoo.tools import SQL

from .. import utils
from ..const import PROVIDER_CODE

CRON_XML_IDS = tuple(
    f'payment_stripe_checkout.ir_cron_process_events{suffix}' for suffix in ('', '_2', '_3', '_4')
)


GC_LIMIT = 100_000  # events in one run; the next night takes the rest


class StripeEvent(models.Model):
    _name = 'stripe.event'
    _description = "Stripe Event"
    _order = 'id desc'
    _rec_name = 'event_id'

    event_id = fields.Char(required=True, readonly=True)
    type = fields.Char(required=True, readonly=True, index=True)
    provider_id = fields.Many2one(
        'payment.provider', required=True, readonly=True, ondelete='cascade'
    )
    company_id = fields.Many2one(related='provider_id.company_id', store=True, index=True)
    state = fields.Selection(
        [
            ('pending', "To process"),
            ('done', "Processed"),
            ('ignored', "Ignored"),
            ('failed', "Failed"),
        ],
        required=True,
        readonly=True,
        default='pending',
    )
    source = fields.Selection(
        [
            ('webhook', "Delivered by Stripe"),
            ('sweep', "Fetched from Stripe"),
            ('odoo', "Raised by Odoo"),
        ],
        help="Events that Stripe could not deliver are fetched by the sweep.",
        required=True,
        readonly=True,
        default='webhook',
    )
    occurred_at = fields.Datetime(string="Occurred On", readonly=True)
    payload = fields.Json(
        help="What settling needs of the object, without personal data.", readonly=True
    )
    attempts = fields.Integer(readonly=True)
    next_attempt_at = fields.Datetime(string="Next Attempt", readonly=True)
    under_way = fields.Boolean(
        help="Set while a worker processes the event; still set where a worker died over it.",
        readonly=True,
    )
    conflicts = fields.Integer(
        help="How often another database transaction was faster, since the last attempt.",
        readonly=True,
    )
    error = fields.Text(readonly=True)
    transaction_id = fields.Many2one('payment.transaction', readonly=True, index='btree_not_null')
    invoice_ids = fields.Many2many(related='transaction_id.invoice_ids')
    payment_id = fields.Many2one(related='transaction_id.payment_id')

    _event_unique = models.UniqueIndex('(provider_id, event_id)', "This event is stored already.")
    # When a delayed payment arrived, a dispute was lost or a refund failed is looked up.
    _object_index = models.Index(
        "(provider_id, type, (payload ->> 'id')) WHERE type IN "
        "('checkout.session.async_payment_succeeded', 'charge.dispute.closed', 'refund.failed')"
    )
    _queue_index = models.Index("(next_attempt_at, id) WHERE state IN ('pending', 'failed')")

    # === STORING === #

    @api.model
    def _store(self, provider, event, payload, source='webhook'):
        """Store a verified event, once.

        What is stored is looked up first: the unique index alone would wait for whoever processes
        the same event, who may wait for Stripe. Where another transaction stores the same event at
        that time, PostgreSQL waits for it, and the violation proves that the event is stored.
        `ON CONFLICT DO NOTHING` would fail with a serialization error instead, and Odoo would sleep
        before it tries again.

        :param payment.provider provider: The provider that the event was sent to.
        :param dict event: Stripe's event.
        :param dict|None payload: What to keep of the object; None for an event to ignore. So is one
                                  of the other mode than the provider's keys, but it is kept whole.
        :param str source: `'webhook'` if Stripe delivered it, `'sweep'` if we fetched it.
        :return: Whether the event is new.
        :rtype: bool
        """
        is_of_mode = provider._stripe_checkout_is_of_mode(event.get('livemode'))
        query = SQL(
            """
            INSERT INTO stripe_event (
                event_id, type, provider_id, company_id, state, source, payload, occurred_at,
                next_attempt_at, attempts, under_way, create_uid, create_date
            )
            SELECT %(event_id)s, %(type)s, %(provider_id)s, %(company_id)s, %(state)s, %(source)s,
                   %(payload)s, %(occurred_at)s, %(now)s, 0, FALSE, %(uid)s, %(now)s
             WHERE NOT EXISTS (
                SELECT FROM stripe_event
                 WHERE provider_id = %(provider_id)s AND event_id = %(event_id)s
            )
            """,
            event_id=event['id'],
            type=event['type'],
            provider_id=provider.id,
            company_id=provider.company_id.id,
            state='pending' if payload is not None and is_of_mode else 'ignored',
            source=source,
            payload=Json(payload),
            occurred_at=utils.to_datetime(event['created']),
            now=self._get_now(),
            uid=self.env.uid,
        )
        try:
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(query, log_exceptions=False)
                return self.env.cr.rowcount == 1
        except psycopg2.errors.UniqueViolation:
            return False

    @api.model
    def _raise_internal(self, provider, event_type, payload):
        """Have the queue do something after this transaction, with its retries.

        An insert alone: it waits for nobody, and nobody has to run again because of it.

        :param payment.provider provider: The provider that it is about.
        :param str event_type: One of `const.INTERNAL_EVENTS`.
        :param dict payload: What the handler needs.
        :return: None
        """
        self.create({
            'event_id': f'odoo_{uuid.uuid4().hex}',
            'type': event_type,
            'provider_id': provider.id,
            'source': 'odoo',
            'occurred_at': fields.Datetime.now(),
            'next_attempt_at': self._get_now(),
            'payload': payload,
        })
        self._wake_queue()

    @api.model
    def _wake_queue(self):
        """Have the queue run as soon as this transaction is committed.

        One of the cron records is picked at random: a single event wakes a single worker, a burst
        wakes as many as there are records.
        """
        cron = self.env.ref(random.choice(CRON_XML_IDS), raise_if_not_found=False)
        if cron:
            cron.sudo()._trigger(at=self._get_now())

    @api.model
    def _get_now(self):
        """Return a moment that is past by the host's clock and by the database's, UTC.

        Stored by one and judged by the other, anything else could be due a little later only, and
        be left until the scheduler polls.
        """
        return min(fields.Datetime.now(), self.env.cr.now().replace(microsecond=0))

    # === ACTIONS === #

    def action_retry(self):
        """Process the selected events again as soon as possible.

        :return: A notification.
        :rtype: dict
        :raise AccessError: If the user is no billing admin, or does not see the events.
        """
        self.provider_id._stripe_checkout_check_access()
        self.check_access('read')
        again = self.filtered(lambda event: event.state in ('pending', 'failed'))
        if not again:
            return self.env['payment.provider']._stripe_checkout_notify(
                self.env._("Nothing to do: only events to process or failed ones can be retried."),
                'info',
            )
        # What a worker holds is being processed: nobody waits for it.
        again.sudo().try_lock_for_update().next_attempt_at = self._get_now()
        self._wake_queue()
        return self.env['payment.provider']._stripe_checkout_notify(
            self.env._("Events that are processed again now: %(count)s", count=len(again))
        )

    def action_ignore(self):
        """Give the selected events up: staff know that they can never be processed.

        :return: A notification.
        :rtype: dict
        :raise AccessError: If the user is no billing admin, or does not see the events.
        """
        self.provider_id._stripe_checkout_check_access()
        self.check_access('read')
        given_up = self.filtered(lambda event: event.state == 'failed')
        given_up.sudo()._give_up()
        return self.env['payment.provider']._stripe_checkout_notify(
            self.env._("Events that are ignored from now on: %(count)s", count=len(given_up)),
            'success' if given_up else 'info',
        )

    def action_open_invoices(self):
        """Open the invoices of the event.

        :rtype: dict
        :raise AccessError: If the user does not see the event.
        """
        self.ensure_one()
        self.check_access('read')
        return self.invoice_ids._get_records_action(name=self.env._("Invoices"))

    # === RETENTION === #

    @api.autovacuum
    def _gc_events(self):
        """Remove from the log what is over and older than the setting of its provider.

        What keeps payments from being booked twice is on the payments, not here.
        """
        for provider in self.env['payment.provider'].search([('code', '=', PROVIDER_CODE)]):
            end = fields.Datetime.subtract(
                fields.Datetime.now(), days=provider.stripe_checkout_event_retention
            )
            self.search(
                [
                    ('provider_id', '=', provider.id),
                    ('state', 'in', ('done', 'ignored')),
                    ('create_date', '<', end),
                ],
                limit=GC_LIMIT,
            ).unlink()
