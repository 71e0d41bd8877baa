"""The to-do about the health of a connection, and who receives it."""

from odoo import models


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _stripe_checkout_follow_up_health(self):
        """Give billing admins one to-do while something is wrong, and take it off again."""
        self.ensure_one()
        activity_type = 'payment_stripe_checkout.mail_activity_type_health'
        if self.stripe_checkout_webhook_state != 'warning':
            self.activity_unlink([activity_type])
            return
        message = self._stripe_checkout_describe_problem()
        present = self.activity_search([activity_type])
        if present:
            if present.sudo().filtered(lambda activity: message not in (activity.note or '')):
                present.sudo().note = message
            return
        self.activity_schedule(
            activity_type,
            summary=self.env._("Online payments need attention"),
            note=message,
            user_id=self._stripe_checkout_get_admin_user().id,
        )

    def _stripe_checkout_get_admin_user(self):
        """Return which billing admin receives the to-dos that only they can see to the end: about
        the connection, events and movements of the balance.

        Whoever follows payments up need not be one, and could not even open them.

        :return: Who is set for the follow-up, or has connected, where they can; else any who can.
        :rtype: res.users
        """
        self.ensure_one()
        admins_sudo = (
            self
            .env['res.users']
            .sudo()
            .search([
                ('all_group_ids', 'in', self.env.ref('account.group_account_manager').ids),
                ('company_ids', 'in', self.company_id.ids),
            ])
        )
        system_admin = self.env.ref('base.user_admin')
        preferred = self.stripe_checkout_user_id | self.stripe_checkout_connected_by_id
        preferred |= system_admin
        return (preferred & admins_sudo)[:1] or admins_sudo[:1] or system_admin
