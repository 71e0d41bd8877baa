"""Whether keys are of another account or mode, and what leaving the connected one does."""

import stripe

from odoo import models
from odoo.exceptions import UserError


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _stripe_checkout_is_other_account(self, secret_key, mode, account):
        """Tell whether a key is of another account or mode than the one that is connected.

        A key that may not read its account proves itself by what it finds there.

        :param str secret_key: The key.
        :param str mode: The key's mode.
        :param dict account: What `_stripe_checkout_read_account` returned.
        :rtype: bool
        """
        self.ensure_one()
        if not self._stripe_checkout_is_connected() and not self.stripe_checkout_account_id:
            return False
        if mode != self._stripe_checkout_get_mode():
            return True
        if account.get('id') and self.stripe_checkout_account_id:
            return account['id'] != self.stripe_checkout_account_id
        try:
            return not self._stripe_checkout_is_known_to(secret_key)
        except stripe.StripeError as error:
            raise UserError(self._stripe_checkout_describe_error(error)) from None

    def _stripe_checkout_is_known_to(self, secret_key):
        """Tell whether a key finds what only the connected account has of ours.

        Any one of it will do: our webhook endpoint may be gone, and nothing have been paid yet.

        :param str secret_key: The key.
        :rtype: bool
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        v1 = self._stripe_checkout_get_client(secret_key).v1
        running = self._stripe_checkout_get_running('draft')
        running |= self._stripe_checkout_get_running('pending')
        for resource, known in (
            (v1.webhook_endpoints, self.stripe_checkout_endpoint_id),
            (
                v1.balance_transactions,
                self._stripe_checkout_find_movement(self._stripe_checkout_get_account_ref()),
            ),
            (
                v1.checkout.sessions,
                running.filtered('stripe_checkout_session_id')[:1].stripe_checkout_session_id,
            ),
        ):
            if not known:
                continue
            try:
                resource.retrieve(known)
            except stripe.InvalidRequestError:
                continue
            return True
        return False

    def _stripe_checkout_describe_switch(self, base_url):
        """Say what leaving the connected account or mode does.

        :param str base_url: The address that is used from then on.
        :rtype: str
        """
        opened, debits = self._stripe_checkout_count_running()
        sentences = [
            self.env._(
                "These keys are of another Stripe account or mode than the one that is connected "
                "(%(account)s, %(mode)s mode).",
                account=self.stripe_checkout_account_name
                or self.stripe_checkout_account_id
                or self.env._("unknown"),
                mode=self._stripe_checkout_get_mode(),
            )
        ]
        if opened:
            sentences.append(
                self.env._(
                    "Open payment pages that will be closed: %(count)s. Clients start again from "
                    "their links.",
                    count=opened,
                )
            )
        if debits:
            sentences.append(
                self.env._(
                    "Bank debits under way that can no longer be followed: %(count)s (%(total)s). "
                    "Each becomes a to-do.",
                    count=len(debits),
                    total=debits._stripe_checkout_format_total(),
                )
            )
        if base_url != self.stripe_checkout_base_url:
            sentences.append(
                self.env._(
                    "The webhook and the payment links move from %(known)s to %(new)s.",
                    known=self.stripe_checkout_base_url,
                    new=base_url,
                )
            )
        sentences.append(self.env._("Payments that are booked stay as they are."))
        return '\n'.join(sentences)

    def _stripe_checkout_leave_account(self):
        """End what the connected account still has of ours, before its key is replaced."""
        self._stripe_checkout_end_sessions()
        self._stripe_checkout_give_debits_up()
        self._stripe_checkout_give_refunds_up()
        for endpoint_id in self._stripe_checkout_get_endpoint_ids():
            self._stripe_checkout_delete_endpoint_after_commit(endpoint_id)
        self.write({
            'stripe_checkout_endpoint_id': False,
            'stripe_checkout_former_endpoint_id': False,
            **self._stripe_checkout_prepare_seen_endpoint(None),
            'stripe_checkout_webhook_secret': False,
            'stripe_checkout_previous_webhook_secret': False,
            'stripe_checkout_undelivered_cursor': False,
            'stripe_checkout_events_read_to': False,
            'stripe_checkout_events_reading_to': False,
        })
