"""Payment reminders with a fresh link: by hand for one or many, or on schedule."""

import logging
from datetime import timedelta

from psycopg2.extensions import TransactionRollbackError

from odoo import api, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

from .. import utils
from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

# A stage that was missed is made up for as long; whoever switches the schedule on does not write
# to every debtor of the past.
CATCH_UP_DAYS = 2


class AccountMove(models.Model):
    _inherit = 'account.move'

    # === BY HAND === #

    def action_stripe_checkout_open_remind(self):
        """Show what reminders would be sent, for confirmation.

        :return: The action of the wizard.
        :rtype: dict
        :raise AccessError: If the user does not bill.
        """
        self._stripe_checkout_check_staff()
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._("Send Payment Reminder"),
            'res_model': 'stripe.checkout.remind',
            'view_mode': 'form',
            'target': 'new',
            'context': {'default_move_ids': self.ids},
        }

    def _stripe_checkout_check_staff(self):
        """Let billing staff act on invoices of their companies.

        :raise AccessError: If the user does not bill, or the invoices are out of reach.
        """
        if not self.env.user.has_group('account.group_account_invoice'):
            raise AccessError(self.env._("Only billing staff can do this."))
        self.check_access('read')

    def _stripe_checkout_get_reminder_refusal(self):
        """Say why the client cannot be reminded of the invoice.

        :return: The reason; empty if there is none.
        :rtype: str
        """
        self.ensure_one()
        if self.payment_state == 'blocked' or self._stripe_checkout_filter_disputed():
            return self.env._("disputed")
        state = self._stripe_checkout_get_state()
        if state == 'payable':
            return '' if self.partner_id.email else self.env._("the client has no e-mail address")
        return {
            'draft': self.env._("not posted"),
            'cancelled': self.env._("cancelled"),
            'reversed': self.env._("reversed"),
            'processing': self.env._("a payment is on its way"),
            'paid': self.env._("paid"),
            'refunded': self.env._("refunded"),
            'zero': self.env._("nothing to pay"),
        }.get(state) or self.env._("not offered for online payment")

    def _stripe_checkout_remind(self, stage=None, due=None):
        """Send a reminder with a fresh link; the client can be reminded, see above.

        The link asks for the installment that is overdue or next, where there are several.

        :param int stage: The stage of the schedule, in days from the due date; None by hand.
        :param date due: The due date that the stage counts from; None by hand.
        :return: None
        """
        self.ensure_one()
        # In sudo mode: only the addon itself notes reminders.
        reminder = (
            self
            .env['stripe.checkout.reminder']
            .sudo()
            .create({
                'move_id': self.id,
                'stage': None if stage is None else str(stage),
                'due_date': due,
            })
        )
        choices = {choice['key']: choice for choice in self._stripe_checkout_get_choices()}
        part = choices.get('next', {})
        link = self.env['stripe.payment.link']._hand_out(
            self, self.partner_id, 'reminder', part.get('amount', 0.0), part.get('until')
        )
        reminder.link_id = link
        template = self.env.ref('payment_stripe_checkout.mail_template_reminder')
        link._write_mail(template).send_after_commit()

    # === ON SCHEDULE === #

    @api.model
    def _cron_stripe_checkout_remind(self):
        """Send the reminders that are due today, of every connection that has them switched on."""
        providers_sudo = self.env['payment.provider'].sudo()
        providers = providers_sudo.search([
            ('code', '=', PROVIDER_CODE),
            ('stripe_checkout_reminders', '=', True),
        ])
        due = [
            (line.move_id, stage, line.date_maturity)
            for provider in providers.filtered(lambda p: p._stripe_checkout_takes_payments())
            for stage in provider._stripe_checkout_get_reminder_stages()
            for line in self._stripe_checkout_find_due_installments(provider, stage)
        ]
        for number, (invoice, stage, day) in enumerate(due, start=1):
            try:
                invoice._stripe_checkout_remind_on_schedule(stage, day)
            except TransactionRollbackError:
                self.env.cr.rollback()  # Somebody works on it right now: tomorrow makes up for it.
            except Exception as error:
                self.env.cr.rollback()
                _logger.exception(
                    "Could not remind of invoice %s: %s", invoice.id, utils.redact(str(error))
                )
            if not self.env['ir.cron']._commit_progress(1, remaining=len(due) - number):
                return

    @api.model
    def _stripe_checkout_find_due_installments(self, provider, stage):
        """Return the unpaid installments that have reached a stage; most invoices have one.

        :param payment.provider provider: The connection.
        :param int stage: The stage, in days from the due date.
        :rtype: account.move.line
        """
        latest = provider._stripe_checkout_get_today() - timedelta(days=stage)
        domain = (
            Domain('display_type', '=', 'payment_term')
            & Domain('parent_state', '=', 'posted')
            & Domain('reconciled', '=', False)
            & Domain('move_id.move_type', '=', 'out_invoice')
            & Domain('move_id.payment_state', 'in', ('not_paid', 'partial'))
            & Domain('company_id', 'child_of', provider.company_id.id)
            & Domain('date_maturity', '<=', latest)
            & Domain('date_maturity', '>=', latest - timedelta(days=CATCH_UP_DAYS))
        )
        return self.env['account.move.line'].search(domain, order='date_maturity, id')

    def _stripe_checkout_remind_on_schedule(self, stage, due):
        """Remind of an invoice, unless that became pointless or was done already.

        :param int stage: The stage, in days from the due date.
        :param date due: The due date of the installment that has reached the stage.
        """
        self.ensure_one()
        provider = self._stripe_checkout_get_provider()
        if (
            not provider.stripe_checkout_reminders
            or self._stripe_checkout_get_last_written(provider) >= due + timedelta(days=stage)
            or self._stripe_checkout_get_reminder_refusal()
        ):
            return
        if (
            self.currency_id.compare_amounts(
                self._stripe_checkout_get_credit(), self.amount_residual
            )
            < 0
        ):
            self._stripe_checkout_remind(stage, due)
        else:
            self._stripe_checkout_follow_up_unapplied_credit(provider)

    def _stripe_checkout_follow_up_unapplied_credit(self, provider):
        """Leave a to-do, once, in place of the reminder to a client whose credit covers all.

        :param payment.provider provider: The connection.
        """
        self.ensure_one()
        summary = self.env._("Not reminded: the client has credit")
        if summary not in self.activity_ids.mapped('summary'):
            self.activity_schedule(
                'mail.mail_activity_data_todo',
                summary=summary,
                note=self.env._(
                    "The client's credit covers this invoice. Apply it, and nobody is reminded."
                ),
                user_id=provider._stripe_checkout_get_follow_up_user(self.company_id).id,
            )

    def _stripe_checkout_get_last_written(self, provider):
        """Return when the client last heard of the invoice, so that nobody hears twice of one day:
        by the invoice itself, by a reminder of another stage or by hand, or at their own request.

        :param payment.provider provider: The connection, in whose time zone days are counted.
        :rtype: date
        """
        self.ensure_one()
        # In sudo mode: the addon's own notes.
        sent = [link.sent_at for link in self.sudo().stripe_payment_link_ids if link.sent_at]
        return max([self.invoice_date, *map(provider._stripe_checkout_get_day, sent)])
