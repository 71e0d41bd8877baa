"""Connecting a company to a Stripe account."""

from contextlib import nullcontext

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import utils
from ..const import PROVIDER_CODE
from .payment_provider import PREFERENCE
from .payment_provider_state import STATES


class OtherAccount(UserError):
    """The keys are of another account or mode than the one that is connected: to be asked first."""


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    # === CONNECT === #

    @api.model
    def _stripe_checkout_connect(self, company, secret_key, publishable_key, switch=False):
        """Connect a company to a Stripe account.

        Everything is asked of Stripe before anything is written, so that a failure leaves the
        former connection as it was.

        :param res.company company: The company whose invoices are to be paid.
        :param str secret_key: A secret (`sk_`) or restricted (`rk_`) key.
        :param str publishable_key: The publishable key (`pk_`) of the same mode.
        :param bool switch: Whether to leave the account or mode that is connected now.
        :return: The connected provider.
        :rtype: payment.provider
        :raise UserError: If the edition, a key or Stripe refuses.
        :raise OtherAccount: If the keys are of another account or mode and `switch` is not set.
        """
        self._stripe_checkout_check_edition()
        mode = self._stripe_checkout_check_keys(secret_key, publishable_key)
        # In sudo mode: billing admins may connect, but may not write providers and journals.
        provider = self.sudo()._stripe_checkout_ensure_provider(company)
        base_url = provider._stripe_checkout_choose_address(mode)
        provider._stripe_checkout_check_address(base_url, mode)
        account = provider._stripe_checkout_prove_key(secret_key, mode)
        switched = provider._stripe_checkout_is_other_account(secret_key, mode, account)
        if switched and not switch:
            raise OtherAccount(provider._stripe_checkout_describe_switch(base_url))
        if not switched and not account.get('id'):
            # A restricted key need not read the account: what is known of it stays, and with it
            # the balance that was read so far and the journal that it is booked in.
            account = {
                **account,
                'id': provider.stripe_checkout_account_id,
                'name': provider.stripe_checkout_account_name,
                'default_currency': provider._stripe_checkout_is_connected()
                and provider.journal_id.currency_id.name,
            }
        is_renewed = provider._stripe_checkout_is_connected() and not switched
        of_original = provider._stripe_checkout_describe_original(
            provider.stripe_checkout_endpoint_id
        )
        with provider._stripe_checkout_pausing() if switched else nullcontext():
            endpoint = provider._stripe_checkout_create_endpoint(base_url, secret_key)
            if switched:
                provider._stripe_checkout_leave_account()
            provider._stripe_checkout_store_connection(
                mode, secret_key, publishable_key, account, base_url, endpoint, is_renewed
            )
        connected = self.env._(
            "Connected to %(account)s, %(mode)s mode, with the key %(key)s.",
            account=account.get('name') or account.get('id') or self.env._("Stripe"),
            mode=mode,
            key=utils.mask_key(secret_key),
        )
        provider._stripe_checkout_log(' '.join([connected, *of_original]))
        # In a transaction of its own: a worker may be trying one of them right now.
        self.env.cr.postcommit.add(
            lambda: provider._stripe_checkout_write_apart('_stripe_checkout_retry_events')
        )
        if 'error' in endpoint:
            provider._stripe_checkout_follow_up_health()
        else:
            provider._stripe_checkout_start_after_registration()
        return provider

    def _stripe_checkout_store_connection(
        self, mode, secret_key, publishable_key, account, base_url, endpoint, is_renewed
    ):
        """Store what connecting has proven.

        A key that only renews the connection does not undo that new payments were stopped.
        """
        time_zone = self._stripe_checkout_prepare_time_zone()
        journal = self._stripe_checkout_ensure_journal(mode, account.get('default_currency'))
        switched_on = {
            'state': STATES[mode],
            'is_published': True,
            'stripe_checkout_disconnecting': False,
        }
        self.write({
            # The journal goes with the state: Odoo picks a bank journal when the state changes.
            **({} if is_renewed else switched_on),
            **time_zone,
            'stripe_checkout_mode': mode,
            'journal_id': journal.id,
            'stripe_checkout_secret_key': secret_key,
            'stripe_checkout_publishable_key': publishable_key,
            'stripe_checkout_key_hint': utils.mask_key(secret_key),
            'stripe_checkout_publishable_key_hint': utils.mask_key(publishable_key),
            'stripe_checkout_account_id': account.get('id') or False,
            'stripe_checkout_account_name': account.get('name') or False,
            'stripe_checkout_charges_enabled': account.get('charges_enabled', True),
            'stripe_checkout_base_url': base_url,
            'stripe_checkout_connected_at': fields.Datetime.now(),
            'stripe_checkout_connected_by_id': self.env.user.id,
            'stripe_checkout_user_id': (self.stripe_checkout_user_id or self.env.user).id,
            **self._stripe_checkout_prepare_endpoint_values(endpoint, secret_key),
        })
        self._stripe_checkout_post_to_clearing(journal)
        self._stripe_checkout_ensure_accounts()
        self._stripe_checkout_follow_left_again()
        self._stripe_checkout_wake_feed()

    def _stripe_checkout_prepare_time_zone(self):
        """Prepare the time zone in which a provider begins to book: that of who connects.

        It was made when the addon was installed, or its company, in nobody's time zone.

        :return: The value; empty where something may be booked already, or another one was chosen.
        :rtype: dict
        """
        is_first = not self.env['account.journal'].search_count(
            [('stripe_checkout_provider_id', '=', self.id)], limit=1
        )
        if is_first and self.stripe_checkout_tz == 'UTC' and self.env.user.tz:
            return {'stripe_checkout_tz': self.env.user.tz}
        return {}

    def _stripe_checkout_retry_events(self):
        """Have the queue try again at once what failed, mostly for want of a key that works."""
        self.ensure_one()
        events_sudo = self.env['stripe.event'].sudo()
        waiting = events_sudo.search([
            ('provider_id', '=', self.id),
            ('state', 'in', ('pending', 'failed')),
        ])
        # What a worker holds is being tried already.
        if waiting := waiting.try_lock_for_update():
            waiting.next_attempt_at = events_sudo._get_now()
            events_sudo._wake_queue()

    def _stripe_checkout_check_edition(self):
        """Refuse what the community edition does not include.

        :raise UserError: On the community edition.
        """
        if self._stripe_checkout_get_edition() != 'enterprise':
            raise UserError(self.env._("Online payments are a feature of the Enterprise edition."))

    def _stripe_checkout_check_manageable(self):
        """Let billing admins manage a connection that there is.

        :raise AccessError: If the user is no billing admin of the company.
        :raise UserError: On the community edition, or if Stripe is not connected.
        """
        self._stripe_checkout_check_access()
        self._stripe_checkout_check_edition()
        if not self._stripe_checkout_is_connected():
            raise UserError(self.env._("Stripe is not connected."))

    def _stripe_checkout_log(self, message):
        """Leave a note in the audit trail, in the name of whoever acts.

        :param str message: The message, without any secret.
        """
        self.message_post(body=message, author_id=self.env.user.partner_id.id)

    # === PROVIDER AND JOURNAL === #

    def _stripe_checkout_ensure_provider(self, company):
        """Return the provider of a company, made from that of another company if need be."""
        root_company = company.root_id  # A branch uses the connection of its parent.
        provider = self.search(
            [('code', '=', PROVIDER_CODE), ('company_id', '=', root_company.id)],
            limit=1,
            order=PREFERENCE,
        )
        if not provider:
            template = self.env.ref('payment_stripe_checkout.payment_provider_stripe_checkout')
            provider = template.copy({'company_id': root_company.id})
        return provider.with_company(root_company)

    def _stripe_checkout_ensure_journal(self, mode, settlement_currency=None):
        """Return the Stripe journal of a mode, made if need be.

        Test payments go to a journal of their own, so that they never mix with the real books.

        :param str mode: `'test'` or `'live'`.
        :param str settlement_currency: The ISO 4217 code of the account's default currency.
        :rtype: account.journal
        """
        self.ensure_one()
        Journal = self.env['account.journal']
        currency = self.env['res.currency']
        if settlement_currency:
            currency = currency._stripe_checkout_find(settlement_currency.upper())
        if currency == self.company_id.currency_id:
            currency = self.env['res.currency']  # Odoo leaves it empty for the company's own.
        journal = Journal.search(
            [
                ('stripe_checkout_provider_id', '=', self.id),
                ('stripe_checkout_mode', '=', mode),
                ('currency_id', '=', currency.id),
            ],
            limit=1,
        )
        if journal:
            return journal
        if currency and not currency.active:
            currency.active = True
        name = self.env._("Stripe") if mode == 'live' else self.env._("Stripe (test)")
        return Journal.create({
            'name': f'{name} {currency.name}' if currency else name,
            'type': 'bank',
            'code': self._stripe_checkout_get_journal_code(),
            'company_id': self.company_id.id,
            'currency_id': currency.id,
            'stripe_checkout_provider_id': self.id,
            'stripe_checkout_mode': mode,
        })

    def _stripe_checkout_find_journal(self):
        """Return the Stripe journal of the provider's mode, empty before it is connected.

        :rtype: account.journal
        """
        self.ensure_one()
        return self.env['account.journal'].search(
            [
                ('stripe_checkout_provider_id', '=', self._origin.id),
                ('stripe_checkout_mode', '=', self._stripe_checkout_get_mode()),
            ],
            limit=1,
        )

    def _stripe_checkout_get_journal_code(self):
        """Return a journal code that no journal of the company has, archived ones included."""
        journals = self.env['account.journal'].with_context(active_test=False)
        taken = set(journals.search([('company_id', '=', self.company_id.id)]).mapped('code'))
        candidates = ('STRP', *(f'STR{number}' for number in range(1, 100)))
        return next(code for code in candidates if code not in taken)

    def _stripe_checkout_post_to_clearing(self, journal):
        """Let payments post straight to the journal's account, which mirrors Stripe's balance."""
        lines = journal.inbound_payment_method_line_ids + journal.outbound_payment_method_line_ids
        lines.filtered(
            lambda line: line.payment_provider_id == self
        ).payment_account_id = journal.default_account_id

    @api.model
    def _toggle_post_processing_cron(self):
        """Override of `payment` to leave the cron alone when it is as it should be.

        Writing a cron that runs right now is refused, and would break the connection with it.
        """
        cron = self.env.ref('payment.cron_post_process_payment_tx', raise_if_not_found=False)
        any_active = bool(self.sudo().search_count([('state', '!=', 'disabled')], limit=1))
        if cron and cron.sudo().active == any_active:
            return None
        try:
            with self.env.cr.savepoint():
                return super()._toggle_post_processing_cron()
        except UserError:
            # What runs right now is active, and does no harm if it stays so.
            return None

    # === ACTIONS === #

    def action_stripe_checkout_open_connect(self):
        """Open the connect wizard for the company of the provider.

        :rtype: dict
        :raise UserError: On the community edition.
        """
        self.ensure_one()
        self._stripe_checkout_check_access()
        self._stripe_checkout_check_edition()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_stripe_checkout.action_stripe_checkout_connect'
        )
        return {**action, 'context': {'default_company_id': self.company_id.id}}
