from lxml import etree

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .common import StripeCheckoutCommon

CONNECTION_SECRETS = (
    'stripe_checkout_secret_key',
    'stripe_checkout_publishable_key',
    'stripe_checkout_webhook_secret',
    'stripe_checkout_previous_webhook_secret',
)


@tagged('post_install', '-at_install')
class TestAccess(StripeCheckoutCommon):
    """Who may see and do what, over RPC as in the views."""

    def new_user(self, groups, **values):
        return new_test_user(
            self.env,
            login=f'user_{groups}',
            groups=groups,
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
            **values,
        )

    def test_secrets_are_readable_by_nobody(self):
        administrator = self.new_user('base.group_system,account.group_account_manager')
        for user in (self.billing_admin, administrator):
            provider = self.provider.with_user(user)
            for field in CONNECTION_SECRETS:
                with self.assertRaises(AccessError):
                    provider.read([field])
                with self.assertRaises(AccessError):
                    provider.search([(field, '=like', 'sk_%')])
            everything = str(provider.read())
            self.assertNotIn(self.stripe.account.secret_key, everything)
            self.assertNotIn(self.provider.stripe_checkout_webhook_secret, everything)
            with self.assertRaises(UserError):
                provider.export_data(['stripe_checkout_secret_key'])

    def test_secrets_reach_no_log_when_a_statement_fails(self):
        """Odoo logs a statement that fails with its values, PostgreSQL names the whole row."""
        secrets = [self.provider[field] for field in CONNECTION_SECRETS if self.provider[field]]
        self.assertGreaterEqual(len(secrets), 3)
        with self.assertLogs('odoo.sql_db') as log, self.assertRaises(Exception) as failure:
            self.provider.write({'name': 'x', 'stripe_checkout_webhook_state': False})
            self.provider.flush_recordset()
        told = f'{log.output} {failure.exception}'
        self.assertIn('payment_provider', told)
        for secret in secrets:
            self.assertNotIn(secret, told)

    def test_billing_admin_writes_settings_only(self):
        provider = self.provider.with_user(self.billing_admin)
        provider.write({'stripe_checkout_link_expiration': '24'})
        for values in (
            {'state': 'disabled'},
            {'stripe_checkout_account_id': 'acct_x'},
            {'stripe_checkout_webhook_state': 'confirmed'},
            {'company_id': self.env.company.id, 'stripe_checkout_link_expiration': '48'},
        ):
            with self.assertRaises(AccessError):
                provider.write(values)
        self.assertEqual(self.provider.stripe_checkout_link_expiration, '24')
        with self.assertRaises(AccessError):
            provider.unlink()

    def test_billing_admin_sees_our_providers_only_and_administrators_all(self):
        Provider = self.env['payment.provider']
        seen = Provider.with_user(self.billing_admin).search([])
        self.assertEqual(set(seen.mapped('code')), {'stripe_checkout'})
        self.assertEqual(seen.company_id, self.company)
        Provider.sudo().create({'name': "Another", 'company_id': self.company.id})
        everything = Provider.sudo().search([('company_id', '=', self.company.id)])
        self.assertGreater(len(everything), len(seen))
        administrator = self.new_user('base.group_system,account.group_account_manager')
        self.assertEqual(Provider.with_user(administrator).search([]), everything)

    def test_invoicing_users_may_not_manage(self):
        provider = self.provider.with_user(self.new_user('account.group_account_invoice'))
        for action in (
            'action_stripe_checkout_test_connection',
            'action_stripe_checkout_retry_webhook',
            'action_stripe_checkout_open_connect',
            'action_stripe_checkout_open_settings',
        ):
            with self.assertRaises(AccessError):
                getattr(provider, action)()
        self.assertEqual(len(self.stripe.calls), 0)

    def test_billing_admin_of_another_company_may_not_manage(self):
        other = self.env['res.company'].sudo().create({'name': "Other"})
        stranger = new_test_user(
            self.env,
            login='other_admin',
            groups='account.group_account_manager',
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        with self.assertRaises(AccessError):
            self.provider.with_user(stranger).action_stripe_checkout_retry_webhook()

    def test_invoice_form_of_who_does_not_bill(self):
        """Salespeople and buyers open invoices, too: a view with a field that is not theirs
        cannot be shown at all.
        """
        buyers = self.env['res.groups'].create({'name': "Buyers"})
        self.env['ir.model.access'].create({
            'name': "Buyers read invoices",
            'model_id': self.env['ir.model']._get_id('account.move'),
            'group_id': buyers.id,
            'perm_read': True,
        })
        buyer = self.new_user('base.group_user')
        buyer.group_ids += buyers
        invoice = self.create_invoice(100).with_user(buyer)
        views = invoice.get_views([(self.env.ref('account.view_move_form').id, 'form')])
        arch = etree.fromstring(views['views']['form']['arch'])
        # Odoo adds what conditions ask for to the view, whoever looks at it.
        used = {name for name in arch.xpath('//field/@name') if name.startswith('stripe_checkout_')}
        self.assertLessEqual(used, set(views['models']['account.move']['fields']))

    def test_link_is_for_staff(self):
        invoice = self.create_invoice(100)
        for groups in ('account.group_account_invoice', 'account.group_account_readonly'):
            user = self.new_user(groups)
            self.assertTrue(invoice.with_user(user).read(['stripe_checkout_url']))
            with self.assertRaises(AccessError):
                invoice.with_user(user).stripe_payment_link_ids.read(['token'])
            with self.assertRaises(AccessError):
                invoice.with_user(user).stripe_payment_link_ids.write({'revoked': False})
        portal = new_test_user(self.env, login='portal', groups='base.group_portal')
        portal.partner_id.commercial_partner_id = self.client
        with self.assertRaises(AccessError):
            invoice.with_user(portal).read(['stripe_checkout_url'])
        with self.assertRaises(AccessError):
            self.env['stripe.payment.link'].with_user(portal).search([])

    def test_events_are_for_staff_of_the_company(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        Event = self.env['stripe.event']
        self.assertTrue(Event.with_user(self.billing_admin).search([]))
        with self.assertRaises(AccessError):
            Event.with_user(self.billing_admin).create({
                'event_id': 'evt_forged',
                'type': 'x',
                'provider_id': self.provider.id,
            })
        for user in (self.new_user('base.group_user'), self.env.ref('base.public_user')):
            with self.assertRaises(AccessError):
                Event.with_user(user).search([])

    def test_forged_event_cannot_be_written(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        event = self.env['stripe.event'].search([], limit=1)
        with self.assertRaises(AccessError):
            event.with_user(self.billing_admin).write({'payload': {}})
