"""Disconnecting: at once, or when the last bank debit has come to an end."""

import stripe

from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..const import PROVIDER_CODE


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    @api.model
    def _remove_provider(self, code, **kwargs):
        """Override of `payment` to keep the addon while Stripe is connected.

        What would be left at Stripe is a webhook that nobody answers, and pages on which clients
        can go on paying what nobody books.

        :raise UserError: If a provider of ours is connected.
        """
        if code == PROVIDER_CODE:
            providers = self.search(self._get_provider_domain(code, **kwargs))
            connected = providers.filtered(
                lambda provider: provider._stripe_checkout_is_connected()
            )
            if connected:
                raise UserError(
                    self.env._(
                        "Disconnect Stripe before you uninstall: %(companies)s. Clients could go "
                        "on paying on pages that are open, and nobody would book it.",
                        companies=', '.join(connected.company_id.mapped('name')),
                    )
                )
        return super()._remove_provider(code, **kwargs)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_connected(self):
        """Keep what knows our webhook endpoint and its secret, which nobody could delete then."""
        ours = self.filtered(lambda provider: provider.code == PROVIDER_CODE)
        if any(provider._stripe_checkout_is_connected() for provider in ours):
            raise UserError(self.env._("Disconnect Stripe before you delete its connection."))

    # === WHAT IS RUNNING === #

    def _stripe_checkout_get_running(self, state):
        """Return the transactions of the provider whose sessions have not ended.

        :param str state: `'draft'` (can be paid) or `'pending'` (a bank debit is under way, also
                          one whose invoices staff have freed).
        :rtype: payment.transaction
        """
        self.ensure_one()
        transactions_sudo = self.env['payment.transaction'].sudo()
        is_running = Domain('state', '=', state)
        if state == 'pending':
            is_running |= Domain('stripe_checkout_freed', '=', True)
        return transactions_sudo.search(
            Domain('provider_id', '=', self.id)
            & Domain('operation', '=', 'online_redirect')
            & is_running
        )

    def _stripe_checkout_count_running(self):
        """Return the number of open payment pages, and the bank debits under way.

        :rtype: tuple[int, payment.transaction]
        """
        opened = self._stripe_checkout_get_running('draft').filtered('stripe_checkout_session_id')
        return len(opened), self._stripe_checkout_get_running('pending')

    # === STEPS === #

    def _stripe_checkout_end_sessions(self):
        """Expire the open sessions; one that turns out to be paid is settled.

        With a dead key none can be expired: each becomes a to-do, since it can still be paid until
        Stripe ends it, within a day.

        :return: How many sessions stay open at Stripe.
        :rtype: int
        :raise UserError: If Stripe cannot be reached: a session could be paid unnoticed then.
        """
        if not self._stripe_checkout_is_connected():
            # A neutralized copy has no key: the sessions are the original's.
            self._stripe_checkout_get_running('draft')._set_canceled()
            return 0
        try:
            self._stripe_checkout_get_running('draft')._stripe_checkout_retire()
        except (stripe.AuthenticationError, stripe.PermissionError):
            return self._stripe_checkout_give_sessions_up()
        except stripe.StripeError as error:
            raise UserError(self._stripe_checkout_describe_error(error)) from None
        return 0

    def _stripe_checkout_disconnect(self):
        """Forget the connection; invoices, payments, links, settings and the log stay.

        :return: The ids of the webhook endpoints that stay at Stripe, as with a dead key.
        :rtype: list[str]
        :raise UserError: If Stripe cannot be reached.
        """
        self.ensure_one()
        self._stripe_checkout_end_sessions()
        self._stripe_checkout_give_debits_up()
        self._stripe_checkout_give_refunds_up()
        # The last step: after the commit there would be no key left to try again with.
        left = self._stripe_checkout_delete_endpoints()
        account = self.stripe_checkout_account_name or self.stripe_checkout_account_id
        self.write({
            'state': 'disabled',
            'is_published': False,
            'stripe_checkout_secret_key': False,
            'stripe_checkout_publishable_key': False,
            'stripe_checkout_key_hint': False,
            'stripe_checkout_publishable_key_hint': False,
            'stripe_checkout_webhook_secret': False,
            'stripe_checkout_previous_webhook_secret': False,
            'stripe_checkout_previous_secret_expires_at': False,
            'stripe_checkout_endpoint_id': False,
            'stripe_checkout_former_endpoint_id': False,
            **self._stripe_checkout_prepare_seen_endpoint(None),
            'stripe_checkout_registered_at': False,
            'stripe_checkout_confirmed_at': False,
            'stripe_checkout_probed_at': False,
            'stripe_checkout_refusal': False,
            'stripe_checkout_refused_address': False,
            'stripe_checkout_undelivered_count': 0,
            'stripe_checkout_undelivered_cursor': False,
            'stripe_checkout_events_reading_to': False,
            'stripe_checkout_webhook_state': 'none',
            'stripe_checkout_problem': False,
            'stripe_checkout_problem_detail': False,
            'stripe_checkout_mode': False,
            'stripe_checkout_account_id': False,
            'stripe_checkout_account_name': False,
            'stripe_checkout_connected_at': False,
            'stripe_checkout_connected_by_id': False,
            'stripe_checkout_disconnecting': False,
        })
        self._stripe_checkout_follow_up_health()
        self._stripe_checkout_log(
            ' '.join([
                self.env._(
                    "Disconnected from %(account)s.", account=account or self.env._("Stripe")
                ),
                *self._stripe_checkout_describe_left(left),
            ])
        )
        return left

    def _stripe_checkout_describe_left(self, endpoint_ids):
        """Say which webhook endpoints stay at Stripe, and whether somebody has to delete them.

        :param list[str] endpoint_ids: Their ids.
        :return: The message in a list, which is empty where there is none.
        :rtype: list[str]
        """
        if not endpoint_ids:
            return []
        return self._stripe_checkout_describe_original(endpoint_ids[0]) or [
            self.env._(
                "Stripe does not accept the key any more, so the webhook endpoint stays there. "
                "Delete it in the Stripe Dashboard: %(endpoints)s",
                endpoints=', '.join(endpoint_ids),
            )
        ]

    def _stripe_checkout_finish_disconnecting(self):
        """Disconnect the providers that only waited for their last bank debit, and for its fee."""
        for provider in self.filtered('stripe_checkout_disconnecting'):
            if provider._stripe_checkout_get_running('pending'):
                continue
            if provider.env['account.payment']._stripe_checkout_await_movements(provider):
                provider._stripe_checkout_wake_feed()
                continue
            provider._stripe_checkout_disconnect()

    # === ACTIONS === #

    def action_stripe_checkout_open_disconnect(self):
        """Ask before disconnecting.

        :rtype: dict
        """
        self.ensure_one()
        self._stripe_checkout_check_access()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_stripe_checkout.action_stripe_checkout_disconnect'
        )
        return {**action, 'context': {'default_provider_id': self.id}}

    def action_stripe_checkout_disconnect(self, now=False):
        """Disconnect; while bank debits are under way, not before the last one has ended.

        :param bool now: Whether not to wait: each debit becomes a to-do then.
        :return: A notification.
        :rtype: dict
        :raise UserError: If Stripe is not connected or cannot be reached.
        """
        self.ensure_one()
        self._stripe_checkout_check_access()
        if not self._stripe_checkout_is_connected():
            raise UserError(self.env._("Stripe is not connected."))
        provider_sudo = self.sudo()  # Billing admins cannot write the connection.
        with provider_sudo._stripe_checkout_pausing():
            return provider_sudo._stripe_checkout_disconnect_now_or_later(now)

    def _stripe_checkout_disconnect_now_or_later(self, now):
        """Disconnect, or wait for the last bank debit.

        :param bool now: Whether not to wait.
        :return: A notification.
        :rtype: dict
        :raise UserError: If Stripe cannot be reached.
        """
        # Before debits are looked for: a session may turn out to be one that has just begun.
        given_up = self._stripe_checkout_end_sessions()
        if not now and self._stripe_checkout_get_running('pending'):
            self.stripe_checkout_disconnecting = True
            self._stripe_checkout_log(
                self.env._("To be disconnected when the last bank debit has come to an end.")
            )
            return self._stripe_checkout_notify(
                self.env._(
                    "No new payment is taken. Stripe is disconnected when the last bank debit has "
                    "come to an end."
                ),
                'info',
            )
        left = self._stripe_checkout_disconnect()
        sentences = [
            self.env._("Stripe is disconnected."),
            *self._stripe_checkout_describe_left(left),
        ]
        if given_up:
            sentences.append(
                self.env._(
                    "Payment pages that stay open at Stripe for up to a day: %(count)s. Each "
                    "became a to-do.",
                    count=given_up,
                )
            )
        kind = 'warning' if left or given_up else 'success'
        return self._stripe_checkout_notify(' '.join(sentences), kind)

    def action_stripe_checkout_stay_connected(self):
        """Take payments again instead of disconnecting after the last bank debit.

        :return: A notification.
        :rtype: dict
        """
        self.ensure_one()
        self._stripe_checkout_check_manageable()
        provider_sudo = self.sudo()  # Billing admins cannot write the connection.
        provider_sudo.stripe_checkout_disconnecting = False
        provider_sudo._stripe_checkout_log(self.env._("Stays connected."))
        return self._stripe_checkout_notify(self.env._("Payments are taken again."))
