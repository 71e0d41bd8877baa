from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import AccessError, RedirectWarning, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .. import const
from ..models.payment_provider_key_doctor import PERMISSION_PROBES
from .common import StripeCheckoutCommon

WEBHOOK = 'odoo.addons.payment_stripe_checkout.models.payment_provider_webhook'
PROBE = 'odoo.addons.payment_stripe_checkout.models.payment_provider_probe'
CONTROLLER = 'odoo.addons.payment_stripe_checkout.controllers.webhook'


@tagged('post_install', '-at_install')
class TestHealth(StripeCheckoutCommon):
    """Every way to break the webhook shows, and one click and the probe's event mend it."""

    def setUp(self):
        super().setUp()
        self.client_api = self.provider._stripe_checkout_get_client()
        self.endpoint_id = self.provider.stripe_checkout_endpoint_id
        self.managed = self.provider.with_user(self.billing_admin)

    def check(self, minutes=0):
        """Run the regular check, some minutes later."""
        with freeze_time(datetime.now() + timedelta(minutes=minutes)):
            self.run_cron('ir_cron_check_webhook')

    def assert_health(self, state, problem=False, message=''):
        self.assertRecordValues(
            self.provider,
            [{'stripe_checkout_webhook_state': state, 'stripe_checkout_problem': problem}],
        )
        self.assertIn(message, self.managed.stripe_checkout_webhook_message or '')
        todos = self.provider.activity_search(['payment_stripe_checkout.mail_activity_type_health'])
        self.assertEqual(len(todos), int(state == 'warning'))
        if todos:
            self.assertEqual(todos.user_id, self.billing_admin)
            self.assertIn(message, todos.note)

    def set_account(self, **values):
        """Change the account at Stripe until the end of the test."""
        for name, value in values.items():
            self.addCleanup(setattr, self.stripe.account, name, getattr(self.stripe.account, name))
            setattr(self.stripe.account, name, value)

    def update_endpoint(self, **values):
        self.client_api.v1.webhook_endpoints.update(self.endpoint_id, values)

    def pay_while_broken(self):
        """Pay an invoice whose event cannot arrive; return the invoice."""
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        return invoice

    def deliver_through_current(self):
        """Deliver through the current endpoint alone; the former one may be what is broken."""
        self.env.cr.postcommit.run()  # The probe is sent once its secret is stored.
        self.deliver([
            delivery
            for delivery in self.stripe.deliveries.pop_all()
            if delivery.endpoint['id'] == self.provider.stripe_checkout_endpoint_id
        ])

    @mute_logger(WEBHOOK)
    def assert_mended(self, invoice):
        """Press Retry, let the probe's event arrive, and find the payment booked once."""
        self.managed.action_stripe_checkout_retry_webhook()
        self.assert_health('pending')
        self.deliver_through_current()
        self.assert_health('confirmed')
        with freeze_time(datetime.now() + timedelta(minutes=30)):
            self.run_cron('ir_cron_sweep')
            self.run_queue()
        self.run_queue()
        payment = self.assert_booked(invoice, 100)
        self.assertEqual(
            self.env['account.payment'].search_count([
                (
                    'stripe_checkout_payment_intent',
                    '=',
                    payment.stripe_checkout_payment_intent,
                )
            ]),
            1,
        )
        self.check()
        self.assert_health('confirmed')

    # === CONFIRMED BY AN EVENT ALONE === #

    def test_connecting_is_confirmed_by_the_probes_event(self):
        self.connect()
        self.assert_health('pending')
        self.check()
        self.assert_health('pending')
        self.deliver()
        self.assert_health('confirmed')

    def test_event_signed_with_the_former_secret_confirms_nothing(self):
        former = self.provider.stripe_checkout_endpoint_id
        self.managed.action_stripe_checkout_retry_webhook()
        self.env.cr.postcommit.run()
        deliveries = self.stripe.deliveries.pop_all()
        self.deliver([d for d in deliveries if d.endpoint['id'] == former])
        self.assert_health('pending')
        self.assertEqual(self.provider.stripe_checkout_former_endpoint_id, former)
        self.deliver([d for d in deliveries if d.endpoint['id'] != former])
        self.assert_health('confirmed')

    def test_former_endpoint_goes_once_the_new_one_has_delivered(self):
        self.managed.action_stripe_checkout_retry_webhook()
        self.env.cr.postcommit.run()
        self.assertEqual(len(self.client_api.v1.webhook_endpoints.list().data), 2)
        self.check()
        self.assertEqual(len(self.client_api.v1.webhook_endpoints.list().data), 2)
        self.deliver()
        self.check()
        [endpoint] = self.client_api.v1.webhook_endpoints.list().data
        self.assertEqual(endpoint.id, self.provider.stripe_checkout_endpoint_id)
        self.assertNotEqual(endpoint.id, self.endpoint_id)

    def test_retry_again_and_again_leaves_no_endpoint_behind(self):
        for _attempt in range(4):
            self.managed.action_stripe_checkout_retry_webhook()
            self.env.cr.postcommit.run()
        self.assertEqual(
            {endpoint.id for endpoint in self.client_api.v1.webhook_endpoints.list().data},
            {self.endpoint_id, self.provider.stripe_checkout_endpoint_id},
        )
        self.deliver()
        self.check()
        self.assertEqual(len(self.client_api.v1.webhook_endpoints.list().data), 1)

    def test_former_secret_counts_for_three_days(self):
        self.managed.action_stripe_checkout_retry_webhook()
        self.assertEqual(len(self.provider._stripe_checkout_get_webhook_secrets()), 2)
        with freeze_time(datetime.now() + timedelta(days=3, minutes=1)):
            self.assertEqual(len(self.provider._stripe_checkout_get_webhook_secrets()), 1)

    # === WAYS TO BREAK === #

    def test_endpoint_deleted(self):
        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        invoice = self.pay_while_broken()
        self.check()
        self.assert_health('warning', 'deleted', "is gone at Stripe")
        self.assert_mended(invoice)

    def test_endpoint_disabled(self):
        self.stripe.disable_endpoint(self.endpoint_id)
        invoice = self.pay_while_broken()
        self.check()
        self.assert_health('warning', 'disabled', "is disabled")
        self.assert_mended(invoice)

    def test_endpoint_with_another_address(self):
        self.update_endpoint(url='https://elsewhere.example.com/hook')
        invoice = self.pay_while_broken()
        self.stripe.deliveries.pop_all()
        self.check()
        self.assert_health('warning', 'address', "another address")
        self.assert_mended(invoice)

    def test_endpoint_with_other_events(self):
        self.update_endpoint(enabled_events=['checkout.session.expired'])
        invoice = self.pay_while_broken()
        self.check()
        self.assert_health('warning', 'events', "all events")
        self.assert_mended(invoice)

    @mute_logger(CONTROLLER)
    def test_secret_rolled_in_the_dashboard(self):
        self.stripe.roll_secret(self.endpoint_id)
        self.stripe.deliveries.double_sign(None)
        invoice = self.pay_while_broken()
        self.deliver(status=400)
        self.check(minutes=10)
        self.assert_health('warning', 'signature', "signature")
        self.assertEqual(self.managed.stripe_checkout_refused_count, 1)
        self.assert_mended(invoice)

    @mute_logger(CONTROLLER)
    def test_secret_rolled_while_nobody_pays(self):
        self.stripe.roll_secret(self.endpoint_id)
        self.stripe.deliveries.double_sign(None)
        self.check(minutes=25)  # Nothing arrived lately: a probe is sent.
        self.deliver(status=400)
        self.check(minutes=55)
        self.assert_health('warning', 'signature')

    def test_address_of_the_database_changed(self):
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', 'https://new.example.com')
        invoice = self.pay_while_broken()
        self.check()
        self.assert_health('warning', 'moved', "https://new.example.com")
        self.assertIn(self.base_url(), self.managed.stripe_checkout_webhook_message)
        self.assertTrue(
            invoice.stripe_payment_link_ids._get_url().startswith(self.base_url()),
            "Nothing moves by itself",
        )
        self.deliver()
        self.assert_health('warning', 'moved')
        # Back on its host, as after a restore, one click mends it.
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', self.base_url())
        self.assert_mended(invoice)

    def test_address_is_frozen_by_administrators_only(self):
        parameters = self.env['ir.config_parameter'].sudo()
        parameters.set_param('web.base.url', 'https://new.example.com')
        self.check()
        with self.assertRaises(AccessError):
            self.managed.action_stripe_checkout_freeze_address()
        administrator = new_test_user(
            self.env,
            login='freezer',
            groups='base.group_system,account.group_account_manager',
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        self.provider.with_user(administrator).action_stripe_checkout_freeze_address()
        self.assertEqual(parameters.get_param('web.base.url'), self.base_url())
        self.assertTrue(parameters.get_param('web.base.url.freeze'))
        self.assert_health('confirmed')

    def test_database_restored_on_another_host(self):
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', self.base_url())
        self.provider.stripe_checkout_base_url = 'https://old.example.com'
        self.update_endpoint(url=self.provider._stripe_checkout_get_webhook_url())
        invoice = self.create_invoice(100)
        link = invoice.stripe_payment_link_ids
        response = self.url_open(link._get_path(), allow_redirects=False)
        self.stripe.pay(self.get_session(response.headers['Location'])['id'])
        self.stripe.deliveries.pop_all()
        self.check()
        self.assert_health('warning', 'moved', self.base_url())
        self.assert_mended(invoice)
        self.assertTrue(link._get_url().startswith(self.base_url()))

    def test_key_rotated(self):
        invoice = self.pay_while_broken()
        self.set_account(secret_key='sk_test_rotated')
        self.check()
        self.assert_health('warning', 'key', "no longer accepts the key")
        with self.assertRaises(RedirectWarning):
            self.managed.action_stripe_checkout_retry_webhook()
        self.connect()
        self.client_api = self.provider._stripe_checkout_get_client()
        self.deliver()
        self.assert_health('confirmed')
        self.assert_mended(invoice)

    def connect_restricted(self):
        """Connect with a restricted key that may do all; return the key."""
        key = self.stripe.add_restricted_key()
        self.connect(secret_key=key)
        self.deliver()
        self.assert_health('confirmed')
        return key

    def test_permission_taken_away(self):
        key = self.connect_restricted()
        complete = self.stripe.account.restricted[key]
        for permission in PERMISSION_PROBES:
            with self.subTest(permission):
                name = permission.removeprefix('rak_')
                lost = {name, name.replace('_write', '_read')}  # Write includes read.
                self.stripe.account.restricted[key] = complete - lost
                self.check()
                self.assert_health('warning', 'permission', permission)
                notification = self.managed.action_stripe_checkout_test_connection()['params']
                self.assertEqual(notification['type'], 'danger')
                self.assertIn(permission, notification['message'])
        self.stripe.account.restricted[key] = complete
        self.check()
        self.assert_health('confirmed')

    @mute_logger(PROBE)
    def test_payment_pages_refused(self):
        currency = self.company.currency_id.sudo()
        name = currency.name
        currency.name = 'XTS'  # Which Stripe does not know.
        notification = self.managed.action_stripe_checkout_test_connection()['params']
        self.assertEqual(notification['type'], 'danger')
        self.assert_health('warning', 'pages', "no client can pay. Stripe answered: Invalid curr")
        todo = self.provider.activity_search(['payment_stripe_checkout.mail_activity_type_health'])
        self.check()
        self.assert_health('warning', 'pages', "no client can pay")
        self.assertEqual(
            self.provider.activity_search(['payment_stripe_checkout.mail_activity_type_health']),
            todo,
            "Told once",
        )
        currency.name = name
        self.check()
        self.assert_health('confirmed')

    @mute_logger(PROBE)
    def test_payment_pages_refused_after_retry(self):
        self.company.currency_id.sudo().name = 'XTS'
        self.managed.action_stripe_checkout_retry_webhook()
        self.assert_health('pending')
        self.env.flush_all()
        self.env.cr.postcommit.run()
        self.env.invalidate_all()
        self.assert_health('warning', 'pages', "no client can pay")

    def test_account_that_takes_no_payments(self):
        self.set_account(charges_enabled=False)
        self.check()
        self.assert_health('warning', 'charges', "does not let this account take payments")

    def test_stripe_unreachable(self):
        self.stripe.faults.next(100, '500')
        self.check()
        self.assert_health('warning', 'unreachable', "Nothing is lost")
        self.stripe.faults.clear()
        self.check()
        self.assert_health('confirmed')

    def test_nothing_arrives(self):
        self.check(minutes=25)
        self.stripe.deliveries.pop_all()
        self.check(minutes=55)
        self.assert_health('warning', 'undelivered', "could not deliver")
        self.check(minutes=60)
        self.assert_health('warning', 'undelivered')
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', self.base_url())
        self.managed.action_stripe_checkout_test_connection()
        self.deliver()
        self.assert_health('confirmed')

    def test_two_todos_never(self):
        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        self.check()
        self.check()
        self.assert_health('warning', 'deleted')
        self.set_account(secret_key='sk_test_rotated')
        self.check()
        self.assert_health('warning', 'key')

    def test_endpoint_of_another_version(self):
        self.stripe._endpoint(self.endpoint_id)[1]['api_version'] = '2020-08-27'
        self.check()
        self.assert_health('warning', 'version', "another API version")
        self.managed.action_stripe_checkout_retry_webhook()
        self.deliver()
        self.assert_health('confirmed')

    # === BUTTONS === #

    def test_view_calls_nobody(self):
        self.stripe.calls.clear()
        action = self.env['payment.provider'].with_user(self.billing_admin)
        action = action.action_stripe_checkout_open_settings()
        view = self.env['payment.provider'].get_view(action['view_id'][0], 'form')
        self.managed.web_read({
            name: {}
            for name in view['models']['payment.provider']
            if name != 'id' and self.managed._fields[name].type not in ('one2many', 'many2many')
        })
        self.assertEqual(len(self.stripe.calls), 0)

    def test_test_connection_sends_a_probe_that_nobody_pays(self):
        notification = self.managed.action_stripe_checkout_test_connection()['params']
        self.assertEqual(notification['type'], 'success')
        self.assertIn("test mode", notification['message'])
        sessions = self.client_api.v1.checkout.sessions.list().to_dict()['data']
        probe = sessions[0]
        self.assertEqual(probe['status'], 'expired')
        self.assertIn(const.METADATA_PROBE, probe['metadata'])
        self.deliver()
        self.run_queue()
        event = self.env['stripe.event'].search([('provider_id', '=', self.provider.id)])
        self.assertEqual(event.mapped('state'), ['done'])

    def test_test_connection_says_what_is_wrong(self):
        self.set_account(secret_key='sk_test_rotated')
        notification = self.managed.action_stripe_checkout_test_connection()['params']
        self.assertEqual(notification['type'], 'danger')
        self.assertIn("no longer accepts the key", notification['message'])

    def test_nothing_to_manage_before_connecting(self):
        self.managed.action_stripe_checkout_disconnect()
        for action in ('test_connection', 'retry_webhook', 'disconnect'):
            with self.assertRaises(UserError):
                getattr(self.managed, f'action_stripe_checkout_{action}')()
