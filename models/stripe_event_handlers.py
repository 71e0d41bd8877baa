"""The registry of event types: one small method for each."""

from odoo import api, models
from odoo.exceptions import UserError

from .. import dispute_facts, refund_facts, session_facts, utils
from ..const import HANDLED_EVENTS, INTERNAL_EVENTS, METADATA_DATABASE


class StripeEvent(models.Model):
    _inherit = 'stripe.event'

    @api.model
    def _reduce(self, event):
        """Keep of an event's object what its handler needs, without personal data.

        :param dict event: Stripe's event.
        :return: The payload to store; None for an event that no handler is registered for.
        :rtype: dict|None
        """
        if event['type'] not in HANDLED_EVENTS:
            return None
        subject = event['data']['object']
        payload = {
            'id': subject.get('id'),
            'object': subject.get('object'),
            'livemode': bool(event.get('livemode')),
        }
        metadata = session_facts.reduce_metadata(subject.get('metadata'))
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        if metadata.get(METADATA_DATABASE) != database_uuid:
            # Somebody else's, or of ours but without our metadata: the id is all that is needed.
            return payload
        if subject.get('object') == 'checkout.session':
            return session_facts.reduce_session(subject)
        error = subject.get('last_payment_error') or {}
        return {
            **payload,
            'payment_intent': subject.get('payment_intent'),
            'metadata': metadata,
            'decline_code': error.get('decline_code') or error.get('code'),
        }

    def _get_handler(self, event_type):
        """Return the bound method that handles events of a type."""
        return getattr(self, {**HANDLED_EVENTS, **INTERNAL_EVENTS}[event_type])

    def _handle_session(self):
        """Settle the sessions that the events speak of.

        A verified statement that a session is paid is taken at its word, so that a burst is not
        limited by Stripe's answers; so is that it expired, since it can no longer be paid then.
        Anything else is read again, because events come in any order and may be days old; so is
        what the sweep fetched, which Stripe renders in another API version than ours, maybe.
        """
        provider = self.provider_id
        facts_list = []
        for event in self:
            facts = session_facts.from_session(event.payload, utils.to_timestamp(event.occurred_at))
            trusted = event.source == 'webhook' and event._is_final(facts)
            if not trusted and event._is_session_ours(facts) and not facts.is_probe:
                session = provider._stripe_checkout_retrieve_session(facts.session_id)
                facts = session_facts.from_session(session)
            facts_list.append(facts)
        Transaction = self.env['payment.transaction'].sudo()
        settled = Transaction._stripe_checkout_settle(provider, facts_list)
        by_session = {tx.stripe_checkout_session_id: tx for tx in settled}
        for event, facts in zip(self, facts_list, strict=True):
            event.transaction_id = by_session.get(facts.session_id)
            if not event.transaction_id and not facts.is_probe:
                event.state = 'ignored'  # Somebody else's session, in the same Stripe account.

    def _read_session_facts(self):
        """Return what the event says of a Checkout Session, None for an event about something else.

        :rtype: SessionFacts|None
        """
        self.ensure_one()
        if (self.payload or {}).get('object') != 'checkout.session':
            return None
        return session_facts.from_session(self.payload, utils.to_timestamp(self.occurred_at))

    def _states_final_fact(self):
        """Tell whether Stripe mostly need not be asked about what the event states.

        Read from the event alone, for many at once: the handler looks closer.

        :return: Whether that is so; False for an event about anything else than a session.
        :rtype: bool
        """
        try:
            facts = self._read_session_facts()
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # No session as Stripe makes them. Its handler says so, and holds up no other.
            return False
        return bool(
            facts
            and self.source == 'webhook'
            and (facts.is_final_success or facts.outcome == 'expired')
        )

    def _is_final(self, facts):
        """Tell whether what an event states of its session can no longer change, and is enough."""
        if facts.outcome == 'expired':
            return True
        if not facts.is_final_success:
            return False
        tx = self._find_known(facts)
        was_delayed = self.type == 'checkout.session.async_payment_succeeded'
        return bool(tx) and not (was_delayed and tx._stripe_checkout_lacks_start())

    def _is_session_ours(self, facts):
        return self.env['payment.transaction']._stripe_checkout_is_ours(self.provider_id, facts)

    def _find_known(self, facts):
        """Return the transaction of a session that we stored, of the provider's mode.

        :rtype: payment.transaction
        """
        transactions_sudo = self.env['payment.transaction'].sudo()
        if not self._is_session_ours(facts) or not (
            self.provider_id._stripe_checkout_is_of_mode(facts.livemode)
        ):
            return transactions_sudo
        return transactions_sudo.search([('stripe_checkout_session_id', '=', facts.session_id)])

    def _handle_payment_attempt_declined(self):
        """Tell staff on the invoice that an attempt was declined; the session stays open."""
        for event, tx in self._find_named_transactions().items():
            if not tx:
                event.state = 'ignored'
                continue
            event.transaction_id = tx
            tx._stripe_checkout_note_declined(
                event.payload.get('decline_code') or '', event.occurred_at
            )

    def _find_named_transactions(self):
        """Return the transactions that the metadata of the events' objects name, in one query.

        :return: The transaction of each event, empty where the object is not of ours.
        :rtype: dict[stripe.event, payment.transaction]
        """
        transactions_sudo = self.env['payment.transaction'].sudo()
        references = {}
        for event in self:
            facts = session_facts.SessionFacts(
                session_id='', outcome='open', metadata=event.payload.get('metadata') or {}
            )
            if event._is_session_ours(facts):
                references[event] = facts.transaction_reference
        found = transactions_sudo.search([('reference', 'in', list(references.values()))])
        by_reference = found.grouped('reference')
        return {event: by_reference.get(references.get(event), transactions_sudo) for event in self}

    def _handle_refund(self):
        """Settle the refunds that the events speak of, as Stripe knows them now.

        Created, updated and failed come in any order: each refund is read again, once for all.
        """
        provider = self.provider_id
        refunds = provider._stripe_checkout_get_client().v1.refunds
        Transaction = self.env['payment.transaction'].sudo()
        for events, refund in self._read_ours(refunds):
            tx = Transaction._stripe_checkout_settle_refunds(
                provider, [refund_facts.from_refund(refund)]
            )
            if not tx:
                raise UserError(self.env._("The payment of this refund is not booked yet."))
            # That of the payment, which knows the invoices.
            events.transaction_id = tx.source_transaction_id

    def _read_ours(self, service):
        """Read from Stripe what became of payments of ours, all of it before anything is booked.

        What is booked holds rows, and the numbering of the journal, that others wait for.

        :param service: The SDK's service of refunds or disputes.
        :return: The events, and Stripe's object that they speak of.
        :rtype: list[tuple[stripe.event, dict]]
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        found = []
        for object_id, events in self.grouped(lambda event: event.payload['id']).items():
            stated = service.retrieve(object_id, {'expand': ['payment_intent']}).to_dict()
            if self.provider_id._stripe_checkout_is_known(stated.get('payment_intent')):
                found.append((events, stated))
            else:
                events.state = 'ignored'  # Of somebody else's payment.
        return found

    def _handle_dispute(self):
        """Settle the disputes that the events speak of, as Stripe knows them now."""
        provider = self.provider_id
        disputes = provider._stripe_checkout_get_client().v1.disputes
        disputes_sudo = self.env['stripe.dispute'].sudo()
        for events, dispute in self._read_ours(disputes):
            settled = disputes_sudo._settle(provider, dispute_facts.from_dispute(dispute))
            if not settled:
                raise UserError(self.env._("The payment of this dispute is not booked yet."))
            events.transaction_id = settled.transaction_id

    def _handle_invoice_changed(self):
        """Retire the open sessions that ask for something else than their invoices do now.

        One that turns out to be paid is settled instead.
        """
        claims_sudo = self.env['stripe.checkout.claim'].sudo()
        concerned = self.env['payment.transaction'].sudo()
        for event in self:
            claims = claims_sudo.search([('move_id', 'in', event.payload['invoices'])])
            known = concerned.browse(event.payload.get('transactions')).exists()
            event.transaction_id = (claims.transaction_id | known)[:1]
            concerned |= claims.transaction_id | known
        concerned.filtered(
            lambda tx: tx.state == 'draft' and not tx._stripe_checkout_is_wanted()
        )._stripe_checkout_retire()

    def _handle_webhook_delivered(self):
        """Note that an event arrived, which the webhook could not without waiting."""
        provider = self.provider_id
        if provider.stripe_checkout_endpoint_id in [event.payload['endpoint'] for event in self]:
            provider._stripe_checkout_note_delivery()
