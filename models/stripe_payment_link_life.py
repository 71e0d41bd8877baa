"""The life of a link: handed out, opened, renewed, replaced, revoked."""

import logging
from datetime import timedelta

import stripe

from odoo import api, fields, models

from .. import utils

_logger = logging.getLogger(__name__)

# Whoever asks for a new link is not sent another for as long, and no more than so many a day.
RENEWAL_PAUSE = timedelta(minutes=10)
RENEWALS_PER_DAY = 3


class StripePaymentLink(models.Model):
    _inherit = 'stripe.payment.link'

    sent_at = fields.Datetime(
        string="Sent On", help="When the link was mailed to the client.", readonly=True
    )
    sent_to = fields.Char(readonly=True)
    sent_with = fields.Selection(
        selection=[
            ('invoice', "Invoice"),
            ('reminder', "Reminder"),
            ('request', "At the client's request"),
            ('failure', "After a failed payment"),
        ],
        readonly=True,
    )
    opened_at = fields.Datetime(
        string="First Opened On",
        help="When the link first led somebody to Stripe.",
        readonly=True,
    )
    ended_at = fields.Datetime(
        string="Ended On", help="When staff withdrew or replaced the link.", readonly=True
    )
    ended_by_id = fields.Many2one('res.users', readonly=True)
    renewed_at = fields.Datetime(
        string="New Link Asked For On",
        help="When somebody who opened the link after its end last asked for a new one.",
        readonly=True,
    )

    # === HANDED OUT === #

    @api.model
    def _hand_out(self, invoices, recipients, occasion='invoice', amount=0.0, due_until=None):
        """Return a link that is mailed now: the first time the one that posting made, then a fresh
        one. Links that were mailed before live on as long as they were meant to.

        :param account.move invoices: The invoices that the link asks for.
        :param res.partner recipients: Whom it is mailed to.
        :param str occasion: Why, a value of `sent_with`.
        :param float amount: The part of one invoice that the link asks for, in major units; 0 for
               all that is left.
        :param date due_until: The day up to which installments are that part, if they are.
        :return: The link; its expiry runs from now.
        :rtype: stripe.payment.link
        """
        link = self.browse()
        if len(invoices) == 1 and not amount:
            link = invoices.sudo().stripe_payment_link_ids._get_current()
        if not link or link.expires_at:  # None yet, or handed out or opened before.
            link = self.sudo().create([
                self._prepare_values(invoices, amount=amount, due_until=due_until)
            ])
        link.sudo().write({
            'sent_at': fields.Datetime.now(),
            'sent_to': ', '.join(recipients.filtered('email').mapped('email')),
            'sent_with': occasion,
        })
        link._start_expiry()
        return link

    def _start_expiry(self):
        """Let the expiry run from now, unless it runs already."""
        now = fields.Datetime.now()
        for link in self.filtered(lambda link: not link.expires_at):
            hours = link._get_provider()._stripe_checkout_get_link_hours()
            link.expires_at = now + timedelta(hours=hours)

    def _note_opened(self):
        """Note the first visit, and let the expiry run from it at the latest.

        Written once: later visits only read, so that they never wait for each other.

        :raise psycopg2.errors.SerializationFailure: If another visitor notes it right now.
        """
        self.ensure_one()
        if self.opened_at:
            return
        self.opened_at = fields.Datetime.now()
        self._start_expiry()
        self.flush_recordset()

    # === RENEWED === #

    def _get_contact(self):
        """Return whom the invoices are made out to: who alone is mailed a new link.

        :rtype: res.partner
        """
        return self.move_ids[:1].partner_id

    def _is_overdue(self):
        """Tell whether an installment of the invoices is past its day, where payments are booked.

        :rtype: bool
        """
        self.ensure_one()
        invoices = self.move_ids.with_context(tz=self._get_provider().stripe_checkout_tz)
        return any(invoice._stripe_checkout_is_overdue() for invoice in invoices)

    def _get_successors(self):
        """Return the links of the same invoices that still lead to a payment.

        :rtype: stripe.payment.link
        """
        self.ensure_one()
        return self.move_ids.sudo().stripe_payment_link_ids.filtered(
            lambda link: link.move_ids == self.move_ids and not link._has_ended()
        )

    def _renew(self):
        """Mail a fresh link to the invoices' own contact, at the request of whoever holds this one.

        Nothing is shown to the holder, who may be anybody by now; and nobody can flood the contact.

        :return: Whether a fresh link is on its way; False where as many as may be were sent today.
        :rtype: bool
        """
        self.ensure_one()
        if self._get_state() not in ('expired', 'replaced') or not self._get_contact().email:
            return False
        if self._get_invoices()._stripe_checkout_get_state() != 'payable':
            return False
        now = fields.Datetime.now()
        links = self.move_ids.sudo().stripe_payment_link_ids
        mailed = [
            moment for moment in links.mapped('sent_at') + links.mapped('renewed_at') if moment
        ]
        if mailed and max(mailed) > now - RENEWAL_PAUSE:
            return True
        requested = links.filtered(
            lambda link: link.sent_with == 'request' and link.sent_at > now - timedelta(days=1)
        )
        if len(requested) >= RENEWALS_PER_DAY:
            return False
        # Two requests at once both write here: Odoo runs the second again, and it ends above.
        self.renewed_at = now
        self.flush_recordset()
        link = self._hand_out(
            self._get_invoices(), self._get_contact(), 'request', **self._get_part_values()
        )
        template = self.env.ref('payment_stripe_checkout.mail_template_new_link')
        link._write_mail(template).send_after_commit()
        return True

    def _write_mail(self, template):
        """Write a mail that carries the link, and show it in the history of the first invoice.

        :param mail.template template: The template, of the model of links.
        :return: The mail, not sent yet.
        :rtype: mail.mail
        """
        self.ensure_one()
        values = {
            'model': 'account.move',
            'res_id': self.move_ids[:1].id,
            'author_id': self.company_id.partner_id.id,
        }
        # In sudo mode: staff read no tokens, and a stranger may have asked.
        mail_id = template.sudo().send_mail(self.id, email_values=values)
        return self.env['mail.mail'].sudo().browse(mail_id)

    # === ENDED BY STAFF === #

    def _end(self, how):
        """End the links at once.

        :param str how: `'revoked'`, or `'replaced'` where there is another to use.
        :return: None
        """
        self.sudo().write({  # Staff write no links by themselves.
            how: True,
            'ended_at': fields.Datetime.now(),
            'ended_by_id': self.env.uid,
        })

    def _revoke(self):
        """Withdraw the links, and the sessions at Stripe that they led to.

        Those that have ended before, too: they would offer to mail a fresh one.

        :return: Whether nothing can be paid through them from now on; False if Stripe could not be
                 asked: the sweep repeats it.
        :rtype: bool
        """
        links = self.sudo()  # Staff see no claims, and write no links by themselves.
        links.filtered(lambda link: not link._has_ended())._end('revoked')
        links.revoked = True
        claims_sudo = self.env['stripe.checkout.claim'].sudo()
        claims = claims_sudo._lock_for_invoices(links.move_ids)
        transactions = claims.transaction_id.filtered(
            lambda tx: tx.state == 'draft' and tx.stripe_checkout_link_id
        )
        try:
            return transactions._stripe_checkout_retire()
        except stripe.StripeError as error:
            _logger.warning(
                "Could not retire the sessions of links %s: %s", links.ids, utils.redact(str(error))
            )
            return False

    # === TOLD === #

    def _get_timeline(self):
        """Tell what became of the link.

        :return: When (UTC) and what, in any order; without a time where it did not happen.
        :rtype: list[tuple[datetime|None, str]]
        """
        self.ensure_one()
        told = [
            (self.sent_at, self._tell_sent()),
            (self.opened_at, self.env._("Payment link opened for the first time")),
        ]
        if self.ended_at:
            values = {'user': self.ended_by_id.name or ''}
            text = (
                self.env._("Payment link replaced by %(user)s", **values)
                if self.replaced
                else self.env._("Payment link revoked by %(user)s", **values)
            )
            told.append((self.ended_at, text))
        elif self._is_expired():
            told.append((self.expires_at, self.env._("Payment link expired")))
        return told

    def _tell_sent(self):
        values = {'recipients': self.sent_to or ''}
        if self.sent_with == 'reminder':
            return self.env._("Reminder with payment link sent to %(recipients)s", **values)
        if self.sent_with == 'request':
            return self.env._("New payment link sent on request to %(recipients)s", **values)
        if self.sent_with == 'failure':
            return self.env._("Payment link to try again sent to %(recipients)s", **values)
        return self.env._("Invoice with payment link sent to %(recipients)s", **values)
