import json

from odoo.tests import tagged
from odoo.tools import mute_logger

from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestPortalAccess(PortalCommon):
    """What lets somebody in opens one thing, and only as long as it should."""

    def setUp(self):
        super().setUp()
        self.invoice = self.create_invoice(100)
        self.other_invoice = self.create_invoice(70, partner_id=self.other_client.id)
        self.env.flush_all()

    def pay(self, invoice):
        """Pay an invoice; return its link's path and its Checkout Session."""
        path = self.get_path(invoice)
        checkout = self.open_link(invoice)
        self.stripe.pay(checkout['id'])
        self.deliver()
        self.run_queue()
        self.stripe.calls.clear()
        return path, checkout

    def assert_nothing_told(self, response, invoice):
        self.assertNotIn(self.stripe.url, response.url)
        self.assertNotIn(invoice.name, response.text)
        self.assertNotIn(f'{invoice.amount_total:.2f}', response.text)
        self.assertEqual(len(self.stripe.calls), 0)

    @mute_logger('odoo.http')
    def test_token_of_another_invoice(self):
        invoice, token = self.invoice, self.other_invoice._portal_ensure_token()
        for login in (None, 'portal_other'):
            self.authenticate(login, login)
            for path in (
                f'/my/invoices/{invoice.id}?access_token={token}',
                f'/my/invoices/{invoice.id}?access_token={token}&report_type=pdf&download=true',
                f'/my/invoices/{invoice.id}/pay_online?access_token={token}',
                f'/my/invoices/{invoice.id}/pay_online?access_token={token}&choice=own&amount=20',
            ):
                with self.subTest(login=login, path=path):
                    self.assert_nothing_told(self.url_open(path), invoice)
            answer = self.url_open(
                f'/invoice/transaction/{invoice.id}',
                data=json.dumps({
                    'params': {**self.get_form_values(invoice), 'access_token': token}
                }),
                headers={'Content-Type': 'application/json'},
            )
            self.assertIn('error', answer.json())
            self.assert_nothing_told(answer, invoice)
        self.assertFalse(invoice.transaction_ids)

    def test_session_of_another_client_behind_a_link(self):
        path, _own = self.pay(self.other_invoice)
        _path, foreign = self.pay(self.invoice)
        payment = self.get_payments(self.invoice)
        for page in ('done', 'receipt'):
            with self.subTest(page):
                response = self.url_open(f'{path}/{page}?session_id={foreign["id"]}')
                self.assert_nothing_told(response, self.invoice)
                self.assertNotIn(payment.name, response.text)

    def test_receipt_of_another_client(self):
        self.pay(self.invoice)
        payment = self.get_payments(self.invoice)
        path = f'/my/billing/receipt/{payment.id}'
        self.assertIn(payment.name, self.url_open(path).text, "The client's own")
        self.authenticate('portal_other', 'portal_other')
        response = self.url_open(path)
        self.assertTrue(response.url.endswith('/my/billing'), response.url)
        self.assertNotIn(payment.name, response.text)

    def list_pages(self):
        return '/my/invoices', '/my/billing', f'/my/invoices/{self.invoice.id}'

    def test_contact_that_moves_to_another_client(self):
        """A person who changes jobs leaves the invoices behind."""
        self.pay(self.invoice)
        payment = self.get_payments(self.invoice)
        due = self.create_invoice(30)
        self.portal_user.partner_id.parent_id = self.other_client
        self.env.flush_all()
        for path in (*self.list_pages(), f'/my/billing/receipt/{payment.id}'):
            with self.subTest(path):
                response = self.url_open(path)
                self.assertNotIn(self.invoice.name, response.text)
                self.assertNotIn(payment.name, response.text)
        self.assert_nothing_told(self.forge_ticked(due), due)
        self.assert_nothing_told(self.url_open(f'/my/invoices/{due.id}/pay_online'), due)
        for path in ('/my/invoices', '/my/billing'):
            self.assertIn(self.other_invoice.name, self.url_open(path).text)
        session = self.get_session(self.forge_ticked(due, self.other_invoice).url)
        self.assertEqual(session['amount_total'], 7000)

    def test_access_revoked_in_the_wizard(self):
        partner = self.portal_user.partner_id
        partner.email = 'portal@example.com'
        wizard = self.env['portal.wizard'].with_context(active_ids=partner.ids).create({})
        wizard.user_ids.filtered(lambda line: line.partner_id == partner).action_revoke_access()
        self.env.flush_all()
        for path in self.list_pages():
            with self.subTest(path):
                response = self.url_open(path)
                self.assertIn('/web/login', response.url)
                self.assert_nothing_told(response, self.invoice)
        self.assert_nothing_told(self.forge_ticked(self.invoice), self.invoice)
        # The link in a mail goes on: it is for whoever holds it.
        self.assertTrue(self.open_link(self.invoice)['url'])

    def test_two_companies(self):
        """A client of two of the companies sees both, each with its own balance."""
        company = self.setup_other_company(name="Another company")['company']
        other = self.create_invoice(10, company_id=company.id)
        self.env.flush_all()
        self.assertNotIn("Another company", self.url_open('/my/billing').text)
        self.portal_user.company_ids += company
        self.env.flush_all()
        self.env.registry.clear_cache()
        page = self.open_page('/my/billing').text_content()
        for text in ("Another company", self.company.name, "10.00", "100.00"):
            self.assertIn(text, page)
        self.assertIn(other.name, self.url_open(f'/my/invoices/{other.id}').text)
