"""What is wrong with a connection: what Stripe says of it, and what really arrives."""

import stripe

from odoo import fields, models

from .. import const, utils
from ..const import HANDLED_EVENTS
from .payment_provider_health import DISPROVED_BY_DELIVERY
from .payment_provider_probe import PROBE_PATIENCE

COUNT_LIMIT = 100  # undelivered events; one page, see https://docs.stripe.com/api/pagination


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _stripe_checkout_find_problem(self):
        """Look for trouble, the worst first.

        :return: The problem (None if there is none), and what belongs into its message.
        :rtype: tuple[str|None, str|None]
        """
        try:
            missing = self._stripe_checkout_find_lost_permissions()
            if missing:
                return 'permission', ', '.join(missing)
            problem = self._stripe_checkout_find_endpoint_problem()
            undelivered = self._stripe_checkout_count_undelivered()
            self._stripe_checkout_drop_former_endpoint()
        except stripe.StripeError as error:
            return self._stripe_checkout_read_problem(error)
        self.stripe_checkout_undelivered_count = undelivered
        moved, address = self._stripe_checkout_has_moved(), self._stripe_checkout_read_address()
        is_refused = self.stripe_checkout_refusal and (
            address == self.stripe_checkout_refused_address
        )
        if (problem or moved) and is_refused:
            return 'refused', self.stripe_checkout_refusal  # Retry has been tried.
        if moved:  # Before what Retry mends, which takes the new address.
            return 'moved', address
        if problem:
            return problem, None
        if self.stripe_checkout_refusal:
            self.stripe_checkout_refusal = False  # The address is the one that Stripe takes.
        # An account that is not activated yet takes test payments all the same.
        if not self.stripe_checkout_charges_enabled and self._stripe_checkout_get_mode() == 'live':
            return 'charges', None
        if self.stripe_checkout_problem == 'pages':  # Until Stripe takes a probe.
            return 'pages', self.stripe_checkout_problem_detail
        problem, detail = self._stripe_checkout_find_delivery_problem(undelivered)
        if not problem and self._stripe_checkout_is_feed_behind():
            return 'feed', self.stripe_checkout_feed_error
        return problem, detail

    def _stripe_checkout_read_problem(self, error):
        """Return which problem an error of Stripe is.

        :param stripe.StripeError error: The error.
        :return: The problem, and what belongs into its message.
        :rtype: tuple[str, str|None]
        """
        if isinstance(error, stripe.AuthenticationError):
            return 'key', None
        if isinstance(error, stripe.PermissionError):
            named = utils.find_permissions(error.user_message)
            return 'permission', ', '.join(named) or self._stripe_checkout_describe_error(error)
        if isinstance(error, stripe.APIConnectionError):
            return 'unreachable', self.env._("Stripe could not be reached at the last check.")
        return 'unreachable', self._stripe_checkout_describe_error(error)

    def _stripe_checkout_find_lost_permissions(self):
        """Find what the key, if it is a restricted one, may no longer do.

        Permissions are changed in the Dashboard, without a word to whoever holds the key.

        :return: Stripe's names of the permissions.
        :rtype: list[str]
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        if not self.stripe_checkout_secret_key.startswith('rk_'):
            return []
        return self._stripe_checkout_find_missing_permissions(self._stripe_checkout_get_client())

    def _stripe_checkout_find_endpoint_problem(self):
        """Compare the endpoint at Stripe with ours, and keep what it and the account are like.

        :return: The problem, None if there is none.
        :rtype: str|None
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        client = self._stripe_checkout_get_client()
        account = self._stripe_checkout_read_account(client)
        self.stripe_checkout_charges_enabled = account.get('charges_enabled', True)
        endpoint = self._stripe_checkout_retrieve_endpoint(client)
        self.write(self._stripe_checkout_prepare_seen_endpoint(endpoint))
        if not endpoint:
            return 'deleted'
        if endpoint['status'] != 'enabled':
            return 'disabled'
        if endpoint['url'] != self._stripe_checkout_get_webhook_url():
            return 'address'
        if endpoint['api_version'] != const.API_VERSION:
            return 'version'
        if self.stripe_checkout_missing_events:
            return 'events'
        return None

    def _stripe_checkout_count_undelivered(self):
        """Count the events that Stripe could not deliver since its endpoint last delivered one.

        Those that it delivered to us may wait for another endpoint of the same account.

        :return: The number, `COUNT_LIMIT` at most.
        :rtype: int
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        since = max(
            moment
            for moment in (
                self._stripe_checkout_get_last_delivery(),
                self.stripe_checkout_registered_at,
                self.stripe_checkout_connected_at,
            )
            if moment
        )
        events = self._stripe_checkout_get_client().v1.events.list({
            'types': sorted(HANDLED_EVENTS),
            'delivery_success': False,
            # What is younger may just be on its way.
            'created': {
                'gte': utils.to_timestamp(since),
                'lt': utils.to_timestamp(fields.Datetime.now() - PROBE_PATIENCE),
            },
            'limit': COUNT_LIMIT,
        })
        events = events.to_dict()['data']
        arrived = set(
            self
            .env['stripe.event']
            .sudo()
            .search([
                ('provider_id', '=', self.id),
                ('source', '=', 'webhook'),
                ('event_id', 'in', [event['id'] for event in events]),
            ])
            .mapped('event_id')
        )
        return sum(
            event['id'] not in arrived and self._stripe_checkout_is_event_ours(event)
            for event in events
        )

    def _stripe_checkout_find_delivery_problem(self, undelivered):
        """Say why no event arrives, if none does.

        :param int undelivered: How many events Stripe could not deliver.
        :rtype: tuple[str|None, str|None]
        """
        probed_at, last = self.stripe_checkout_probed_at, self._stripe_checkout_get_last_delivery()
        silent = bool(
            probed_at
            and probed_at < fields.Datetime.now() - PROBE_PATIENCE
            and (not last or last < probed_at)
        )
        if not undelivered and not silent:
            if self.stripe_checkout_problem in DISPROVED_BY_DELIVERY:
                return self.stripe_checkout_problem, self.stripe_checkout_problem_detail
            return None, None
        since = (
            (silent and probed_at)
            or last
            or self.stripe_checkout_registered_at
            or self.stripe_checkout_connected_at
        )
        refusals_sudo = self.env['stripe.webhook.refusal'].sudo()
        # Anybody can send what has no signature: it says nothing of Stripe's events. Nor does what
        # the former endpoint still sends once its secret is not accepted any more.
        end = self.stripe_checkout_previous_secret_expires_at
        is_former = self.stripe_checkout_former_endpoint_id and end and end < fields.Datetime.now()
        if not is_former and refusals_sudo._is_signed_since(self, since):
            return 'signature', None
        if undelivered:
            return 'undelivered', f'{undelivered}{"+" if undelivered == COUNT_LIMIT else ""}'
        return 'silent', None
