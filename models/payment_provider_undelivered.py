"""Events that did not arrive, fetched and put into the ledger like delivered ones.

Every event that Stripe has made since the last time is listed, not only those that it calls
undelivered: without an endpoint that wants it, as while ours is deleted, disabled or set to other
events, an event counts as delivered.
"""

import logging
from datetime import timedelta

import stripe

from odoo import fields, models
from odoo.fields import Domain

from .. import const, utils
from ..const import HANDLED_EVENTS

_logger = logging.getLogger(__name__)

PAGES_PER_RUN = 3
PAGE_SIZE = 100

# What is younger may just be on its way.
PATIENCE = timedelta(minutes=2)

# Each walk goes back beyond the newest event of the one before: Stripe promises no order.
OVERLAP = timedelta(minutes=10)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_undelivered_cursor = fields.Char(
        string="Events Read Back To",
        help="The event after which the sweep goes on, where it could not read all in one run.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_events_read_to = fields.Datetime(
        string="Events Read Up To",
        help="When Stripe made the newest event that the last complete walk has read.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_events_reading_to = fields.Datetime(
        string="Events Being Read Up To",
        help="When Stripe made the newest event of a walk that is not complete yet.",
        readonly=True,
        copy=False,
    )

    def _stripe_checkout_fetch_undelivered(self):
        """Store the events that did not arrive; the queue works them off.

        A few pages in each run, from the newest event back to the newest of the walk before; the
        next run goes on where this one stopped. All moments are by Stripe's clock.

        :return: Whether the walk is complete.
        :rtype: bool
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        self.ensure_one()
        created = {'lt': utils.to_timestamp(fields.Datetime.now() - PATIENCE)}
        since = self.stripe_checkout_events_read_to or self.stripe_checkout_connected_at
        if since:
            created['gte'] = utils.to_timestamp(since - OVERLAP)
        parameters = {'types': sorted(HANDLED_EVENTS), 'created': created, 'limit': PAGE_SIZE}
        cursor = self.stripe_checkout_undelivered_cursor
        newest = self.stripe_checkout_events_reading_to
        for _page in range(PAGES_PER_RUN):
            page = self._stripe_checkout_list_events(parameters, cursor)
            events = page['data']
            self._stripe_checkout_store_undelivered(events)
            if events:
                first = utils.to_datetime(events[0]['created'])
                newest = max(newest, first) if newest else first
            cursor = events[-1]['id'] if page['has_more'] else False
            if not cursor:
                break
        self._stripe_checkout_note_walk(cursor, newest)
        return not cursor

    def _stripe_checkout_note_walk(self, cursor, newest):
        """Note how far a walk got; nothing is written where nothing has changed.

        :param str|False cursor: The event after which it goes on, False if it is complete.
        :param datetime|False newest: When the newest of its events was made.
        """
        values = {
            'stripe_checkout_undelivered_cursor': cursor,
            'stripe_checkout_events_reading_to': cursor and newest,
        }
        if newest and not cursor:
            values['stripe_checkout_events_read_to'] = newest
        changed = {name: value for name, value in values.items() if self[name] != value}
        if changed:
            self.write(changed)

    def _stripe_checkout_list_events(self, parameters, cursor):
        """Read one page of events, from the newest one if the cursor has left Stripe's memory."""
        events = self._stripe_checkout_get_client().v1.events
        if cursor:
            try:
                return events.list({**parameters, 'starting_after': cursor}).to_dict()
            except stripe.InvalidRequestError:
                # Stripe keeps events for 30 days: https://docs.stripe.com/api/events
                _logger.info("Stripe has forgotten event %s; reading from the newest", cursor)
        return events.list(parameters).to_dict()

    def _stripe_checkout_store_undelivered(self, events):
        """Store the events that may be ours and are not known, in the order of their happening.

        Refunds and disputes made at Stripe name nothing but a payment, which may be one that we
        hear of in the same walk: whose it is, is seen when they are handled.

        :param list[dict] events: Stripe's events, newest first.
        """
        Event = self.env['stripe.event'].sudo()
        known = set(
            Event.search([
                ('provider_id', '=', self.id),
                ('event_id', 'in', [event['id'] for event in events]),
            ]).mapped('event_id')
        )
        stored = False
        for event in reversed(events):
            if event['id'] in known:
                continue
            subject = event['data']['object']
            if subject.get('object') in ('refund', 'dispute') or (
                self._stripe_checkout_is_event_ours(event)
            ):
                payload = Event._reduce(event)
                stored |= Event._store(self, event, payload, source='sweep')
        if stored:
            Event._wake_queue()

    def _stripe_checkout_is_event_ours(self, event):
        """Tell whether an event speaks of what this database made through this provider.

        :param dict event: Stripe's event.
        :rtype: bool
        """
        subject = event['data']['object']
        if subject.get('object') == 'payout':
            return True  # Of the whole balance, whoever has filled it.
        return self._stripe_checkout_is_known(subject)

    def _stripe_checkout_is_known(self, subject):
        """Tell whether an object at Stripe is ours, or is or concerns a payment that is stored.

        Refunds and disputes made at Stripe carry nothing of ours but the payment that they are of.
        And what was under way when the database was backed up names another database once it is
        restored: Odoo calls it a copy unless told otherwise.

        :param dict|None subject: Stripe's object, a PaymentIntent in it not expanded.
        :rtype: bool
        """
        if not subject:
            return False
        if self._stripe_checkout_is_ours(subject):
            return True
        ids = [name for name in (subject.get('id'), subject.get('payment_intent')) if name]
        transactions_sudo = self.env['payment.transaction'].sudo()
        return bool(
            transactions_sudo.search_count(
                Domain('provider_id', '=', self.id)
                & (
                    Domain('stripe_checkout_session_id', 'in', ids)
                    | Domain('stripe_checkout_payment_intent', 'in', ids)
                ),
                limit=1,
            )
        )

    def _stripe_checkout_is_ours(self, subject):
        """Tell whether an object at Stripe was made by this database for this provider.

        :param dict|str|None subject: Stripe's object, with its metadata.
        :rtype: bool
        """
        metadata = (subject.get('metadata') if isinstance(subject, dict) else None) or {}
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        return metadata.get(const.METADATA_DATABASE) == database_uuid and metadata.get(
            const.METADATA_PROVIDER
        ) == str(self.id)
