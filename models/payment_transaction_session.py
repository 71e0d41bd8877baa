"""Opening and retiring Checkout Sessions.

The order is: intent, call, record. The transaction that names the idempotency key is committed
before Stripe is called, so that a worker that dies at any point leaves something to take up: the
next visitor repeats the call with the same key and gets the same session.
"""

import logging
from datetime import timedelta

import stripe

from odoo import api, fields, models
from odoo.exceptions import RedirectWarning, UserError, ValidationError
from odoo.tools import SQL

from odoo.addons.payment import utils as payment_utils

from .. import const, session_facts, utils
from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

# A visitor who is sent to Checkout should have the time to fill the form in.
REUSE_MARGIN = timedelta(minutes=2)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    # === STATE OF THE SESSION === #

    def _stripe_checkout_is_open(self):
        """Tell whether the session can still be paid, as far as we know.

        :rtype: bool
        """
        self.ensure_one()
        return bool(
            self.state == 'draft'
            and self.stripe_checkout_session_url
            and self.stripe_checkout_session_expires_at > fields.Datetime.now() + REUSE_MARGIN
        )

    def _stripe_checkout_fits(self, invoices, amount):
        """Tell whether the session asks for what is to be paid now.

        :param account.move invoices: The invoices.
        :param float amount: The amount in major units of their currency.
        :rtype: bool
        """
        self.ensure_one()
        provider = self.provider_id
        return bool(
            provider._stripe_checkout_takes_payments()
            and provider._stripe_checkout_is_of_mode(self.is_live)
            and self.stripe_checkout_promise
            == self._stripe_checkout_prepare_promise(invoices, amount)
        )

    def _stripe_checkout_leads_back(self):
        """Tell whether whoever leaves Checkout comes back to a link that still leads to a payment.

        Not from a session of Odoo's payment form, nor from that of a link that has ended meanwhile:
        who came by another link would read that it was replaced.

        :rtype: bool
        """
        self.ensure_one()
        link = self.stripe_checkout_link_id
        return bool(link) and not link._has_ended()

    # === OPENING === #

    @api.model
    def _stripe_checkout_open_session(self, provider, invoices, amount, link):
        """Open the one payable session of some invoices.

        :param payment.provider provider: The provider.
        :param account.move invoices: The invoices, payable, of one currency and company.
        :param float amount: The amount in major units.
        :param stripe.payment.link link: The link that the client came by.
        :return: The transaction with its open session; empty if what was open before turned out to
                 be paid, or somebody else retired this one meanwhile.
        :rtype: payment.transaction
        :raise stripe.StripeError: If Stripe does not open the session.
        """
        claims = self.env['stripe.checkout.claim'].sudo()._lock_for_invoices(invoices)
        former = claims.transaction_id.filtered(lambda tx: tx.state == 'draft')
        transaction = former.filtered(
            lambda tx: (
                tx._stripe_checkout_leads_back()
                and tx._stripe_checkout_fits(invoices, amount)
                and (tx._stripe_checkout_is_open() or tx._stripe_checkout_can_be_taken_up())
            )
        )[:1]
        if not (former - transaction)._stripe_checkout_retire():
            return self.browse()
        if not transaction:
            link._note_opened()
            transaction = self._stripe_checkout_create_transaction(provider, invoices, amount, link)
        if claims.transaction_id != transaction or not all(c.transaction_id for c in claims):
            claims.transaction_id = transaction
        if not transaction.stripe_checkout_session_url:
            # The intent is stored before Stripe is called.
            self.env.cr.commit()  # pylint: disable=invalid-commit
            if not transaction._stripe_checkout_request_session():
                return self.browse()
        return transaction

    def _stripe_checkout_open_session_of_form(self):
        """Open a session for a transaction that the payment form has made.

        :raise ValidationError: If the invoices cannot be paid now, or Stripe does not open it.
        """
        self.ensure_one()
        try:
            opened = self._stripe_checkout_claim_for_form() and (
                self._stripe_checkout_request_session()
            )
        except utils.InexactAmount:
            raise ValidationError(self.env._("Stripe cannot take exactly this amount.")) from None
        except (UserError, RedirectWarning) as error:
            # Accounting refuses a former session that was paid: it says why to staff.
            self._stripe_checkout_warn_of_no_session(error)
            opened = False
        except stripe.StripeError as error:
            # What Stripe says is for staff, and in English.
            self._stripe_checkout_warn_of_no_session(error)
            raise ValidationError(
                self.env._(
                    "Online payment is not available right now. Nothing was charged. Try again in "
                    "a few minutes."
                )
            ) from None
        if not opened:
            raise ValidationError(
                self.env._("This cannot be paid now. Reload the page to see its state.")
            )

    def _stripe_checkout_warn_of_no_session(self, error):
        _logger.warning(
            "No Checkout Session for transaction %s: %s", self.reference, utils.redact(str(error))
        )

    def _stripe_checkout_claim_for_form(self):
        """Take the claims of the invoices for a transaction of the payment form, and store it.

        :return: Whether its session may be opened; False if the invoices cannot be paid now, or not
                 by this amount.
        :rtype: bool
        :raise stripe.StripeError: If Stripe cannot be asked what became of a former session.
        :raise UserError: If accounting refuses a former session that was paid.
        """
        invoices = self.invoice_ids
        payable = True
        if invoices:
            claims = self.env['stripe.checkout.claim'].sudo()._lock_for_invoices(invoices)
            former = (claims.transaction_id - self).filtered(lambda tx: tx.state == 'draft')
            payable = (
                former._stripe_checkout_retire()
                and invoices._stripe_checkout_get_state() == 'payable'
                and invoices._stripe_checkout_may_pay(self.amount)
            )
            if payable:
                claims.transaction_id = self
                self.stripe_checkout_promise = self._stripe_checkout_prepare_promise(
                    invoices, self.amount
                )
        if payable:
            self.stripe_checkout_session_expires_at = self._stripe_checkout_get_session_end()
        # The intent is stored before Stripe is called; and what was settled instead stays settled
        # although the form is refused.
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return payable

    @api.model
    def _stripe_checkout_create_transaction(self, provider, invoices, amount, link):
        """Create the transaction of a session that is about to be opened.

        :return: The transaction, in draft.
        :rtype: payment.transaction
        """
        partner = invoices[:1].partner_id
        return self.create({
            'provider_id': provider.id,
            'payment_method_id': provider.with_context(active_test=False).payment_method_ids[:1].id,
            'reference': self._stripe_checkout_compute_reference(invoices),
            'amount': amount,
            'currency_id': invoices.currency_id.id,
            'partner_id': partner.id,
            'operation': 'online_redirect',
            'landing_route': invoices[:1].get_portal_url(),
            'invoice_ids': [fields.Command.set(invoices.ids)],
            'stripe_checkout_link_id': link.id,
            'stripe_checkout_promise': self._stripe_checkout_prepare_promise(invoices, amount),
            'stripe_checkout_session_expires_at': self._stripe_checkout_get_session_end(
                link._get_session_values()['ends_at']
            ),
        })

    @api.model
    def _stripe_checkout_compute_reference(self, invoices):
        """Compute the reference of a transaction that a link opens.

        Of another pattern than the references of payment forms: those are computed before any lock
        is taken, and the same one computed twice at once would fail one of the two.

        :rtype: str
        """
        more = f'+{len(invoices) - 1}' if len(invoices) > 1 else ''
        return self._compute_reference(PROVIDER_CODE, prefix=f'{invoices[:1].name}{more}-link')

    @api.model
    def _stripe_checkout_get_session_end(self, link_end=None):
        """Return when a session made now has to end.

        With the link, within what Stripe allows; where the link has less time left than the
        shortest session, the sweep expires the session at the link's end.

        :param datetime link_end: The end of the link, UTC.
        :return: The end of the session, UTC.
        :rtype: datetime
        """
        now = fields.Datetime.now()
        latest = now + timedelta(minutes=const.SESSION_MAXIMUM_MINUTES)
        earliest = now + timedelta(minutes=const.SESSION_MINIMUM_MINUTES)
        return max(earliest, min(latest, link_end or latest))

    def _stripe_checkout_can_be_taken_up(self):
        """Tell whether a call that nobody saw the answer of can be repeated with the same values.

        :rtype: bool
        """
        self.ensure_one()
        earliest = fields.Datetime.now() + timedelta(minutes=const.SESSION_MINIMUM_MINUTES - 1)
        return (
            not self.stripe_checkout_session_id
            and self.stripe_checkout_session_expires_at
            and self.stripe_checkout_session_expires_at > earliest
        )

    def _stripe_checkout_request_session(self):
        """Ask Stripe for the session of the transaction and store it.

        The row of the transaction is held meanwhile: a visitor who comes now waits for it, and is
        run again by Odoo because it was written.

        Between the commit of the intent and this lock somebody else may have retired it, since
        nobody knew an address of it yet: a session opened now would be one too many.

        :return: Whether there is a session; False if the intent was retired, or the invoices have
                 changed meanwhile.
        :rtype: bool
        :raise stripe.StripeError: If Stripe does not open the session.
        """
        self.ensure_one()
        self.env.cr.execute(
            SQL("SELECT id FROM payment_transaction WHERE id = %s FOR UPDATE", self.id)
        )
        self.invalidate_recordset(flush=False)
        if self.state != 'draft':
            return False
        if self.stripe_checkout_session_id:
            return True
        if not self._stripe_checkout_is_wanted():
            # Whoever changed the invoices meanwhile found no intent to retire. From here on they
            # do: the commit that showed it was before this look at the invoices.
            self._set_canceled()
            return False
        client = self.provider_id._stripe_checkout_get_client()
        try:
            session = client.v1.checkout.sessions.create(
                self._stripe_checkout_prepare_session_payload(),
                {'idempotency_key': payment_utils.generate_idempotency_key(self, 'session')},
            ).to_dict()
        except stripe.StripeError as error:
            if self._stripe_checkout_is_call_open(error):
                raise  # The next visit repeats the same call.
            # Stripe would replay this answer for the same key: the next visit needs another one.
            self._set_error(self.provider_id._stripe_checkout_describe_error(error))
            # The failure is kept although the request ends in an error.
            self.env.cr.commit()  # pylint: disable=invalid-commit
            raise
        self.write({
            'stripe_checkout_session_id': session['id'],
            'stripe_checkout_session_url': session['url'],
            'provider_reference': session['id'],
        })
        return True

    @staticmethod
    def _stripe_checkout_is_call_open(error):
        """Tell whether a call that failed can still be repeated under its idempotency key.

        Without an answer nobody knows what was done; a rate limit did nothing; and a key in use
        (409, https://docs.stripe.com/api/idempotent_requests) is one whose first call, mostly that
        of a worker that died, Stripe still works on.

        :param stripe.StripeError error: The error.
        :rtype: bool
        """
        return (
            isinstance(error, stripe.APIConnectionError | stripe.RateLimitError)
            or error.http_status == 409
        )

    # === RETIRING === #

    def _stripe_checkout_retire(self):
        """Make sure that the sessions can no longer be paid.

        Stripe is asked about all of them before anything is written: nobody waits for its answers
        with us.

        :return: Whether all of them are retired; False if one turned out to be paid or on its way,
                 and was settled instead.
        :rtype: bool
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        opened = self.filtered('stripe_checkout_session_id')
        ended = {tx: tx._stripe_checkout_end_session() for tx in opened}
        # Nobody was ever given the address of the others: they cannot be paid.
        (self - opened)._set_canceled()
        retired = True
        for provider, transactions in opened.grouped('provider_id').items():
            facts_list = [ended[tx] for tx in transactions if ended[tx]]
            self._stripe_checkout_settle(provider, facts_list)
            retired &= all(facts.outcome in ('expired', 'failed') for facts in facts_list)
        return retired

    def _stripe_checkout_end_session(self):
        """Expire the session at Stripe; where that is refused, see what became of it.

        :return: The facts of the session; None if Stripe does not know it, and it was given up.
        :rtype: SessionFacts|None
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        self.ensure_one()
        sessions = self.provider_id._stripe_checkout_get_client().v1.checkout.sessions
        try:
            session = sessions.expire(self.stripe_checkout_session_id).to_dict()
        except stripe.InvalidRequestError:
            session = self._stripe_checkout_retrieve_or_give_up()  # Only an open one can be ended.
        return session and session_facts.from_session(session)
