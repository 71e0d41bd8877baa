"""Refunds: asked for in Odoo or made at Stripe, each booked once by its id."""

import logging
from datetime import timedelta

import stripe
from psycopg2 import IntegrityError
from psycopg2.extensions import TransactionRollbackError

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.payment import utils as payment_utils

from .. import const, refund_facts, utils
from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

# Stripe forgets idempotency keys after 24 hours: https://docs.stripe.com/api/idempotent_requests
REPEATABLE = timedelta(hours=23)
# How often Stripe's answer is booked again where its event is being booked at that time.
BOOKING_ATTEMPTS = 5


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    stripe_checkout_refund_id = fields.Char(string="Stripe Refund", readonly=True, copy=False)

    _stripe_checkout_refund_unique = models.UniqueIndex(
        '(stripe_checkout_refund_id) WHERE stripe_checkout_refund_id IS NOT NULL',
        "A refund belongs to one transaction.",
    )

    # === ASKED FOR IN ODOO === #

    def _send_refund_request(self):
        """Override of `payment` to make the refund at Stripe.

        The transaction that names the idempotency key is committed first: however often Odoo runs
        the request again, and wherever a worker dies, Stripe refunds once.

        :raise ValidationError: If Stripe refuses; with what can still be refunded.
        """
        if self.provider_code != PROVIDER_CODE:
            super()._send_refund_request()
            return
        self.ensure_one()
        self._stripe_checkout_check_refundable()
        # The intent is stored before Stripe is called.
        self.env.cr.commit()  # pylint: disable=invalid-commit
        facts, message = None, None
        try:
            facts = self._stripe_checkout_request_refund()
        except stripe.StripeError as error:
            message = self.provider_id._stripe_checkout_describe_error(error)
        self._stripe_checkout_keep_answer(facts, message)

    def _stripe_checkout_keep_answer(self, facts, message):
        """Keep what Stripe answered, whatever hinders that.

        The money may have left, so nothing is raised any more: Odoo would run the request again
        from its beginning, which would ask Stripe for one more refund under another key. What is
        not booked here is booked by the refund's event, or by the sweep.

        :param RefundFacts|None facts: The facts of the refund; None if nobody knows what was done.
        :param str|None message: Why nobody knows.
        """
        for _attempt in range(BOOKING_ATTEMPTS):
            # A snapshot from before the call would miss what the event has booked meanwhile.
            self.env.cr.commit()  # pylint: disable=invalid-commit
            try:
                if facts:
                    self._stripe_checkout_settle_refunds(self.provider_id, [facts])
                else:
                    self._stripe_checkout_await_answer(message)
                self.env.cr.commit()  # pylint: disable=invalid-commit
                return
            except (TransactionRollbackError, IntegrityError):
                self.env.cr.rollback()  # Its event is booked right now.
            except Exception:
                self.env.cr.rollback()
                _logger.exception("The refund %s is made, but not booked yet", self.reference)
                return
        _logger.warning("The refund %s is left to its event or the sweep", self.reference)

    def _stripe_checkout_await_answer(self, message):
        """Have the sweep ask what became of the refund, and repeat the same call.

        :param str message: Why nobody knows.
        """
        if self.state == 'draft':
            self._set_pending(state_message=message)

    def _stripe_checkout_check_refundable(self):
        """Refuse to refund more than is left, or what Stripe cannot pay back exactly.

        :raise ValidationError: With the amount that is left, where it is more.
        """
        try:
            utils.to_minor_units(-self.amount, self.currency_id.name)
        except utils.InexactAmount:
            raise ValidationError(self.env._("Stripe cannot refund exactly this amount.")) from None
        source = self.source_transaction_id
        left = source._stripe_checkout_get_refundable(but=self)
        if self.currency_id.compare_amounts(-self.amount, left) > 0:
            raise ValidationError(
                self.env._(
                    "Only %(left)s of this payment can still be refunded.",
                    left=self.currency_id.format(left),
                )
            )

    def _stripe_checkout_get_refundable(self, but=None):
        """Return what of a payment has not been refunded, and is not being refunded.

        What a lost dispute took is with the client already.

        :param payment.transaction but: A refund that does not count.
        :return: The amount in major units.
        :rtype: float
        """
        self.ensure_one()
        refunds = self.child_transaction_ids.filtered(
            lambda tx: tx.operation == 'refund' and tx.state in ('draft', 'pending', 'done')
        )
        captured = self.payment_id.amount or self.amount
        refunded = -sum((refunds - (but or refunds.browse())).mapped('amount'))
        disputes_sudo = self.env['stripe.dispute'].sudo()  # Whoever refunds need not see them.
        lost = disputes_sudo.search([
            ('transaction_id', '=', self.id),
            ('chargeback_move_id', '!=', False),
            ('chargeback_move_id.reversal_move_ids', '=', False),
        ])
        left = captured - refunded - sum(lost.mapped('amount'))
        return max(0.0, self.currency_id.round(left))

    def _stripe_checkout_request_refund(self):
        """Ask Stripe for the refund of the transaction.

        :return: The facts of the refund that Stripe has made.
        :rtype: RefundFacts
        :raise ValidationError: If Stripe refuses.
        :raise stripe.StripeError: If nobody knows what was done.
        """
        self.ensure_one()
        source = self.source_transaction_id
        client = self.provider_id._stripe_checkout_get_client()
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        try:
            refund = client.v1.refunds.create(
                {
                    'payment_intent': source.stripe_checkout_payment_intent,
                    'amount': utils.to_minor_units(-self.amount, self.currency_id.name),
                    'metadata': {
                        const.METADATA_DATABASE: database_uuid,
                        const.METADATA_PROVIDER: str(self.provider_id.id),
                        const.METADATA_TRANSACTION: self.reference,
                    },
                },
                {'idempotency_key': payment_utils.generate_idempotency_key(self, 'refund')},
            ).to_dict()
        except stripe.StripeError as error:
            # An error of Stripe's own may come after the money has left:
            # https://docs.stripe.com/error-low-level#idempotency
            is_indefinite = (error.http_status or 0) >= 500
            if is_indefinite or self._stripe_checkout_is_call_open(error):
                raise
            raise ValidationError(self.provider_id._stripe_checkout_describe_error(error)) from None
        return refund_facts.from_refund(refund)

    def _stripe_checkout_sweep_refund(self):
        """Find out what became of a refund that nobody saw the answer of.

        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        self.ensure_one()
        found = self._stripe_checkout_find_refunds_or_give_up()
        self.stripe_checkout_checked_at = fields.Datetime.now()
        if found is None:
            return
        if found:
            self._stripe_checkout_settle_refunds(
                self.provider_id, [refund_facts.from_refund(refund) for refund in found]
            )
        elif self.create_date > fields.Datetime.now() - REPEATABLE:
            try:
                facts = self._stripe_checkout_request_refund()
            except ValidationError as error:
                self._set_error(str(error))
            except stripe.StripeError as error:
                self._stripe_checkout_await_answer(
                    self.provider_id._stripe_checkout_describe_error(error)
                )
            else:
                self._stripe_checkout_settle_refunds(self.provider_id, [facts])
        else:
            self._set_error(self.env._("Stripe knows nothing of this refund."))

    def _stripe_checkout_find_refunds(self):
        """Read the refund from Stripe, by its id or, where no answer told it, by its transaction.

        :return: Stripe's Refund in a list, which is empty if it was never made.
        :rtype: list[dict]
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        self.ensure_one()
        refunds = self.provider_id._stripe_checkout_get_client().v1.refunds
        if self.stripe_checkout_refund_id:
            return [refunds.retrieve(self.stripe_checkout_refund_id).to_dict()]
        listed = refunds.list({
            'payment_intent': self.source_transaction_id.stripe_checkout_payment_intent,
            'limit': 100,
        })
        return [
            refund
            for refund in listed.to_dict()['data']
            if refund_facts.from_refund(refund).transaction_reference == self.reference
        ]

    # === SETTLE === #

    @api.model
    def _stripe_checkout_settle_refunds(self, provider, facts_list):
        """Bring refunds to the state that Stripe states, and book them.

        Right whatever the number and the order of the calls; the unique index on the booked payment
        keeps two concurrent ones from booking twice.

        :param payment.provider provider: The provider whose account the facts come from.
        :param list[RefundFacts] facts_list: The facts; those of foreign payments are left out.
        :return: The transactions of the refunds.
        :rtype: payment.transaction
        :raise UserError: If accounting refuses a payment.
        """
        settled = self.browse()
        for facts in facts_list:
            tx = self._stripe_checkout_match_refund(provider, facts)
            if not tx:
                continue
            settled += tx
            if tx.state == 'cancel':  # Given up when its account was left.
                tx._stripe_checkout_follow_again()
            if facts.outcome == 'paid':
                tx._stripe_checkout_book_refund(facts)
            elif facts.outcome == 'failed':
                tx._stripe_checkout_fail_refund(facts)
            elif tx.state == 'draft':
                tx._set_pending()
            tx.write({
                'stripe_checkout_refund_id': facts.refund_id,
                'provider_reference': facts.refund_id,
            })
        return settled

    @api.model
    def _stripe_checkout_match_refund(self, provider, facts):
        """Find the transaction of a refund, made here for one that was made at Stripe.

        Refunds of one payment come one after the other: whoever waits for another starts again.

        :return: The transaction, empty for the refund of a foreign payment.
        :rtype: payment.transaction
        """
        source = self.search([
            ('provider_id', '=', provider.id),
            ('stripe_checkout_payment_intent', '=', facts.payment_intent or ''),
        ])
        if not source or not source.payment_id:
            return self.browse()
        source._stripe_checkout_take_turn()
        refunds = source.child_transaction_ids.filtered(lambda tx: tx.operation == 'refund')
        known = refunds.filtered(
            lambda tx: (
                tx.stripe_checkout_refund_id == facts.refund_id
                or (
                    not tx.stripe_checkout_refund_id and tx.reference == facts.transaction_reference
                )
            )
        )
        return known[:1] or source._create_child_transaction(facts.amount, is_refund=True)

    def _stripe_checkout_book_refund(self, facts):
        """Book a refund, unless it is booked, and match it with what it gives back.

        :param RefundFacts facts: The facts of the refund.
        """
        self.ensure_one()
        if self.payment_id or (self.state == 'error' and self.stripe_checkout_refund_id):
            return  # Booked; or failed for good, and what says that it was paid is older.
        source = self.source_transaction_id
        original = source.payment_id
        payments_sudo = self.env['account.payment'].sudo().with_company(original.company_id)
        currency = self.env['res.currency']._stripe_checkout_find(facts.currency_name)
        discount_lines = source._stripe_checkout_prepare_discount_back(facts.amount)
        payment = payments_sudo.create({
            'payment_type': 'outbound',
            'partner_type': 'customer',
            'partner_id': original.partner_id.id,
            'amount': facts.amount,
            'currency_id': currency.id,
            'date': source._stripe_checkout_get_booking_date(facts.refunded_at, discount_lines),
            'journal_id': original.journal_id.id,
            'company_id': original.company_id.id,
            'payment_method_line_id': original.payment_method_line_id.id,
            'payment_transaction_id': self.id,
            'memo': f'{self.reference} - {facts.refund_id}',
            'destination_account_id': original.destination_account_id.id,
            'stripe_checkout_refund_id': facts.refund_id,
            'stripe_checkout_paid_at': facts.refunded_at,
            # Even an empty list lets Odoo make the journal entry at once, see its create.
            'write_off_line_vals': discount_lines,
        })
        payment.action_post()
        payment._stripe_checkout_note_lock()
        self.payment_id = payment
        if self.state != 'done':
            self._set_done(extra_allowed_states=('cancel', 'error'))
        self._stripe_checkout_post_process_safely(None)
        payment._stripe_checkout_match_refund()

    def _stripe_checkout_fail_refund(self, facts):
        """Take a refund back that failed or was cancelled; its amount can be refunded again.

        :param RefundFacts facts: The facts of the refund.
        """
        self.ensure_one()
        if self.state == 'error':
            return
        source = self.source_transaction_id
        invoices = source._stripe_checkout_get_paid_invoices()
        message = self.env._(
            "The refund of %(amount)s of %(invoices)s failed: %(reason)s. The money is back in "
            "Stripe's balance; refund it again, or pay it back in another way.",
            amount=self.currency_id.format(facts.amount),
            invoices=', '.join(invoices.mapped('name')) or source.reference,
            reason=facts.message or self.env._("no reason given"),
        )
        message += source._stripe_checkout_tell_discount_back(self)
        payment = self.payment_id
        self._set_error(message, extra_allowed_states=('done',))
        if payment and not payment.move_id.reversal_move_ids:
            failed_at = self._stripe_checkout_find_event_time('refund.failed', facts.refund_id)
            payment._stripe_checkout_reverse(source._stripe_checkout_get_booking_date(failed_at))
            source._stripe_checkout_follow_up_refunds()
            source._stripe_checkout_follow_up_credit()
        source._stripe_checkout_schedule_follow_up(
            self.env._("Refund failed"), message, documents=invoices
        )
