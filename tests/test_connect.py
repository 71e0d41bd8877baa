import re
from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, JsonRpcException, new_test_user, tagged

from .. import const
from ..models.payment_provider_settings import SETTINGS_FIELDS
from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestConnect(StripeCheckoutCommon):
    """Connecting proves the keys, and a failure leaves everything as it was."""

    def get_endpoints(self):
        client = self.provider._stripe_checkout_get_client()
        return client.v1.webhook_endpoints.list().data

    def read_connection(self):
        return self.provider.read([
            'state',
            'journal_id',
            'stripe_checkout_account_id',
            'stripe_checkout_key_hint',
            'stripe_checkout_endpoint_id',
            'stripe_checkout_webhook_state',
            'stripe_checkout_connected_at',
        ])

    def assert_refused(self, error, message, **keys):
        """Connect in vain; return how many calls were made.

        Not with `assertRaises`, whose savepoint would undo what a failure must not do.
        """
        before, calls = self.read_connection(), len(self.stripe.calls)
        try:
            self.connect(**keys)
        except error as caught:
            self.assertRegex(str(caught), message)
        else:
            self.fail("The connection was not refused")
        self.assertEqual(self.read_connection(), before)
        return len(self.stripe.calls) - calls

    # === WHAT A CONNECTION IS === #

    def test_connected(self):
        secret_key = self.stripe.account.secret_key
        publishable_key = self.stripe.account.publishable_key
        self.assertRecordValues(
            self.provider,
            [
                {
                    'state': 'test',
                    'is_published': True,
                    'stripe_checkout_account_id': self.stripe.account.id,
                    'stripe_checkout_key_hint': f'sk_test_…{secret_key[-4:]}',
                    'stripe_checkout_publishable_key_hint': f'pk_test_…{publishable_key[-4:]}',
                    'stripe_checkout_webhook_state': 'confirmed',
                    'stripe_checkout_connected_by_id': self.billing_admin.id,
                }
            ],
        )
        self.assertTrue(self.provider.payment_method_ids.active)

    def test_endpoint(self):
        [endpoint] = self.get_endpoints()
        self.assertEqual(endpoint.id, self.provider.stripe_checkout_endpoint_id)
        self.assertEqual(
            endpoint.url,
            f'{self.base_url()}/payment/stripe_checkout/webhook/{self.provider.id}',
        )
        self.assertEqual(endpoint.api_version, const.API_VERSION)
        self.assertEqual(set(endpoint.enabled_events), set(const.HANDLED_EVENTS))
        self.assertTrue(self.provider.stripe_checkout_webhook_secret.startswith('whsec_'))

    def test_journal(self):
        journal = self.provider.journal_id
        self.assertNotEqual(journal, self.company_data['default_journal_bank'])
        self.assertEqual(journal.type, 'bank')
        self.assertEqual(journal.stripe_checkout_mode, 'test')
        line = journal.inbound_payment_method_line_ids.filtered(
            lambda line: line.payment_provider_id == self.provider
        )
        self.assertEqual(len(line), 1)
        self.assertEqual(line.payment_account_id, journal.default_account_id)

    def test_connecting_again_keeps_journal_settings_and_links(self):
        self.provider.stripe_checkout_link_expiration = '336'
        journal = self.provider.journal_id
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        former = self.provider.stripe_checkout_webhook_secret
        self.connect()
        self.assertEqual(self.provider.stripe_checkout_link_expiration, '336')
        self.assertEqual(self.provider.journal_id, journal)
        self.assertEqual(self.open_link(invoice), session)
        self.assertEqual(self.provider._stripe_checkout_get_webhook_secrets()[1], former)

    def test_restricted_key(self):
        self.connect(secret_key=self.stripe.account.restricted_key)
        self.assertEqual(self.provider.stripe_checkout_account_id, self.stripe.account.id)

    def test_restricted_key_that_may_not_read_the_account(self):
        key = self.stripe.add_restricted_key(without={'rak_accounts_kyc_basic_read'})
        account_id = self.provider.stripe_checkout_account_id
        self.connect(secret_key=key)
        self.assertEqual(self.provider.state, 'test')
        self.assertEqual(self.provider.stripe_checkout_account_id, account_id, "Known before")

    def test_key_that_may_not_read_the_account_keeps_a_foreign_journal(self):
        account = self.stripe.account
        self.disconnect()
        self.addCleanup(setattr, account, 'default_currency', account.default_currency)
        account.default_currency = 'eur'
        self.connect()
        journal = self.provider.journal_id
        self.assertEqual(journal.currency_id.name, 'EUR')
        self.connect(
            secret_key=self.stripe.add_restricted_key(without={'rak_accounts_kyc_basic_read'})
        )
        self.assertEqual(self.provider.journal_id, journal)

    # === REFUSED === #

    def test_wrong_keys_are_refused_before_any_call(self):
        good, other = self.stripe.account, self.stripe.add_account()
        for message, keys in [
            ("secret key must start", {'secret_key': good.publishable_key}),
            ("secret key must start", {'secret_key': 'nonsense'}),
            ("publishable key must start", {'publishable_key': good.secret_key}),
            ("different modes", {'publishable_key': 'pk_live_12345'}),
            ("different modes", {'secret_key': 'sk_live_12345'}),
            ("different Stripe accounts", {'publishable_key': other.publishable_key}),
            ("different Stripe accounts", {'secret_key': other.secret_key}),
        ]:
            with self.subTest(**keys):
                self.assertEqual(self.assert_refused(ValidationError, message, **keys), 0)

    def test_key_that_stripe_does_not_know(self):
        key = 'sk_test_unknown_1234567890'
        with self.assertRaises(UserError) as caught:
            self.connect(secret_key=key)
        self.assertNotIn(key, str(caught.exception))
        self.assert_refused(UserError, "does not accept the key", secret_key=key)

    def test_fault_at_any_step_leaves_the_former_connection(self):
        before = self.get_endpoints()
        for path in ('/v1/balance', '/v1/account', '/v1/webhook_endpoints'):
            with self.subTest(path=path):
                self.stripe.faults.next(3, 'reset', path=path)
                self.assert_refused(UserError, "could not be reached")
                self.stripe.faults.clear()
                self.assertEqual(self.get_endpoints(), before)

    def switch(self, account):
        """Connect to another account as a browser does; return the error, None if there is none."""
        self.authenticate('billing_admin', 'billing_admin')

        def call(method, *args):
            return self.make_jsonrpc_request(
                f'/web/dataset/call_kw/stripe.checkout.connect/{method}',
                {
                    'model': 'stripe.checkout.connect',
                    'method': method,
                    'args': list(args),
                    'kwargs': {},
                },
            )

        [wizard_id] = call(
            'create',
            [
                {
                    'company_id': self.company.id,
                    'secret_key': account.secret_key,
                    'publishable_key': account.publishable_key,
                }
            ],
        )
        try:
            call('action_switch', [wizard_id])
        except JsonRpcException as error:
            return str(error)
        finally:
            self.env.invalidate_all()
        return None

    def test_switch_that_fails_leaves_nothing_at_the_other_account(self):
        other = self.stripe.add_account()
        self.open_link(self.create_invoice(100))
        before = self.read_connection()
        self.stripe.faults.next(100, '500', path='/v1/checkout/sessions/*/expire')
        self.assertTrue(self.switch(other))
        self.assertEqual(self.read_connection(), before)
        self.assertEqual(other.store.newest_first('webhook_endpoint'), [])
        self.stripe.faults.clear()
        self.assertIsNone(self.switch(other))
        self.assertEqual(len(other.store.newest_first('webhook_endpoint')), 1)

    def test_key_that_died_before_the_webhook_was_confirmed(self):
        """What the old key made is deleted with the new one."""
        [first] = self.get_endpoints()
        self.provider.with_user(self.billing_admin).action_stripe_checkout_retry_webhook()
        self.env.cr.postcommit.run()
        self.addCleanup(setattr, self.stripe.account, 'secret_key', self.stripe.account.secret_key)
        self.stripe.account.secret_key = 'sk_test_rotated'
        self.connect()
        self.env.cr.postcommit.run()
        self.assertEqual(
            {endpoint.id for endpoint in self.get_endpoints()},
            {first.id, self.provider.stripe_checkout_endpoint_id},
        )

    def test_orphaned_endpoints_go_and_foreign_ones_stay(self):
        endpoints = self.provider._stripe_checkout_get_client().v1.webhook_endpoints
        [current] = self.get_endpoints()

        def create(url=current.url, **metadata):
            return endpoints.create({
                'url': url,
                'enabled_events': ['checkout.session.completed'],
                'metadata': {**current.metadata.to_dict(), **metadata},
            }).id

        create()
        foreign = {
            create(url='https://elsewhere.example.com/hook'),
            create(odoo_database='another'),
            create(odoo_provider='0'),
        }
        managed = self.provider.with_user(self.billing_admin)
        for register in (managed.action_stripe_checkout_retry_webhook, self.connect):
            orphan = create()
            register()
            self.env.cr.postcommit.run()
            found = {endpoint.id for endpoint in self.get_endpoints()}
            self.assertNotIn(orphan, found)
            self.assertEqual(
                found - foreign,
                {
                    self.provider.stripe_checkout_endpoint_id,
                    self.provider.stripe_checkout_former_endpoint_id,
                },
            )
            self.assertLess(foreign, found)
            self.deliver([
                d
                for d in self.stripe.deliveries.pop_all()
                if d.endpoint['id'] == self.provider.stripe_checkout_endpoint_id
            ])
            self.run_cron('ir_cron_check_webhook')

    def test_sixteen_endpoints_at_most(self):
        client = self.provider._stripe_checkout_get_client()
        ours = {'url': f'{self.base_url()}/payment/stripe_checkout/webhook/0'}
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        of_database, of_another = [
            client.v1.webhook_endpoints.create({
                **ours,
                'enabled_events': ['charge.succeeded'],
                'metadata': {const.METADATA_DATABASE: uuid},
            }).id
            for uuid in (database_uuid, 'another')
        ]
        for number in range(13):
            client.v1.webhook_endpoints.create({
                'url': f'https://example.com/{number}',
                'enabled_events': ['charge.succeeded'],
            })
        another = self.env['res.company'].create({'name': "Another"})
        self.billing_admin.company_ids += another
        self.assert_refused(
            UserError,
            "16 webhook endpoints.*free to go.*\n.*stripe_checkout/webhook",
            company=another,
        )
        self.assertEqual(len(client.v1.webhook_endpoints.list({'limit': 100}).data), 16)
        message = self.provider._stripe_checkout_describe_full(client)
        marks = {
            self.provider.stripe_checkout_endpoint_id: 'enabled  (in use here)',
            of_database: 'enabled  (of this database)',
            of_another: 'enabled',
        }
        for endpoint_id, mark in marks.items():
            self.assertRegex(message, rf'(?m)^{endpoint_id}  \S+  {re.escape(mark)}$')
        self.assertNotIn('example.com', message, "What else uses the account is not ours to list")

    def test_live_key_never_leaves_for_another_host(self):
        client = self.provider._stripe_checkout_get_client('sk_live_12345678')
        self.assertEqual(client._requestor.base_addresses['api'], 'https://api.stripe.com')
        client = self.provider._stripe_checkout_get_client()
        self.assertEqual(client._requestor.base_addresses['api'], self.stripe.url)

    def test_community_edition(self):
        self.env['ir.config_parameter'].sudo().set_param(
            'payment_stripe_checkout.edition', 'community'
        )
        self.assert_refused(UserError, "Enterprise edition")
        invoice = self.create_invoice(100)
        self.assertFalse(invoice.stripe_checkout_url)
        self.assertEqual(invoice._stripe_checkout_get_state(), 'unavailable')

    def test_only_billing_admins(self):
        for groups in ('account.group_account_invoice', 'base.group_user'):
            user = new_test_user(
                self.env, login=groups, groups=groups, company_ids=[(6, 0, self.company.ids)],
                company_id=self.company.id,
            )  # fmt: skip
            with self.assertRaises(AccessError):
                self.connect(user=user)

    def test_foreign_company(self):
        foreign = self.env['res.company'].create({'name': "Foreign"})
        with self.assertRaises(AccessError):
            self.connect(company=foreign)

    # === SECRETS === #

    def test_typed_keys_cannot_be_read_back(self):
        secret_key = self.stripe.account.secret_key
        wizard = self.fill_in_keys(secret_key)
        wizard.invalidate_recordset()
        self.assertEqual(wizard.secret_key, f'sk_test_…{secret_key[-4:]}')
        self.assertNotIn(secret_key, str(wizard.read()))
        with self.assertRaises(AccessError):
            wizard.read(['typed_secret_key'])
        # A form that is saved again sends back what it was shown.
        wizard.write({'secret_key': wizard.secret_key})
        self.assertEqual(wizard.sudo().typed_secret_key, secret_key)
        wizard.action_connect()
        self.assertFalse(wizard.sudo().typed_secret_key)

    def test_refused_keys_are_forgotten(self):
        self.assert_refused(UserError, "does not accept", secret_key='sk_test_unknown_1234567890')
        wizards = self.env['stripe.checkout.connect'].sudo()
        self.assertIn('sk_test_unknown_1234567890', wizards.search([]).mapped('typed_secret_key'))
        self.run_cron('ir_cron_sweep')
        self.assertTrue(wizards.search([]), "There is time to try again")
        with freeze_time(datetime.now() + timedelta(minutes=16)):
            self.run_cron('ir_cron_sweep')
        self.assertFalse(wizards.search([]))

    def test_key_of_a_foreign_company_is_not_hinted_at(self):
        other = self.env['res.company'].sudo().create({'name': "Other"})
        stranger = new_test_user(
            self.env,
            login='stranger',
            groups='account.group_account_manager',
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        values = {'company_id': self.company.id}
        wizard = self.env['stripe.checkout.connect'].with_user(stranger).create(values)
        self.assertRecordValues(wizard, [{'connected': False, 'connected_key_hint': False}])
        wizard = self.env['stripe.checkout.connect'].with_user(self.billing_admin).create(values)
        hint = self.provider.stripe_checkout_key_hint
        self.assertRecordValues(wizard, [{'connected': True, 'connected_key_hint': hint}])

    def test_of_two_providers_the_live_one_counts(self):
        live = self.provider.copy({'company_id': self.company.id})
        live.write({'stripe_checkout_mode': 'live', 'state': 'enabled'})
        providers = self.env['payment.provider'].sudo()
        self.assertEqual(providers._stripe_checkout_get_for_company(self.company), live)
        self.assertEqual(providers._stripe_checkout_ensure_provider(self.company), live)

    def test_form(self):
        with Form(self.env['stripe.checkout.connect'].with_user(self.billing_admin)) as form:
            form.secret_key = self.stripe.account.secret_key
            form.publishable_key = self.stripe.account.publishable_key
        action = form.record.action_connect()
        self.assertEqual(action['params']['next']['res_id'], self.provider.id)

    def test_copy_and_new_companies_take_no_connection_along(self):
        company = self.env['res.company'].sudo().create({'name': "New"})
        for provider in self.get_provider(company) + self.provider.copy():
            self.assertFalse(provider.stripe_checkout_secret_key)
            self.assertFalse(provider.stripe_checkout_webhook_secret)
            self.assertFalse(provider.stripe_checkout_account_id)
            self.assertEqual(provider.state, 'disabled')

    def test_copy_and_new_companies_begin_with_settings_of_their_own(self):
        """Odoo copies providers into new companies: reminders would go to clients of another."""
        self.provider.stripe_checkout_reminders = True
        company = self.env['res.company'].sudo().create({'name': "New"})
        for provider in self.get_provider(company) + self.provider.copy():
            self.assertFalse(provider.stripe_checkout_reminders)
        taken_along = [name for name in SETTINGS_FIELDS if self.provider._fields[name].copy]
        self.assertEqual(taken_along, [])

    def test_first_connection_books_in_the_time_zone_of_who_connects(self):
        """The provider was made by installing the addon, which knows nobody's time zone."""
        company = self.env['res.company'].sudo().create({'name': "New"})
        provider = self.get_provider(company)
        self.assertEqual(provider.stripe_checkout_tz, 'UTC')
        admin = new_test_user(
            self.env,
            login='new_admin',
            groups='account.group_account_manager',
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
            tz='America/New_York',
        )
        account = self.stripe.add_account()
        keys = (account.secret_key, account.publishable_key, admin, company)
        self.connect(*keys)
        self.assertEqual(provider.stripe_checkout_tz, 'America/New_York')
        # From then on it is a setting like any other.
        provider.stripe_checkout_tz = 'UTC'
        self.connect(*keys)
        self.assertEqual(provider.stripe_checkout_tz, 'UTC')
