"""What clients are told by mail after a payment, a failed debit or a declined attempt.

What happened and that a mail is due are written in one database transaction, so that each is told
once. A cron writes the mail: a template that staff broke, or a slow receipt, holds up no booking.
"""

import logging
from datetime import timedelta

import stripe
from psycopg2.extensions import TransactionRollbackError

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import session_facts, utils

_logger = logging.getLogger(__name__)

MAILS_LIMIT = 100  # in one run
# A confirmation waits as long for the payment method, if Stripe cannot be asked at once.
METHOD_PATIENCE = timedelta(minutes=5)
METHOD_PAUSE = timedelta(minutes=1)
# How long a mail waits at least where somebody else writes the transaction, such as the success
# page.
CONFLICT_PAUSE = timedelta(seconds=5)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    stripe_checkout_mail = fields.Selection(
        string="Mail to the Client",
        selection=[
            ('confirmation', "Payment confirmation"),
            ('debit_failed', "Failed debit"),
            ('unpaid', "Ended unpaid"),
        ],
        readonly=True,
        copy=False,
    )
    stripe_checkout_mail_state = fields.Selection(
        string="State of the Mail",
        selection=[
            ('to_send', "To send"),
            ('sent', "Sent"),
            ('skipped', "Not needed"),
            ('error', "Failed"),
        ],
        readonly=True,
        copy=False,
    )
    stripe_checkout_mail_at = fields.Datetime(string="Mailed On", readonly=True, copy=False)

    _stripe_checkout_mail_due = models.Index(
        "(id) WHERE stripe_checkout_mail_state = 'to_send'",
    )

    # === WHAT IS DUE === #

    @api.model
    def _stripe_checkout_create_payments(self, facts_by_transaction):
        """Override to owe the client a confirmation, in the transaction that books."""
        res = super()._stripe_checkout_create_payments(facts_by_transaction)
        everything = self.browse().concat(*facts_by_transaction)
        everything.filtered(
            lambda tx: tx.invoice_ids and tx.provider_id.stripe_checkout_send_confirmations
        )._stripe_checkout_owe_mail('confirmation')
        return res

    def _stripe_checkout_owe_mail(self, kind):
        """Have a mail written as soon as this database transaction is committed.

        :param str kind: A value of `stripe_checkout_mail`.
        :return: None
        """
        if self:
            self.write({'stripe_checkout_mail': kind, 'stripe_checkout_mail_state': 'to_send'})
            self._stripe_checkout_wake_mails()

    @api.model
    def _stripe_checkout_wake_mails(self, pause=None):
        """Have the mails written that are due.

        :param timedelta|None pause: How long to wait; None for as soon as this is committed.
        """
        cron = self.env.ref('payment_stripe_checkout.ir_cron_send_mails', raise_if_not_found=False)
        if cron:  # Without it no mail is sent, but what was captured is booked all the same.
            cron.sudo()._trigger(at=pause and fields.Datetime.now() + pause)

    # === SENDING === #

    @api.model
    def _cron_stripe_checkout_send_mails(self):
        """Write the mails that are due, each in a database transaction of its own."""
        transactions = self.search(
            [('stripe_checkout_mail_state', '=', 'to_send')], limit=MAILS_LIMIT, order='id'
        )
        cron = self.env['ir.cron']
        for number, tx in enumerate(transactions, start=1):
            try:
                tx._stripe_checkout_send_mail()
                self.env.flush_all()
            except TransactionRollbackError:
                self.env.cr.rollback()  # Somebody else writes it right now.
                self._stripe_checkout_wake_mails(CONFLICT_PAUSE)
            except Exception as error:
                self.env.cr.rollback()
                _logger.exception(
                    "Could not write the mail about transaction %s: %s",
                    tx.reference,
                    utils.redact(str(error)),
                )
                tx.stripe_checkout_mail_state = 'error'
                tx._stripe_checkout_follow_up_mail()
            if not cron._commit_progress(1, remaining=len(transactions) - number):
                return

    def _stripe_checkout_send_mail(self):
        """Write the mail that is due, unless it has become pointless or is too early.

        :raise Exception: Whatever a template can raise that staff have changed.
        """
        self.ensure_one()
        is_confirmation = self.stripe_checkout_mail == 'confirmation'
        # Before the row is held: nobody waits for Stripe's answer with us.
        if is_confirmation and not self._stripe_checkout_know_method():
            return
        if not self.try_lock_for_update():
            self._stripe_checkout_wake_mails(CONFLICT_PAUSE)
            return
        if self.stripe_checkout_mail_state != 'to_send':
            return  # Sent or given up while Stripe was asked.
        if is_confirmation:
            mail = self._stripe_checkout_mail_confirmation()
        else:
            mail = self._stripe_checkout_mail_retry()
        self.write({
            'stripe_checkout_mail_state': 'sent' if mail else 'skipped',
            'stripe_checkout_mail_at': fields.Datetime.now(),
        })
        mail.send_after_commit()

    def _stripe_checkout_know_method(self):
        """Learn how the client paid, which the event of a payment does not say.

        :return: Whether the confirmation need not wait any longer.
        :rtype: bool
        """
        if self.stripe_checkout_method:
            return True
        try:
            session = self.provider_id._stripe_checkout_retrieve_session(
                self.stripe_checkout_session_id
            )
        except (stripe.StripeError, UserError) as error:  # Or Stripe was disconnected meanwhile.
            _logger.warning(
                "Could not read how %s was paid: %s", self.reference, utils.redact(str(error))
            )
            if self.payment_id.create_date + METHOD_PATIENCE < fields.Datetime.now():
                return True
            self._stripe_checkout_wake_mails(METHOD_PAUSE)
            return False
        # In a snapshot from before the call, what the balance has told meanwhile would be missing.
        self.env.cr.commit()  # pylint: disable=invalid-commit
        if not self.stripe_checkout_method:
            self.stripe_checkout_method = session_facts.from_session(session).method
        return True

    def _stripe_checkout_mail_confirmation(self):
        """Write the payment confirmation.

        :return: The mail; empty for a client without an address.
        :rtype: mail.mail
        """
        payment = self.payment_id
        if not self.partner_id.email:
            return self.env['mail.mail']
        template_sudo = self.env.ref('payment_stripe_checkout.mail_template_confirmation').sudo()
        if not payment._stripe_checkout_can_print():
            _logger.info("No PDF can be made here: %s is confirmed without one", payment.name)
            template_sudo = template_sudo.with_context(stripe_checkout_without_report=True)
        values = {'author_id': self.company_id.partner_id.id}
        mail_id = template_sudo.send_mail(payment.id, email_values=values)
        return self.env['mail.mail'].sudo().browse(mail_id)

    def _stripe_checkout_get_contact(self):
        """Return who is told that nothing was paid after all: whom the invoices are made out to.

        :rtype: res.partner
        """
        return self.invoice_ids[:1].partner_id

    def _stripe_checkout_mail_retry(self):
        """Tell the client that nothing was paid after all, with a fresh link to try again.

        Of a debit that failed the client hears in any case, without a link where there is nothing
        to try again: only they believe that it was paid.

        :return: The mail; empty if there is nobody to write to, or nothing to try again.
        :rtype: mail.mail
        """
        link = self.env['stripe.payment.link']
        if self._stripe_checkout_get_contact().email:
            link = self._stripe_checkout_get_retry_link()
        if not link:
            return self.env['mail.mail']
        template = self.env.ref(
            f'payment_stripe_checkout.mail_template_{self.stripe_checkout_mail}'
        )
        # Of what was no debit, such as a voucher that was not paid in time, the mail speaks so.
        is_debit = self._stripe_checkout_is_debit()
        return link._write_mail(template.with_context(stripe_checkout_is_debit=is_debit))

    def _stripe_checkout_get_retry_link(self):
        """Return the link that the mail about a failure is written on.

        :return: A fresh one if the client can and should try again; else, for a debit that failed,
                 one that leads to no payment now; else none.
        :rtype: stripe.payment.link
        """
        links = self.env['stripe.payment.link']
        is_debit = self.stripe_checkout_mail == 'debit_failed'
        newer = self.invoice_ids.transaction_ids.filtered(
            lambda tx: tx.id > self.id and tx.state not in ('cancel', 'error')
        )
        states = self.invoice_ids._stripe_checkout_get_states()
        payable = self.invoice_ids.filtered(lambda invoice: states[invoice] == 'payable')
        link = self.stripe_checkout_link_id
        if payable and not link.revoked and (is_debit or not newer):
            contact = self._stripe_checkout_get_contact()
            part = self._stripe_checkout_get_retry_part()
            return links._hand_out(payable, contact, 'failure', **part)
        if is_debit:
            return link or links._get_or_create_for_all(self.invoice_ids)
        return links

    def _stripe_checkout_get_retry_part(self):
        """Return the part of the invoice that the client had chosen: it is asked for again.

        :return: `amount` in major units and, of installments, `due_until`: see `_hand_out`.
        :rtype: dict
        """
        self.ensure_one()
        link = self.stripe_checkout_link_id
        if link:
            return link._get_part_values()
        # Odoo's payment form, which has no link. Less a discount, it was all of the invoice.
        is_for_all = (
            len(self.invoice_ids) != 1
            or (self.stripe_checkout_promise or {}).get('discounts')
            or self.currency_id.compare_amounts(self.amount, self.invoice_ids.amount_residual) >= 0
        )
        return {'amount': 0.0 if is_for_all else self.amount}

    def _stripe_checkout_follow_up_mail(self):
        """Leave a to-do where a mail could not be written."""
        self._stripe_checkout_schedule_follow_up(
            self.env._("A mail to the client could not be written"),
            self.env._(
                "The client was not told about the online payment %(reference)s. Check the e-mail "
                "template, and write to the client.",
                reference=self.reference,
            ),
        )
