"""The one settle function: from what Stripe says of sessions to states and payments."""

from odoo import api, fields, models
from odoo.tools import SQL

from ..const import PROVIDER_CODE


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    @api.model
    def _stripe_checkout_settle(self, provider, facts_list):
        """Bring the transactions of sessions to the state that Stripe states, and book payments.

        Right whatever the number and the order of the calls, and called by everybody: the event
        queue, the return page, the sweep, whoever retires a session. A success is final here; what
        keeps two concurrent calls from booking twice is the unique index on the booking.

        :param payment.provider provider: The provider whose account the facts come from.
        :param list[SessionFacts] facts_list: The facts; those of foreign sessions are left out, and
                                              those of the other mode than the provider's keys.
        :return: The transactions that the facts speak of.
        :rtype: payment.transaction
        :raise psycopg2.errors.SerializationFailure: If another call settles one of them right now;
               whoever called runs again.
        """
        facts_by_transaction = self._stripe_checkout_match(provider, facts_list)
        to_book = {}
        for tx, facts in facts_by_transaction.items():
            # One that was given up after it was known as a debit stays so: staff freed its invoice.
            is_news = not tx.stripe_checkout_payment_intent
            tx.write(tx._stripe_checkout_prepare_update(facts))
            if facts.outcome == 'paid':
                to_book[tx] = facts
            elif facts.outcome == 'processing':
                if tx.state == 'draft' or (is_news and tx.state in ('cancel', 'error')):
                    tx._set_pending(extra_allowed_states=('cancel', 'error'))
            elif facts.outcome == 'failed':
                if tx.state in ('draft', 'pending'):
                    tx._set_error(facts.message or self.env._("The payment did not go through."))
                    tx._stripe_checkout_follow_up_failure()
            elif facts.outcome == 'expired' and tx.state == 'draft':
                tx._set_canceled()
                tx._stripe_checkout_follow_up_unpaid()
        self._stripe_checkout_book(to_book)
        return self.browse().concat(*facts_by_transaction)

    def _stripe_checkout_prepare_update(self, facts):
        """Prepare what the facts add to a transaction, whatever its state."""
        values = {'stripe_checkout_checked_at': fields.Datetime.now()}
        if facts.outcome in ('paid', 'processing') and facts.payment_intent:
            values['stripe_checkout_payment_intent'] = facts.payment_intent
            values['provider_reference'] = facts.payment_intent
        if self.stripe_checkout_freed and facts.outcome != 'processing':
            values['stripe_checkout_freed'] = False
        if facts.confirmed_at:
            values['stripe_checkout_confirmed_at'] = facts.confirmed_at
        if facts.method:
            values['stripe_checkout_method'] = facts.method
        if not self.stripe_checkout_session_id:
            values['stripe_checkout_session_id'] = facts.session_id
        return values

    # === WHICH TRANSACTION === #

    @api.model
    def _stripe_checkout_match(self, provider, facts_list):
        """Find, lock and if need be rebuild the transactions of sessions.

        :return: The facts by transaction.
        :rtype: dict[payment.transaction, SessionFacts]
        """
        ours = [
            facts
            for facts in facts_list
            if self._stripe_checkout_is_ours(provider, facts)
            and provider._stripe_checkout_is_of_mode(facts.livemode)
        ]
        by_session = self._stripe_checkout_lock(ours)
        matched = {}
        for facts in ours:
            tx = by_session.get(facts.session_id) or by_session.get(facts.transaction_reference)
            if tx and tx.stripe_checkout_session_id not in (False, facts.session_id):
                tx = None  # The reference was used again: another session, another transaction.
            if not tx and facts.outcome in ('paid', 'processing'):
                tx = by_session[facts.session_id] = self._stripe_checkout_rebuild(provider, facts)
            if tx:
                matched[tx] = self._stripe_checkout_prefer(matched.get(tx), facts)
        return matched

    @api.model
    def _stripe_checkout_is_ours(self, provider, facts):
        """Tell whether a session was made by this database for this provider, or is stored in it.

        Other systems may use the same Stripe account; their sessions are none of our business.
        """
        return provider._stripe_checkout_is_known({
            'id': facts.session_id,
            'metadata': facts.metadata,
        })

    @staticmethod
    def _stripe_checkout_prefer(one, other):
        """Of two facts about one session, keep the one that says more; a success always wins."""
        rank = {'open': 0, 'expired': 1, 'processing': 2, 'failed': 3, 'paid': 4}
        if one is None or rank[other.outcome] > rank[one.outcome]:
            return other
        return one

    @api.model
    def _stripe_checkout_lock(self, facts_list):
        """Lock the rows of the transactions, by session and, until that is stored, by reference.

        :return: The transactions by session id and by reference.
        :rtype: dict[str, payment.transaction]
        """
        if not facts_list:
            return {}
        self.env['payment.transaction'].flush_model(['reference', 'stripe_checkout_session_id'])
        self.env.cr.execute(
            SQL(
                """
                  SELECT id, stripe_checkout_session_id, reference
                    FROM payment_transaction
                   WHERE stripe_checkout_session_id = ANY(%(sessions)s)
                      OR reference = ANY(%(references)s)
                ORDER BY id
                     FOR UPDATE
                """,
                sessions=[f.session_id for f in facts_list],
                references=[f.transaction_reference or '' for f in facts_list],
            )
        )
        locked = {}
        for row_id, session_id, reference in self.env.cr.fetchall():
            tx = self.browse(row_id)
            if tx.provider_code == PROVIDER_CODE:
                locked[reference] = tx
                if session_id:
                    locked[session_id] = tx
        return locked

    def _stripe_checkout_take_turn(self):
        """Let what happens to a booked payment, refunds and disputes, come one after the other.

        The row is written: whoever waits for it fails with a serialization error instead of working
        on a snapshot from before, in which what the other has made is missing.

        :raise psycopg2.errors.SerializationFailure: If another one was faster; whoever called runs
               again.
        """
        self.ensure_one()
        self.env.cr.execute(
            SQL("UPDATE payment_transaction SET write_date = write_date WHERE id = %s", self.id)
        )
