from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time
from lxml import etree

from odoo.exceptions import AccessError, UserError
from odoo.service import model as retrying_module
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from .. import const
from ..models import payment_provider_health_check
from ..models.payment_provider_key_doctor import PERMISSION_PROBES
from ..models.payment_provider_settings import SETTINGS_VIEW
from .health_common import CONTROLLER, PROBE, HealthCommon


@tagged('post_install', '-at_install')
class TestHealth(HealthCommon):
    """What is wrong shows with its reason, and only an event that arrives says that all is well."""

    def test_regular_check_comes_within_the_hour(self):
        cron = self.env.ref('payment_stripe_checkout.ir_cron_check_webhook')
        self.assertTrue(cron.active)
        interval = timedelta(**{cron.interval_type: cron.interval_number})
        self.assertLessEqual(interval, timedelta(hours=1))

    @mute_logger('odoo.sql_db')
    def test_check_is_repeated_where_an_event_was_faster(self):
        """Catches a trouble that is told half an hour late, or not at all on a busy database."""
        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        self.env.cr.execute("CREATE SEQUENCE conflicts")
        self.refuse_in_database(
            '40001', 'UPDATE ON payment_provider', SQL("nextval('conflicts') = 1")
        )
        with patch.object(retrying_module.time, 'sleep'):
            self.check()
        self.accept_in_database()
        self.assert_health('warning', 'deleted')
        self.env.cr.execute("SELECT last_value FROM conflicts")
        self.assertGreater(self.env.cr.fetchone()[0], 1, "There was a conflict")

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

    # === WHAT CAN BE WRONG === #

    @mute_logger(CONTROLLER)
    def test_secret_rolled_while_nobody_pays(self):
        self.stripe.roll_secret(self.endpoint_id)
        self.stripe.deliveries.double_sign(None)
        self.check(minutes=25)  # Nothing arrived lately: a probe is sent.
        with freeze_time(datetime.now() + timedelta(minutes=25)):
            self.deliver(status=400)
        self.check(minutes=55)
        self.assert_health('warning', 'signature')
        with freeze_time(datetime.now() + timedelta(minutes=56)):
            self.managed.action_stripe_checkout_retry_webhook()
        self.assert_health('pending')

    @mute_logger(CONTROLLER)
    def test_strangers_request_says_nothing_of_the_secret(self):
        self.check(minutes=25)
        self.stripe.deliveries.pop_all()
        for headers in ({}, {'Stripe-Signature': 'nonsense'}):
            with freeze_time(datetime.now() + timedelta(minutes=26)):
                path = f'/payment/stripe_checkout/webhook/{self.provider.id}'
                response = self.url_open(path, data=b'{}', headers=headers)
            self.assertEqual(response.status_code, 400)
        self.check(minutes=55)
        self.assert_health('warning', 'undelivered')
        self.assertEqual(self.managed.stripe_checkout_refused_count, 2)

    def test_address_is_frozen_by_administrators_only(self):
        parameters = self.env['ir.config_parameter'].sudo()
        parameters.set_param('web.base.url', 'https://new.example.com')
        self.check()
        with self.assertRaises(AccessError):
            self.managed.action_stripe_checkout_freeze_address()
        administrator = self.create_user(
            'freezer', 'base.group_system,account.group_account_manager'
        )
        self.provider.with_user(administrator).action_stripe_checkout_freeze_address()
        self.assertEqual(parameters.get_param('web.base.url'), self.base_url())
        self.assertTrue(parameters.get_param('web.base.url.freeze'))
        [message, *_] = self.provider.message_ids
        self.assertIn(self.base_url(), message.body)
        self.assertEqual(message.author_id, administrator.partner_id)
        self.assert_health('confirmed')

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
    def test_currency_of_which_much_is_little(self):
        self.env.ref('base.IDR').sudo().name = 'XTS'
        self.env.flush_all()
        self.company.currency_id.sudo().name = 'IDR'
        for rate, arrives in ((0.00006, True), (1e-9, False)):
            self.set_account(settlement_currencies=('usd',), exchange_rates={'idr': rate})
            notification = self.managed.action_stripe_checkout_test_connection()['params']
            self.assertEqual(notification['type'], 'success')
            self.assert_health('confirmed')
            self.assertEqual(bool(self.deliver()), arrives)

    @mute_logger(PROBE)
    def test_payment_pages_refused_after_retry(self):
        self.company.currency_id.sudo().name = 'XTS'
        self.managed.action_stripe_checkout_retry_webhook()
        self.assert_health('pending')
        self.env.flush_all()
        self.env.cr.postcommit.run()
        self.env.invalidate_all()
        self.assert_health('warning', 'pages', "no client can pay")

    # === AN ADDRESS THAT STRIPE REFUSES === #

    def set_address(self, address):
        self.env['ir.config_parameter'].sudo().set_param('web.base.url', address)

    def test_refused_address_leaves_what_works(self):
        invoice = self.create_invoice(100)
        self.set_address('odoo.example.com')
        self.check()
        notification = self.managed.action_stripe_checkout_retry_webhook()['params']
        self.assertEqual(notification['type'], 'danger')
        self.assertIn("explicit scheme", notification['message'])
        self.assert_health('warning', 'refused', "explicit scheme")
        self.assertEqual(self.provider.stripe_checkout_base_url, self.base_url())
        self.assertTrue(self.get_path(invoice).startswith('/pay/'), "The links stay as well")
        self.check()
        self.assert_health('warning', 'refused', "explicit scheme")
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)
        # Back to the address that works.
        self.set_address(self.base_url())
        self.check()
        self.assert_health('confirmed')
        # What was refused once is not said of another trouble.
        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        self.check()
        self.assert_health('warning', 'deleted')

    def test_refused_when_connecting(self):
        self.disconnect(now=True)
        self.env.cr.postcommit.run()
        self.set_address('odoo.example.com')
        self.connect()
        self.assert_health('warning', 'refused', "explicit scheme")
        self.assert_health('warning', 'refused', "Payments still arrive, some minutes later.")
        # An outage does not stay after its end, nor takes the reason away.
        self.stripe.faults.next(1000, '500')
        self.check()
        self.assert_health('warning', 'unreachable')
        self.stripe.faults.clear()
        self.check()
        self.assert_health('warning', 'refused', "explicit scheme")
        self.set_address(self.base_url())
        self.check()
        self.assert_health('warning', 'moved', self.base_url())
        self.managed.action_stripe_checkout_retry_webhook()
        self.deliver()
        self.assert_health('confirmed')

    def test_account_that_takes_no_payments(self):
        self.set_account(charges_enabled=False)
        self.check()
        self.assert_health('confirmed')  # Of test payments Stripe does not say so.
        self.go_live()
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

    def test_probe_under_way_says_nothing_yet(self):
        """What stands before Odoo may answer for it: Stripe then calls all events delivered."""
        self.check(minutes=25)
        for delivery in self.stripe.deliveries.pop_all():
            delivery.note(200)
        self.check(minutes=55)
        self.assert_health('warning', 'silent', "No event arrives")
        for minutes in (56, 57):
            with freeze_time(datetime.now() + timedelta(minutes=minutes)):
                notification = self.managed.action_stripe_checkout_test_connection()['params']
            self.assertEqual(notification['type'], 'danger')
            self.assert_health('warning', 'silent')
        self.deliver()
        self.assert_health('confirmed')

    def test_more_events_do_not_arrive_than_are_counted(self):
        self.patch(payment_provider_health_check, 'COUNT_LIMIT', 1)
        self.check(minutes=25)
        self.stripe.deliveries.pop_all()
        self.check(minutes=55)
        self.assert_health('warning', 'undelivered', "deliver 1+ events")

    @mute_logger(CONTROLLER)
    def test_events_that_another_endpoint_does_not_take(self):
        """Stripe calls an event undelivered until every endpoint of the account has taken it."""
        other = self.client_api.v1.webhook_endpoints.create({
            'url': 'https://staging.example.com/hook',
            'enabled_events': ['*'],
        })
        with freeze_time(datetime.now() - timedelta(minutes=10)):
            self.connect()
            self.env.cr.postcommit.run()
        self.deliver([
            delivery
            for delivery in self.stripe.deliveries.pop_all()
            if delivery.endpoint['id'] != other.id
        ])
        events = self.client_api.v1.events.list({'delivery_success': False}).data
        self.assertTrue(events)
        self.check(minutes=10)
        self.assert_health('confirmed')
        self.assertEqual(self.managed.stripe_checkout_undelivered_count, 0)

    def test_event_that_is_here_before_stripe_answers(self):
        """It is stored by another host, whose clock need not be ours."""
        self.check(minutes=25)
        sent = datetime.now() + timedelta(minutes=25)
        with freeze_time(sent - timedelta(seconds=2)):
            self.deliver()
        self.check(minutes=30)
        self.assert_health('confirmed')

    def test_two_todos_never(self):
        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        self.check()
        self.check()
        self.assert_health('warning', 'deleted')
        self.set_account(secret_key='sk_test_rotated')
        self.check()
        self.assert_health('warning', 'key')

    def test_todo_is_for_who_is_still_there(self):
        def leave_company():
            company = self.env['res.company'].create({'name': "Another"})
            self.billing_admin.write({
                'company_id': company.id,
                'company_ids': [(6, 0, company.ids)],
            })

        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        for leave in (self.billing_admin.action_archive, leave_company):
            with self.subTest(leave.__name__):
                leave()
                self.check()
                [todo] = self.provider.activity_search([
                    'payment_stripe_checkout.mail_activity_type_health'
                ])
                self.assertNotEqual(todo.user_id, self.billing_admin)
                self.assert_can_mend(todo.user_id)
                todo.unlink()
                self.billing_admin.action_unarchive()

    def assert_can_mend(self, user):
        self.provider.with_user(user).action_stripe_checkout_test_connection()

    def test_todo_is_for_who_can_mend_it(self):
        clerk = self.create_user('clerk', 'account.group_account_invoice')
        self.managed.stripe_checkout_user_id = clerk
        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        self.check()
        self.assert_health('warning', 'deleted')  # For the billing admin, who has connected.
        self.assert_can_mend(self.billing_admin)

    def test_todo_leads_to_where_it_can_be_mended(self):
        """Odoo's own form of a provider has neither the message nor the buttons."""
        ours = self.env.ref(SETTINGS_VIEW)
        self.client_api.v1.webhook_endpoints.delete(self.endpoint_id)
        self.check()
        # The link in the mail that tells of the to-do.
        self.authenticate('billing_admin', 'billing_admin')
        response = self.url_open(
            f'/mail/view?model=payment.provider&res_id={self.provider.id}', allow_redirects=False
        )
        self.assertIn(f'view_id={ours.id}', response.headers['Location'])
        # The list of to-dos leads to the form of the model.
        views = self.managed.get_views([(False, 'list'), (False, 'form')])['views']
        self.assertEqual(views['form']['id'], ours.id)

    def test_form_of_administrators_leads_to_where_it_can_be_mended(self):
        """They have Odoo's own, for all that is the framework's."""
        ours = self.env.ref(SETTINGS_VIEW)
        administrator = self.create_user(
            'administrator', 'base.group_system,account.group_account_manager'
        )
        provider = self.provider.with_user(administrator)
        form = provider.get_views([(False, 'form')])['views']['form']
        self.assertEqual(form['id'], self.env.ref('payment.payment_provider_form').id)
        arch = etree.fromstring(form['arch'])
        [button] = arch.xpath("//button[@string='Manage the connection']")
        action = getattr(provider, button.get('name'))()
        self.assertEqual(action['res_id'], provider.id)
        self.assertEqual(action['views'], [(ours.id, 'form')])
        other = provider.sudo().create({'name': "Other"})
        self.assertFalse(other.get_formview_id())
        # Who administers no billing cannot read all that ours shows.
        stranger = self.create_user('stranger', 'base.group_system')
        self.assertFalse(self.provider.with_user(stranger).get_formview_id())

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
        self.disconnect()
        for action in ('test_connection', 'retry_webhook', 'disconnect'):
            with self.assertRaises(UserError):
                getattr(self.managed, f'action_stripe_checkout_{action}')()
