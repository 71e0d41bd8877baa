import json

from odoo.fields import Command
from odoo.tests import JsonRpcException, new_test_user, tagged
from odoo.tools import mute_logger

from ..models.payment_provider_settings import SETTINGS_FIELDS
from .common import StripeCheckoutCommon

REFUSED = 'odoo.exceptions.AccessError'
WIZARDS = {
    'stripe.checkout.connect': ('action_connect', 'action_switch'),
    'stripe.checkout.disconnect': ('action_disconnect',),
    'stripe.checkout.reverse.tests': ('action_reverse',),
}


@tagged('post_install', '-at_install')
class TestAdminAccess(StripeCheckoutCommon):
    """Who may manage online payments, over the calls that the web client makes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.strangers = {
            groups: cls.new_user(f'stranger_{number}', groups)
            for number, groups in enumerate((
                'base.group_user',
                'account.group_account_invoice',
                'account.group_account_readonly',
                'base.group_portal',
            ))
        }
        cls.administrator = cls.new_user(
            'administrator', 'base.group_system,account.group_account_manager'
        )
        # Who may export records, too.
        for user in cls.billing_admin + cls.administrator:
            user.group_ids += cls.env.ref('base.group_allow_export')
        cls.other_company = cls.env['res.company'].create({'name': "Other"})
        cls.other_admin = cls.new_user(
            'other_admin', 'account.group_account_manager', company=cls.other_company
        )

    @classmethod
    def new_user(cls, login, groups, company=None):
        company = company or cls.company
        return new_test_user(
            cls.env,
            login=login,
            groups=groups,
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )

    # === CALLS === #

    def call(self, model, method, *args, **kwargs):
        """Call a method as who is logged in."""
        return self.make_jsonrpc_request(
            f'/web/dataset/call_kw/{model}/{method}',
            {'model': model, 'method': method, 'args': args, 'kwargs': kwargs},
        )

    @mute_logger('odoo.http')
    def assert_refused(self, model, method, *args, error=REFUSED, **kwargs):
        """Call a method in vain."""
        with self.subTest(model=model, method=method):
            try:
                result = self.call(model, method, *args, **kwargs)
            except JsonRpcException as refusal:
                self.assertEqual(str(refusal), error)
            else:
                self.fail(f'Not refused, but answered: {result}')

    def log_in(self, user):
        """Log in; the password of a test user is the login."""
        self.authenticate(user.login, user.login + 'x' * (8 - len(user.login)))

    def list_actions(self):
        """Return every action of a connection by name, with what it is called on."""
        actions = {
            name: getattr(type(self.provider), name)
            for name in dir(type(self.provider))
            if name.startswith('action_stripe_checkout_')
        }
        return {
            name: () if getattr(method, '_api_model', False) else (self.provider.ids,)
            for name, method in actions.items()
        }

    def create_wizard(self, model, company=None):
        """Create a wizard as the billing admin does; return its id."""
        values = {'provider_id': self.provider.id}
        if model == 'stripe.checkout.connect':
            values = {
                'company_id': (company or self.company).id,
                'secret_key': self.stripe.account.secret_key,
                'publishable_key': self.stripe.account.publishable_key,
            }
        return self.env[model].with_user(self.billing_admin).create(values).id

    def receive_event(self):
        """Let a client pay; return the event that tells about it."""
        self.stripe.pay(self.open_link(self.create_invoice(100))['id'])
        self.deliver()
        return self.env['stripe.event'].search([])

    def list_managed(self, event):
        """Return the actions of billing admins that are on no connection, and their records."""
        self.stripe.charge_stripe_fee(100)
        self.run_cron('ir_cron_feed')
        movement = self.env['stripe.balance.transaction'].search([])
        self.assertTrue(movement)
        return (
            ('stripe.event', 'action_retry', event.ids),
            ('stripe.event', 'action_ignore', event.ids),
            ('stripe.balance.transaction', 'action_mark_classified', movement.ids),
            ('stripe.balance.transaction', 'action_match_bank_line', movement[:1].ids),
        )

    def read_state(self):
        """Return all that is stored of the connection, but for what every visit may touch."""
        self.env.invalidate_all()
        row = self.provider.read()[0]
        return {name: value for name, value in row.items() if not name.startswith('activity')}

    # === REFUSED === #

    def test_there_are_actions_to_refuse(self):
        """A renamed action would not be refused by the tests that follow, but left out."""
        self.assertLessEqual(
            {
                f'action_stripe_checkout_{name}'
                for name in (
                    'test_connection', 'retry_webhook', 'disconnect', 'open_connect',
                    'open_disconnect', 'open_reverse_tests', 'open_settings', 'open_overdue',
                    'stay_connected', 'freeze_address',
                )
            },
            set(self.list_actions()),
        )  # fmt: skip

    def test_every_action_is_refused_to_who_is_no_billing_admin(self):
        event = self.receive_event()
        managed = self.list_managed(event)
        wizards = {model: self.create_wizard(model) for model in WIZARDS}
        before, calls = self.read_state(), len(self.stripe.calls)
        for groups, user in self.strangers.items():
            self.log_in(user)
            with self.subTest(groups=groups):
                for action, ids in self.list_actions().items():
                    self.assert_refused('payment.provider', action, *ids)
                for model, methods in WIZARDS.items():
                    self.assert_refused(model, 'create', {'provider_id': self.provider.id})
                    self.assert_refused(model, 'read', [wizards[model]])
                    for method in methods:
                        self.assert_refused(model, method, [wizards[model]])
                for action in managed:
                    self.assert_refused(*action)
                if groups != 'account.group_account_invoice':  # Who sees them.
                    self.assert_refused('stripe.event', 'action_open_invoices', event.ids)
                self.assert_refused('payment.provider', 'read', self.provider.ids, ['name'])
                self.assert_refused(
                    'payment.provider',
                    'write',
                    self.provider.ids,
                    {'stripe_checkout_link_expiration': '24'},
                )
        self.assertEqual(self.read_state(), before)
        self.assertEqual(len(self.stripe.calls), calls)

    def test_billing_admin_of_another_company(self):
        event = self.receive_event()
        managed = self.list_managed(event)
        wizards = {model: self.create_wizard(model) for model in WIZARDS}
        before, calls = self.read_state(), len(self.stripe.calls)
        self.log_in(self.other_admin)
        for action, ids in self.list_actions().items():
            if ids:  # Else it is about the user's own company.
                self.assert_refused('payment.provider', action, *ids)
        for model, methods in WIZARDS.items():
            for method in methods:
                self.assert_refused(model, method, [wizards[model]])
        for model in ('stripe.checkout.disconnect', 'stripe.checkout.reverse.tests'):
            try:
                wizard_id = self.call(model, 'create', {'provider_id': self.provider.id})
            except JsonRpcException as refusal:
                self.assertEqual(str(refusal), REFUSED)
            else:
                self.assert_refused(model, WIZARDS[model][0], [wizard_id])
        keys = {
            'secret_key': self.stripe.account.secret_key,
            'publishable_key': self.stripe.account.publishable_key,
        }
        wizard_id = self.call(
            'stripe.checkout.connect', 'create', {'company_id': self.company.id, **keys}
        )
        self.assert_refused('stripe.checkout.connect', 'action_connect', [wizard_id])
        self.assert_refused('stripe.checkout.connect', 'action_switch', [wizard_id])
        for action in managed:
            self.assert_refused(*action)
        self.assert_refused('stripe.event', 'read', event.ids, ['event_id'])
        self.assert_refused('stripe.event', 'action_open_invoices', event.ids)
        self.assert_refused('payment.provider', 'read', self.provider.ids, ['name'])
        for name in sorted(SETTINGS_FIELDS):
            self.assert_refused('payment.provider', 'write', self.provider.ids, {name: False})
        for model in ('stripe.event', 'stripe.payment.link', 'stripe.checkout.report'):
            self.assertEqual(self.call(model, 'search_read', [], ['id']), [])
        opened = self.call('payment.provider', 'action_stripe_checkout_open_settings')
        self.assertEqual(
            self.env['payment.provider'].browse(opened['res_id']).company_id, self.other_company
        )
        self.assertEqual(self.read_state(), before)
        self.assertEqual(len(self.stripe.calls), calls)

    def test_address_is_frozen_by_administrators_only(self):
        self.log_in(self.billing_admin)
        name = 'action_stripe_checkout_freeze_address'
        self.assert_refused('payment.provider', name, self.provider.ids)
        self.log_in(self.administrator)
        self.call('payment.provider', name, self.provider.ids)

    def test_private_methods_cannot_be_called(self):
        self.log_in(self.administrator)
        for name in (
            '_stripe_checkout_get_client',
            '_stripe_checkout_get_webhook_secrets',
            '_stripe_checkout_disconnect',
        ):
            self.assert_refused('payment.provider', name, self.provider.ids)

    # === ALLOWED === #

    def test_billing_admin_writes_the_settings_and_nothing_else(self):
        self.log_in(self.billing_admin)
        values = self.provider.read(list(SETTINGS_FIELDS), load=None)[0]
        for name in sorted(self.provider._fields):
            if name in SETTINGS_FIELDS:
                self.call('payment.provider', 'write', self.provider.ids, {name: values[name]})
            else:
                self.assert_refused('payment.provider', 'write', self.provider.ids, {name: False})
        self.assert_refused('payment.provider', 'create', {'name': "Mine"})
        self.assert_refused('payment.provider', 'unlink', self.provider.ids)
        self.assert_refused('payment.provider', 'copy', self.provider.ids)

    def test_administrator_sees_every_provider(self):
        providers = self.env['payment.provider']
        providers.create([
            {'name': "Bank", 'company_id': self.company.id},
            {'name': "Bank", 'company_id': self.other_company.id, 'code': 'stripe_checkout'},
        ])
        own = providers.search([('company_id', '=', self.company.id)])
        self.assertGreater(len(own), 1)
        listed = ('payment.provider', 'web_search_read', [], {'code': {}})
        self.log_in(self.administrator)
        found = self.call(*listed)['records']
        self.assertEqual({record['id'] for record in found}, set(own.ids))
        self.log_in(self.billing_admin)
        found = self.call(*listed)['records']
        self.assertEqual(found, [{'id': self.provider.id, 'code': 'stripe_checkout'}])

    # === SECRETS === #

    def list_secrets(self):
        """Return every secret of the connection, after it was changed once."""
        former = self.provider.stripe_checkout_webhook_secret
        self.connect()
        secrets = [
            self.stripe.account.secret_key,
            self.stripe.account.publishable_key,
            former,
            self.provider.stripe_checkout_webhook_secret,
        ]
        self.assertEqual(len(set(secrets)), 4)
        return secrets

    def assert_hidden(self, secrets, answer):
        text = json.dumps(answer, default=str)
        for secret in secrets:
            self.assertNotIn(secret, text)
            self.assertNotIn(secret[10:], text)

    def test_secrets_are_in_no_answer(self):
        secrets = self.list_secrets()
        provider_ids = self.provider.ids
        event = self.receive_event()
        for user in (self.billing_admin, self.administrator):
            self.log_in(user)
            names = self.call('payment.provider', 'fields_get', [], ['type'])
            self.assertFalse([name for name in names if name.endswith('secret')])
            self.assertNotIn('stripe_checkout_secret_key', names)
            plain = [
                name for name, field in names.items() if field['type'] in ('char', 'text', 'html')
            ]
            self.assertIn('stripe_checkout_key_hint', plain)
            specification = {name: {} for name in names}
            for answer in (
                self.call('payment.provider', 'read', provider_ids),
                self.call('payment.provider', 'web_read', provider_ids, specification),
                self.call('payment.provider', 'search_read', [['id', 'in', provider_ids]]),
                self.call('payment.provider', 'export_data', provider_ids, plain),
                self.call('payment.provider', 'name_search', 'Stripe'),
                self.call('stripe.event', 'read', event.ids),
                self.call('stripe.checkout.report', 'search_read', []),
            ):
                self.assertTrue(answer)
                self.assert_hidden(secrets, answer)

    def test_secrets_cannot_be_asked_for(self):
        secret_key, *_others = self.list_secrets()
        event = self.receive_event()
        field, provider_ids = 'stripe_checkout_secret_key', self.provider.ids
        through = {'provider_id': {'fields': {field: {}}}}
        for user in (self.billing_admin, self.administrator):
            self.log_in(user)
            self.assertEqual(self.call('payment.provider', 'name_search', secret_key), [])
            asks = (
                ('payment.provider', 'read', provider_ids, [field]),
                ('payment.provider', 'web_read', provider_ids, {field: {}}),
                ('payment.provider', 'search', [[field, '=like', 'sk_%']]),
                ('payment.provider', 'search_count', [[field, '!=', False]]),
                ('payment.provider', 'formatted_read_group', [], [field]),
                ('payment.provider', 'export_data', provider_ids, [field]),
                ('stripe.event', 'search', [[f'provider_id.{field}', '=like', 'sk_%']]),
                ('stripe.event', 'web_read', event.ids, through),
                ('stripe.event', 'export_data', event.ids, [f'provider_id/{field}']),
                ('stripe.checkout.secret', 'search_read', []),
                ('stripe.checkout.secret', 'create', {'name': field, 'value': 'sk_test_x'}),
            )
            for ask in asks:
                self.assert_not_answered(secret_key, *ask)

    @mute_logger('odoo.http', 'odoo.models')
    def assert_not_answered(self, secret, *ask):
        """Ask for a secret in vain; Odoo refuses each way with an error of its own."""
        with self.subTest(ask=ask):
            try:
                answer = self.call(*ask)
            except JsonRpcException:
                return
            self.fail(f'Not refused, but answered: {str(answer).replace(secret, "THE SECRET")}')

    def test_typed_keys_are_in_no_answer(self):
        self.log_in(self.billing_admin)
        keys = {
            'secret_key': 'sk_test_abcdefghijklmnop',
            'publishable_key': 'pk_test_abcdefghijklmnop',
        }
        model = 'stripe.checkout.connect'
        specification = {'secret_key': {}, 'publishable_key': {}, 'connected_key_hint': {}}
        stored = self.call(model, 'web_save', [], {'company_id': self.company.id, **keys},
                           specification)  # fmt: skip
        self.assert_hidden(keys.values(), stored)
        wizard_id = stored[0]['id']
        self.assert_hidden(keys.values(), self.call(model, 'read', [wizard_id]))
        self.assert_hidden(keys.values(), self.call(model, 'search_read', []))
        self.assert_not_answered(keys['secret_key'], model, 'read', [wizard_id], [
            'typed_secret_key'
        ])  # fmt: skip
        self.assert_not_answered(
            keys['secret_key'], model, 'search', [['typed_secret_key', '=like', 'sk_%']]
        )
        self.log_in(self.administrator)
        self.assert_hidden(keys.values(), self.call(model, 'read', [wizard_id]))

    def test_secrets_are_in_no_message(self):
        secrets = self.list_secrets()
        self.log_in(self.billing_admin)
        self.manage('retry_webhook')
        secrets.append(self.provider.stripe_checkout_webhook_secret)
        self.manage('test_connection')
        self.call(
            'payment.provider',
            'write',
            self.provider.ids,
            {'stripe_checkout_link_expiration': '24'},
        )
        self.manage('disconnect')
        messages = self.provider.message_ids
        self.assertGreaterEqual(len(messages), 4)
        self.assertTrue(messages.tracking_value_ids)
        self.assert_hidden(secrets, messages.read())
        self.assert_hidden(secrets, messages.tracking_value_ids.read())
        self.assert_hidden(secrets, self.provider.activity_ids.read())
        told = self.make_jsonrpc_request(
            '/mail/thread/messages',
            {'thread_model': 'payment.provider', 'thread_id': self.provider.id},
        )
        self.assertTrue(told['messages'])
        self.assert_hidden(secrets, told)

    def manage(self, action):
        """Call an action of the connection; forget what the caches hold of it."""
        self.call('payment.provider', f'action_stripe_checkout_{action}', self.provider.ids)
        self.env.invalidate_all()
