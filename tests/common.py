"""What the tests share: a connected company, a client, invoices, and Stripe's stand-in.

Nothing is patched: calls go to the stand-in through the real SDK, events come back as signed bodies
over HTTP. The stand-in holds its deliveries, so that each test decides when and in which order they
arrive.
"""

import json
from ast import literal_eval
from contextlib import contextmanager
from urllib.parse import urlsplit

from lxml import html

from odoo.fields import Command
from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import SQL

from odoo.addons.account.tests.common import AccountTestInvoicingCommon

from ..devtools.standin import StandIn
from .letter import Letter


@tagged('post_install', '-at_install')
class StripeCheckoutCommon(AccountTestInvoicingCommon, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stripe = StandIn()
        cls.stripe.start()
        cls.addClassCleanup(cls.stripe.stop)
        parameters = cls.env['ir.config_parameter'].sudo()
        parameters.set_param('payment_stripe_checkout.api_base', cls.stripe.url)
        parameters.set_param('web.base.url', cls.base_url())
        cls.company = cls.company_data['company']
        cls.billing_admin = cls.create_user('billing_admin', 'account.group_account_manager')
        cls.client = cls.env['res.partner'].create({
            'name': "Client",
            'email': 'client@example.com',
            'country_id': cls.env.ref('base.us').id,
        })

    def setUp(self):
        super().setUp()
        self.stripe.reset()
        self.stripe.deliveries.hold()
        # Else they come with events of their own, after some seconds: in a slow test, or not.
        self.stripe.balance_transaction_delay = None
        self.provider = self.connect()
        self.confirm_webhook()
        self.stripe.calls.clear()

    # === STAFF === #

    def connect(self, secret_key=None, publishable_key=None, user=None, company=None):
        """Connect through the wizard, as a billing admin does; return the provider in sudo mode."""
        wizard = self.fill_in_keys(secret_key, publishable_key, user, company)
        wizard.action_connect()
        return self.get_provider(wizard.company_id)

    def disconnect(self, **options):
        """Press Disconnect as a billing admin; return the notification."""
        with self.committing(self.provider.with_user(self.billing_admin)) as provider:
            return provider.action_stripe_checkout_disconnect(**options)

    def leave_account(self, wizard):
        """Answer the connect wizard's question: leave the account or mode that is connected."""
        with self.committing(wizard) as pressed:
            notification = pressed.action_switch()
            pressed.env.flush_all()
            pressed.env.cr.postcommit.run()  # What the tests' cursor does not do by itself.
        return notification

    @contextmanager
    def committing(self, records):
        """Give records of a transaction that can be committed, as each request has."""
        self.env.flush_all()
        try:
            with self.registry.cursor() as cr:
                yield records.with_env(records.env(cr=cr))
        finally:
            self.env.invalidate_all()

    def fill_in_keys(self, secret_key=None, publishable_key=None, user=None, company=None):
        """Return the connect wizard with keys in it; those of the account if not given."""
        wizards = self.env['stripe.checkout.connect'].with_user(user or self.billing_admin)
        return wizards.create({
            'company_id': (company or self.company).id,
            'secret_key': secret_key or self.stripe.account.secret_key,
            'publishable_key': publishable_key or self.stripe.account.publishable_key,
        })

    def confirm_webhook(self):
        """Deliver the event that connecting asks Stripe for, and leave no trace of it anywhere."""
        self.deliver()
        for event in self.stripe.account.store.newest_first('event'):
            self.stripe.account.store.remove(event)
        self.assertEqual(self.provider.stripe_checkout_webhook_state, 'confirmed')
        self.env['stripe.event'].sudo().search([]).unlink()
        self.env['ir.cron.trigger'].sudo().search([]).unlink()
        self.env.cr.postcommit.run()

    def go_live(self, account=None):
        """Have provider and stand-in act as with live keys.

        The keys themselves stay test keys: a live one never leaves for the stand-in.

        :param account: The stand-in's account; the one that is connected if not given.
        """
        (account or self.stripe.account).store.livemode = True
        if account:
            self.provider.stripe_checkout_secret_key = account.secret_key
        journal = self.provider._stripe_checkout_ensure_journal('live')
        self.provider.write({
            'state': 'enabled',
            'stripe_checkout_mode': 'live',
            'journal_id': journal.id,
        })
        self.provider._stripe_checkout_post_to_clearing(journal)

    def get_provider(self, company):
        """Return the provider of a company in sudo mode, connected or not."""
        providers_sudo = self.env['payment.provider'].sudo()
        return providers_sudo.search([
            ('code', '=', 'stripe_checkout'),
            ('company_id', '=', company.id),
        ])

    def create_invoice(self, amount=100.0, post=True, **values):
        """Create a customer invoice of one line without taxes."""
        company_id = values.get('company_id', self.company.id)
        invoices = self.env['account.move'].with_company(company_id)
        invoice = invoices.create({
            'move_type': 'out_invoice',
            'partner_id': self.client.id,
            'company_id': company_id,
            'invoice_line_ids': [
                Command.create({
                    'name': "Managed services",
                    'price_unit': amount,
                    'tax_ids': [Command.clear()],
                })
            ],
            **values,
        })
        if post:
            invoice.action_post()
        return invoice.with_env(self.env)

    @classmethod
    def create_user(cls, login, groups, **values):
        """Create a user of the company, see `new_test_user`."""
        companies = {'company_id': cls.company.id, 'company_ids': [Command.set(cls.company.ids)]}
        return new_test_user(cls.env, login, groups, **companies, **values)

    @classmethod
    def create_discount_term(cls, computation='included'):
        """Create payment terms of 30 days, with 2 % off for who pays within 10.

        :param str computation: What the discount means for taxes, as Odoo's terms have it.
        """
        return cls.env['account.payment.term'].create({
            'name': f"2 % within 10 days, {computation}",
            'early_discount': True,
            'discount_percentage': 2,
            'discount_days': 10,
            'early_pay_discount_computation': computation,
            'line_ids': [Command.create({'value': 'percent', 'value_amount': 100, 'nb_days': 30})],
        })

    @classmethod
    def create_taxes(cls, *rates, **values):
        """Create a sales tax for each rate, in percent."""
        return cls.env['account.tax'].create([
            {
                'name': f'{rate} %',
                'amount': rate,
                'type_tax_use': 'sale',
                'company_id': cls.company.id,
                'country_id': cls.company.account_fiscal_country_id.id,
                **values,
            }
            for rate in rates
        ])

    def prepare_taxed_lines(self, *lines):
        """Return the lines of an invoice, each given by its price and its taxes."""
        return [
            Command.create({
                'name': "Services",
                'price_unit': price,
                'tax_ids': [Command.set(taxes.ids)],
            })
            for price, taxes in lines
        ]

    def create_tax_on_payment(self):
        """Create a sales tax of 10 % that is owed once its invoice is paid."""
        self.company.sudo().tax_exigibility = True
        waiting = self.env['account.account'].create({
            'name': "Tax waiting",
            'code': 'TAXWAIT',
            'account_type': 'liability_current',
            'reconcile': True,
        })
        return self.create_taxes(
            10,
            name="10 % once paid",
            tax_exigibility='on_payment',
            cash_basis_transition_account_id=waiting.id,
        )

    def get_inbox(self):
        """Return the payments without a home, as a billing admin finds them."""
        action = self.env.ref('payment_stripe_checkout.action_stripe_checkout_inbox')
        payments = self.env['account.payment'].with_user(self.billing_admin)
        return payments.search([
            *literal_eval(action.domain),
            ('company_id', '=', self.company.id),
        ])

    def get_todos(self, payment):
        """Return the to-dos about a payment without a home."""
        return payment.activity_search(['payment_stripe_checkout.mail_activity_type_credit'])

    def create_other_provider(self):
        """Create a published provider of another kind than ours."""
        providers = self.env['payment.provider'].sudo()
        return providers.create({
            'name': "Another",
            'code': 'none',
            'company_id': self.company.id,
            'state': 'test',
            'is_published': True,
        })

    # === CLIENT === #

    def get_form_values(self, invoice, amount=None):
        """Return what Odoo's payment form sends when the client submits it."""
        return {
            'provider_id': self.provider.id,
            'payment_method_id': self.provider.payment_method_ids.id,
            'token_id': None,
            'amount': amount or invoice.amount_residual,
            'flow': 'redirect',
            'tokenization_requested': False,
            'landing_route': invoice.get_portal_url(),
            'access_token': invoice._portal_ensure_token(),
        }

    def open_form(self, invoice, amount=None):
        """Submit Odoo's payment form; return the Checkout Session that it leads to."""
        values = self.make_jsonrpc_request(
            f'/invoice/transaction/{invoice.id}', self.get_form_values(invoice, amount)
        )
        return self.get_session(html.fromstring(values['redirect_form_html']).get('action'))

    def get_path(self, invoice):
        """Return the path of the invoice's payment link, read as staff read it."""
        url = invoice.with_user(self.billing_admin).stripe_checkout_url
        self.assertTrue(url, "The invoice has no payment link")
        return url.removeprefix(self.base_url())

    def open_link(self, invoice):
        """Visit the invoice's link; return the Checkout Session that it leads to."""
        response = self.url_open(self.get_path(invoice), allow_redirects=False)
        self.assertEqual(response.status_code, 303, response.text)
        return self.get_session(response.headers['Location'])

    def get_session(self, url):
        """Return the stand-in's session of the address of a Checkout page."""
        self.assertTrue(url.startswith(self.stripe.url), url)
        return self.stripe.session(url.rpartition('/')[2].partition('#')[0].partition('?')[0])

    def get_page(self, response, state=None):
        """Parse a page; check that it is one of ours in the given state."""
        page = html.fromstring(response.content)
        if state:
            self.assertEqual(page.xpath("//*[@id='o_stripe_checkout_page']/@data-state"), [state])
        return page

    def read_mails(self, recipient=None):
        """Return the mails to clients so far, oldest first, as their readers have them.

        :param res.partner recipient: Whose mails; the client's if not given.
        :rtype: list[Letter]
        """
        mails = self.env['mail.mail'].sudo().search([], order='id')
        person = recipient or self.client
        return [Letter(mail) for mail in mails if person in mail.recipient_ids]

    # === STRIPE === #

    def deliver(self, deliveries=None, status=200):
        """Post what the stand-in holds, really signed; return the answers.

        As at Stripe, nothing is sent to an endpoint that is disabled or deleted; what goes to
        another host is lost.
        """
        answers = []
        self.env.cr.postcommit.run()  # Stripe is asked for some events once they can be proven.
        for delivery in deliveries if deliveries is not None else self.stripe.deliveries.pop_all():
            if not delivery.is_wanted or not delivery.url.startswith(self.base_url()):
                continue
            headers = delivery.signed()
            answer = self.url_open(urlsplit(delivery.url).path, data=delivery.body, headers=headers)
            delivery.note(answer.status_code)
            self.assertEqual(answer.status_code, status, answer.text)
            answers.append(answer)
        return answers

    def run_queue(self):
        """Run the cron that works the events off."""
        self.run_cron('ir_cron_process_events')

    def run_cron(self, name):
        result = self.env.ref(f'payment_stripe_checkout.{name}').method_direct_trigger()
        self.assertIs(result, True, result)
        self.env.invalidate_all()

    def make_event(self, event_type, subject, event_id='evt_test', created=1_700_000_000):
        """Build an event that the stand-in did not send."""
        return json.dumps({
            'id': event_id,
            'object': 'event',
            'type': event_type,
            'created': created,
            'livemode': False,
            'data': {'object': subject},
        }).encode()

    def get_sessions(self):
        """Return the Checkout Sessions of the stand-in's account that are for somebody to pay."""
        client = self.provider._stripe_checkout_get_client()
        sessions = client.v1.checkout.sessions.list({'limit': 100}).to_dict()['data']
        return [session for session in sessions if 'odoo_probe' not in session['metadata']]

    def open_foreign_session(self, amount):
        """Have another use of the account open a Checkout Session; return it.

        :param int amount: What it asks for, in cents.
        """
        price = {'currency': 'usd', 'unit_amount': amount, 'product_data': {'name': "Shop"}}
        client = self.provider._stripe_checkout_get_client()
        return client.v1.checkout.sessions.create({
            'mode': 'payment',
            'success_url': 'https://shop.example.com',
            'line_items': [{'quantity': 1, 'price_data': price}],
        })

    # === DATABASE === #

    def refuse_in_database(self, code, moment, condition=None):
        """Let the database refuse to write something, each time.

        :param str code: An SQLSTATE, such as 57014 (a statement timed out) or 40001 (a conflict).
        :param str moment: What is refused, such as `INSERT ON account_payment`.
        :param SQL condition: For which rows, if not for all.
        """
        self.env.cr.execute(
            SQL(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
                BEGIN
                    RAISE EXCEPTION 'refused by the database' USING ERRCODE = %s;
                END $body$;
                CREATE TRIGGER refuse BEFORE %s
                   FOR EACH ROW WHEN (%s) EXECUTE FUNCTION refuse();
                """,
                code,
                SQL(moment),
                condition or SQL('TRUE'),
            )
        )

    def accept_in_database(self):
        """Undo `refuse_in_database`."""
        self.env.cr.execute("DROP FUNCTION refuse CASCADE")

    # === BOOKS === #

    def get_payments(self, invoice):
        """Return the payments whose journal entries are reconciled with the invoice's."""
        receivable = invoice.line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable'
        )
        partials = receivable.matched_credit_ids
        return partials.credit_move_id.move_id.origin_payment_id

    def assert_booked(self, invoice, amount, payment_state='paid'):
        """Check on the journal entries that exactly one payment of an amount settles an invoice."""
        payment = self.get_payments(invoice)
        self.assertEqual(len(payment), 1)
        self.assertEqual(payment.move_id.state, 'posted')
        clearing = self.provider.journal_id.default_account_id
        receivable = invoice.line_ids.account_id.filtered(
            lambda account: account.account_type == 'asset_receivable'
        )
        self.assertRecordValues(
            payment.move_id.line_ids.sorted('balance'),
            [
                {'account_id': receivable.id, 'amount_currency': -amount, 'reconciled': True},
                {'account_id': clearing.id, 'amount_currency': amount, 'reconciled': False},
            ],
        )
        self.assertEqual(invoice.payment_state, payment_state)
        return payment
