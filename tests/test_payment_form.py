import json

from lxml import html

from odoo.fields import Command
from odoo.tests import tagged
from odoo.tests.common import JsonRpcException
from odoo.tools import mute_logger

from odoo.addons.payment import utils as payment_utils

from .common import StripeCheckoutCommon

SESSION = 'odoo.addons.payment_stripe_checkout.models.payment_transaction_session'


@tagged('post_install', '-at_install')
class TestPaymentForm(StripeCheckoutCommon):
    """Odoo's own payment form leads to the same sessions and the same bookings."""

    def submit(self, invoice, amount=None):
        """Do what Odoo's payment form does when the client submits it."""
        return self.make_jsonrpc_request(
            f'/invoice/transaction/{invoice.id}', self.get_form_values(invoice, amount)
        )

    def get_form_session(self, values):
        action = html.fromstring(values['redirect_form_html']).get('action')
        return self.get_session(action)

    def test_paid_through_the_form(self):
        invoice = self.create_invoice(100)
        session = self.open_form(invoice)
        self.assertEqual(session['amount_total'], 10000)
        self.stripe.pay(session['id'])
        url = session['success_url'].replace('{CHECKOUT_SESSION_ID}', session['id'])
        response = self.url_open(url.removeprefix(self.base_url()))
        self.assertTrue(response.url.endswith('/payment/status'), response.url)
        payment = self.assert_booked(invoice, 100)
        self.deliver()
        self.run_queue()
        self.assertEqual(self.get_payments(invoice), payment)

    def test_status_is_told_in_the_clients_language_in_every_company(self):
        langs = self.env['res.lang'].with_context(active_test=False)
        self.env['base.language.install'].create({
            'lang_ids': [Command.set(langs.search([('code', '=', 'de_DE')]).ids)],
        }).lang_install()
        german = self.provider.with_context(lang='de_DE')
        first = self.env.ref('payment_stripe_checkout.payment_provider_stripe_checkout')
        self.assertNotEqual(self.provider, first, "One that was made for another company")
        self.assertEqual(german._get_status_message('done'), "Ihre Zahlung wurde verarbeitet.")
        english = self.provider.with_context(lang='en_US')
        self.assertIn("Your payment has been cancelled.", english._get_status_message('cancel'))
        self.provider.done_msg = "Cheers"
        self.assertIn("Cheers", german._get_status_message('done'))
        self.assertFalse(german._get_status_message('draft'))

    def assert_refused(self, invoice, amount=None):
        """Check that the form is refused, and that nothing more can be paid at Stripe by it."""
        sessions = self.get_sessions()
        # Not `assertRaises`, which would take back what the request has stored.
        try:
            with mute_logger('odoo.http'):
                self.submit(invoice, amount)
        except JsonRpcException as error:
            self.assertIn('ValidationError', str(error))
        else:
            self.fail("The form was not refused")
        self.assertEqual(len(self.get_sessions()), len(sessions))

    def test_only_amounts_that_the_client_may_choose(self):
        """Whatever a browser sends, the settings of the page of the invoice hold."""
        invoice = self.create_invoice(100)
        for amount in (3, 30, 99.99, 100.01, 130):
            self.assert_refused(invoice, amount)
        self.provider.stripe_checkout_allow_partial = True
        self.provider.stripe_checkout_minimum_amount = 25
        for amount in (24.99, 99.9, 100.01):  # What 99.90 leaves could not be paid.
            self.assert_refused(invoice, amount)
        for amount in (25, 100):
            session = self.open_form(invoice, amount)
            self.assertEqual(session['amount_total'], amount * 100)

    @mute_logger('odoo.http')
    def read_refusal(self, invoice):
        """Submit the form, and return the one sentence that the client reads."""
        answer = self.url_open(
            f'/invoice/transaction/{invoice.id}',
            data=json.dumps({'params': self.get_form_values(invoice)}),
            headers={'Content-Type': 'application/json'},
        ).json()
        return answer['error']['data']['message']

    def test_what_stripe_says_is_for_staff(self):
        """The client reads what concerns a client, in one sentence; the rest is in the log."""
        untouched, visited = self.create_invoice(100), self.create_invoice(100)
        self.open_link(visited)
        for detail in ("Connection aborted", "Invalid API Key"):
            for invoice in (untouched, visited):
                if detail == "Connection aborted":
                    self.stripe.faults.next(3, 'reset')
                else:
                    self.provider.stripe_checkout_secret_key = 'sk_test_revoked'
                with self.subTest(f"{detail} {invoice.name}"), self.assertLogs(SESSION) as log:
                    self.assertEqual(
                        self.read_refusal(invoice),
                        "Online payment is not available right now. Nothing was charged. Try again "
                        "in a few minutes.",
                    )
                    self.assertIn(detail, str(log.output))

    def test_what_accounting_says_is_for_staff(self):
        """Refused is a former session, which was paid: nobody reads that nothing was charged."""
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.provider.journal_id.active = False
        with self.assertLogs(SESSION) as log:
            self.assertEqual(
                self.read_refusal(invoice),
                "This cannot be paid now. Reload the page to see its state.",
            )
        self.assertIn("journal", str(log.output))
        self.assertEqual(len(self.get_sessions()), 1, "Nothing else can be paid")
        self.provider.journal_id.active = True
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)

    def test_installment(self):
        term = self.env['account.payment.term'].create({
            'name': "Half now, half later",
            'line_ids': [
                Command.create({'value': 'percent', 'value_amount': 50, 'nb_days': days})
                for days in (0, 30)
            ],
        })
        invoice = self.create_invoice(100, invoice_payment_term_id=term.id)
        self.assert_refused(invoice, 40)
        for amount in (50, 100):
            session = self.open_form(invoice, amount)
            self.assertEqual(session['amount_total'], amount * 100)

    def test_early_payment_discount(self):
        term = self.create_discount_term()
        invoice = self.create_invoice(100, invoice_payment_term_id=term.id)
        session = self.open_form(invoice, 98)
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertEqual(self.get_payments(invoice).amount, 98)

    def test_partial_amount(self):
        self.provider.stripe_checkout_allow_partial = True
        invoice = self.create_invoice(100)
        session = self.open_form(invoice, 30)
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 30, payment_state='partial')

    def test_never_two_payable_sessions(self):
        self.provider.stripe_checkout_allow_partial = True
        invoice = self.create_invoice(100)
        sessions = [
            self.open_link(invoice),
            self.open_form(invoice),
            self.open_form(invoice, 30),
            self.open_link(invoice),
        ]
        states = [self.stripe.session(session['id'])['status'] for session in sessions]
        self.assertEqual(states, ['expired', 'expired', 'expired', 'open'])

    def test_session_that_was_just_paid_is_settled_in_place_of_another(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        self.assert_refused(invoice)
        self.assertEqual(len(self.get_sessions()), 1)
        self.assert_booked(invoice, 100)

    def open_form_without_invoice(self):
        """Do what a shop or a payment page without a document does; return the session."""
        partner = self.client.copy({'parent_id': self.client.id})
        currency = self.company.currency_id
        token = payment_utils.generate_access_token(partner.id, 55.0, currency.id, env=self.env)
        values = self.make_jsonrpc_request(
            '/payment/transaction',
            {
                'provider_id': self.provider.id,
                'payment_method_id': self.provider.payment_method_ids.id,
                'token_id': None,
                'amount': 55.0,
                'currency_id': currency.id,
                'partner_id': partner.id,
                'flow': 'redirect',
                'tokenization_requested': False,
                'landing_route': '/my/payment_method',
                'access_token': token,
                'reference_prefix': 'SHOP',
            },
        )
        return self.get_form_session(values)

    def test_nothing_without_an_invoice_is_opened_while_disconnecting(self):
        """Catches the page of a shop that is opened while staff close the others."""
        self.provider.stripe_checkout_disconnecting = True
        # Not `assertRaises`, which would take back what the request has stored.
        try:
            with mute_logger('odoo.http'):
                self.open_form_without_invoice()
        except JsonRpcException as error:
            self.assertIn('ValidationError', str(error))
        else:
            self.fail("The form was not refused")
        self.assertEqual(self.get_sessions(), [])

    def test_administrators_are_told_that_it_is_left_out(self):
        """Odoo's form lists for them which providers it offers, and why not the others."""
        providers = self.env['payment.provider'].sudo()
        for is_leaving in (False, True):
            self.provider.stripe_checkout_disconnecting = is_leaving
            report = {}
            offered = providers._get_compatible_providers(
                self.company.id, self.client.id, 55.0, report=report
            )
            self.assertEqual(self.provider in offered, not is_leaving)
            told = report['providers'][self.provider]
            self.assertEqual(told['available'], not is_leaving)
            self.assertEqual(bool(told['reason']), is_leaving)

    def process(self, session):
        """Let the webhook and the queue do their work; return the transaction of a session."""
        self.deliver()
        self.run_queue()
        return self.env['payment.transaction'].search([
            ('stripe_checkout_session_id', '=', session['id'])
        ])

    def test_payment_without_an_invoice_is_booked_too(self):
        session = self.open_form_without_invoice()
        self.stripe.pay(session['id'])
        transaction = self.process(session)
        self.assertEqual(transaction.state, 'done')
        payment = transaction.payment_id
        self.assertEqual((payment.amount, payment.move_id.state), (55.0, 'posted'))
        # On the account of the company, as with any payment: there its invoices look for credits.
        self.assertEqual(payment.partner_id, self.client)
        self.assertEqual(
            payment.stripe_checkout_payment_intent,
            self.stripe.session(session['id'])['payment_intent'],
        )
        self.assertFalse(payment.activity_ids)

    def test_payment_is_matched_with_the_invoice_that_is_made_later(self):
        """Catches an order that was paid in advance, and whose invoice asks for the money again."""
        session = self.open_form_without_invoice()
        self.stripe.pay(session['id'])
        transaction = self.process(session)
        # As `sale` does: the invoice of an order knows the order's payments.
        invoice = self.create_invoice(55, transaction_ids=[Command.set(transaction.ids)])
        self.assert_booked(invoice, 55)
        self.assertFalse(transaction.payment_id.activity_ids)

    def test_dispute_of_what_was_paid_in_advance_shows_on_the_invoice_that_is_made_later(self):
        session = self.open_form_without_invoice()
        self.stripe.pay(session['id'])
        self.process(session)
        self.stripe.dispute(session['id'])
        transaction = self.process(session)
        invoice = self.create_invoice(55, transaction_ids=[Command.set(transaction.ids)])
        self.assert_booked(invoice, 55)
        self.assertEqual(invoice._stripe_checkout_filter_disputed(), invoice)
        self.assertEqual(len(invoice.sudo().stripe_checkout_dispute_ids), 1)

    def test_debit_is_matched_with_the_draft_that_was_made_meanwhile(self):
        session = self.open_form_without_invoice()
        self.stripe.pay(session['id'], 'us_bank_account')
        transaction = self.process(session)
        self.assertEqual(transaction.state, 'pending')
        invoice = self.create_invoice(
            55, post=False, transaction_ids=[Command.set(transaction.ids)]
        )
        self.stripe.settle_debit(session['id'])
        self.process(session)
        self.assertEqual(invoice.state, 'posted', "Odoo posts what an order was paid for")
        self.assert_booked(invoice, 55)
        self.assertFalse(transaction.payment_id.activity_ids)
