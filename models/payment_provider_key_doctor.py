"""The key doctor: proves a key against Stripe, and names each permission that it lacks."""

from urllib.parse import urlencode

import stripe

from odoo import models
from odoo.exceptions import UserError, ValidationError

from .. import utils

# What a restricted key needs, in Stripe's names, and a call that finds out without leaving a trace:
# an object that does not exist answers 404 to whoever may ask and 403 to whoever may not.
PERMISSION_PROBES = {
    'rak_checkout_session_write': lambda v1: v1.checkout.sessions.expire('cs_none'),
    'rak_webhook_write': lambda v1: v1.webhook_endpoints.delete('we_none'),
    'rak_payment_intent_read': lambda v1: v1.payment_intents.retrieve('pi_none'),
    # Refunds are a part of charges.
    'rak_charge_write': lambda v1: v1.refunds.cancel('re_none'),
    'rak_dispute_read': lambda v1: v1.disputes.retrieve('dp_none'),
    'rak_balance_read': lambda v1: v1.balance.retrieve(),
    'rak_balance_transaction_source_read': lambda v1: v1.balance_transactions.retrieve('txn_none'),
    'rak_payout_read': lambda v1: v1.payouts.retrieve('po_none'),
    'rak_event_read': lambda v1: v1.events.retrieve('evt_none'),
}

# Tells the account's name and currency, and whether it takes payments; everything works without.
OPTIONAL_PERMISSION = 'rak_accounts_kyc_basic_read'


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    def _stripe_checkout_check_keys(self, secret_key, publishable_key):
        """Refuse keys by their looks, before any call.

        :return: The mode of both keys, `'test'` or `'live'`.
        :rtype: str
        :raise ValidationError: If a key is of the wrong kind, or the modes or accounts differ.
        """
        mode = utils.get_key_mode(secret_key, 'secret')
        if not mode:
            raise ValidationError(
                self.env._(
                    "The secret key must start with sk_test_, sk_live_, rk_test_ or rk_live_."
                )
            )
        publishable_mode = utils.get_key_mode(publishable_key, 'publishable')
        if not publishable_mode:
            raise ValidationError(
                self.env._("The publishable key must start with pk_test_ or pk_live_.")
            )
        if mode != publishable_mode:
            raise ValidationError(
                self.env._(
                    "The keys are of different modes: the secret key is a %(secret)s key, the "
                    "publishable key is a %(publishable)s key.",
                    secret=mode,
                    publishable=publishable_mode,
                )
            )
        accounts = {utils.read_key_account(secret_key), utils.read_key_account(publishable_key)}
        if len(accounts - {None}) > 1:
            raise ValidationError(
                self.env._(
                    "The keys are of different Stripe accounts. Copy both from the same page of "
                    "the Stripe Dashboard."
                )
            )
        return mode

    def _stripe_checkout_prove_key(self, secret_key, mode):
        """Prove a key against Stripe.

        The balance tells the mode that Stripe sees; the account, which a restricted key may be
        forbidden to read, tells the name and the currency.

        :return: `id`, `name`, `default_currency` and `charges_enabled` as far as the key may know.
        :rtype: dict
        :raise UserError: If Stripe does not accept the key, or the key may not do what is needed.
        """
        client = self._stripe_checkout_get_client(secret_key)
        try:
            if secret_key.startswith('rk_'):
                self._stripe_checkout_check_permissions(client)
            balance = client.v1.balance.retrieve()
            account = self._stripe_checkout_read_account(client)
        except stripe.StripeError as error:
            raise UserError(self._stripe_checkout_describe_error(error)) from None
        if balance.livemode != (mode == 'live'):
            raise UserError(self.env._("Stripe says that this key is of another mode."))
        return account

    def _stripe_checkout_read_account(self, client):
        """Read what the key may know of its account.

        :param stripe.StripeClient client: The client of the key.
        :return: `id`, `name`, `default_currency` and `charges_enabled`; empty if it may know none.
        :rtype: dict
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        try:
            account = client.v1.accounts.retrieve_current().to_dict()
        except stripe.PermissionError:
            return {}
        dashboard = (account.get('settings') or {}).get('dashboard') or {}
        profile = account.get('business_profile') or {}
        return {
            'id': account.get('id'),
            'name': dashboard.get('display_name') or profile.get('name') or account.get('email'),
            'default_currency': account.get('default_currency'),
            'charges_enabled': account.get('charges_enabled', True),
        }

    def _stripe_checkout_check_permissions(self, client):
        """Name every permission that a restricted key lacks, all at once.

        :param stripe.StripeClient client: The client of the key.
        :raise UserError: If it lacks one.
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        missing = self._stripe_checkout_find_missing_permissions(client)
        if missing:
            raise UserError(
                self.env._(
                    "This restricted key may not do all that is needed. Missing:\n%(missing)s\n\n"
                    "The link in Connect Stripe creates one with the right boxes ticked.",
                    missing='\n'.join(missing),
                )
            )

    def _stripe_checkout_find_missing_permissions(self, client):
        """Find the permissions that a restricted key lacks.

        :param stripe.StripeClient client: The client of the key.
        :return: Stripe's names of them, each once.
        :rtype: list[str]
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        missing = []
        for permission, probe in PERMISSION_PROBES.items():
            try:
                probe(client.v1)
            except stripe.PermissionError as error:
                missing += utils.find_permissions(error.user_message) or [permission]
            except stripe.InvalidRequestError:
                continue  # It may ask; there is no such object.
        return list(dict.fromkeys(missing))

    def _stripe_checkout_get_create_key_url(self, mode):
        """Return Stripe's page for creating a restricted key, with the right boxes ticked.

        :param str mode: `'live'` or `'test'`.
        :rtype: str
        """
        parameters = [('name', "Odoo")]
        parameters += [
            ('permissions[]', name) for name in (*PERMISSION_PROBES, OPTIONAL_PERMISSION)
        ]
        path = 'test/apikeys' if mode == 'test' else 'apikeys'
        return f'https://dashboard.stripe.com/{path}/create?{urlencode(parameters)}'
