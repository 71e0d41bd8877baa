"""Payment reminders with a fresh link: by hand for one or many, or on schedule."""

import logging
from datetime import timedelta

import psycopg2

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
        }.get(state) or self.env._("not offered for online payment")

    def _stripe_checkout_remind(self, stage=None):
        """Send a reminder with a fresh link; the client can be reminded, see above.

        :param int stage: The stage of the schedule, in days from the due date; None by hand.
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
            })
        )
        link = self.env['stripe.payment.link']._hand_out(self, self.partner_id, 'reminder')
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
            (invoice, stage)
            for provider in providers.filtered(lambda p: p._stripe_checkout_takes_payments())
            for stage in provider._stripe_checkout_get_reminder_stages()
            for invoice in self._stripe_checkout_find_due_reminders(provider, stage)
        ]
        for number, (invoice, stage) in enumerate(due, start=1):
            try:
                invoice._stripe_checkout_remind_on_schedule(stage)
            except psycopg2.OperationalError:
                self.env.cr.rollback()  # Somebody works on it right now: tomorrow makes up for it.
            except Exception as error:
                self.env.cr.rollback()
                _logger.exception(
                    "Could not remind of invoice %s: %s", invoice.id, utils.redact(str(error))
                )
            if not self.env['ir.cron']._commit_progress(1, remaining=len(due) - number):
                return

    @api.model
    def _stripe_checkout_find_due_reminders(self, provider, stage):
        """Return the unpaid invoices that have reached a stage.

        :param payment.provider provider: The connection.
        :param int stage: The stage, in days from the due date.
        :rtype: account.move
        """
        latest = provider._stripe_checkout_get_today() - timedelta(days=stage)
        domain = (
            Domain('move_type', '=', 'out_invoice')
            & Domain('state', '=', 'posted')
            & Domain('payment_state', 'in', ('not_paid', 'partial'))
            & Domain('company_id', 'child_of', provider.company_id.id)
            & Domain('invoice_date_due', '<=', latest)
            & Domain('invoice_date_due', '>=', latest - timedelta(days=CATCH_UP_DAYS))
        )
        return self.search(domain, order='invoice_date_due, id')

    def _stripe_checkout_remind_on_schedule(self, stage):
        """Remind of an invoice, unless that became pointless or was done already.

        :param int stage: The stage, in days from the due date.
        """
        self.ensure_one()
        # In sudo mode: the history of reminders is the addon's own.
        reminders_sudo = self.env['stripe.checkout.reminder'].sudo()
        sent = reminders_sudo.search([('move_id', '=', self.id), ('stage', '!=', False)])
        provider = self._stripe_checkout_get_provider()
        if (
            any(int(reminder.stage) >= stage for reminder in sent)
            or not provider.stripe_checkout_reminders
            or self._stripe_checkout_get_reminder_refusal()
        ):
            return
        self._stripe_checkout_remind(stage)
