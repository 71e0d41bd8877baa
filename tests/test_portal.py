from lxml import html

from odoo.tests import new_test_user, tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestPortal(StripeCheckoutCommon):
    """The Pay button where the client looks for it, and nowhere else."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.portal_user = new_test_user(cls.env, login='portal_client', groups='base.group_portal')
        cls.portal_user.partner_id.parent_id = cls.client

    def setUp(self):
        super().setUp()
        self.authenticate('portal_client', 'portal_client')

    def get_row(self, invoice):
        page = html.fromstring(self.url_open('/my/invoices').content)
        [row] = page.xpath(f"//tr[td/a[normalize-space() = '{invoice.name}']]")
        return row

    def get_buttons(self, node):
        ours = node.xpath(".//a[@name='o_stripe_checkout_pay']/@href")
        odoos = node.xpath(".//a[contains(., 'Pay Now')]")
        return ours, odoos

    def test_list(self):
        invoice = self.create_invoice(100)
        ours, odoos = self.get_buttons(self.get_row(invoice))
        self.assertEqual(odoos, [], "Odoo's Pay Now is hidden where our road is offered")
        response = self.url_open(ours[0])
        self.assertEqual(self.get_session(response.url)['amount_total'], 10000)

    def test_no_button_where_nothing_can_be_paid(self):
        paid = self.create_invoice(100)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=paid.ids
        ).create({})._create_payments()
        credit_note = self.create_invoice(100, move_type='out_refund')
        for move in paid + credit_note:
            self.assertEqual(self.get_buttons(self.get_row(move)), ([], []))

    def test_odoos_button_comes_back_where_our_road_is_closed(self):
        self.provider.state = 'disabled'
        other = self.create_other_provider()
        other.maximum_amount = 100
        small, large = self.create_invoice(100), self.create_invoice(101)
        for get_node in (self.get_row, self.get_invoice_page):
            ours, odoos = self.get_buttons(get_node(small))
            self.assertEqual((ours, len(odoos)), ([], 1))
            self.assertEqual(self.get_buttons(get_node(large)), ([], []), "Nobody takes that much")

    def test_no_button_where_nobody_takes_a_payment(self):
        self.provider.state = 'disabled'
        invoice = self.create_invoice(100)
        for get_node in (self.get_row, self.get_invoice_page):
            self.assertEqual(self.get_buttons(get_node(invoice)), ([], []))

    def get_invoice_page(self, invoice):
        return html.fromstring(self.url_open(invoice.get_portal_url()).content)

    def test_invoice_page(self):
        invoice = self.create_invoice(100)
        ours, odoos = self.get_buttons(self.get_invoice_page(invoice))
        self.assertEqual(odoos, [])
        response = self.url_open(ours[0])
        self.assertEqual(self.get_session(response.url)['amount_total'], 10000)

    def test_other_ways_where_another_provider_is_enabled(self):
        self.create_other_provider()
        ours, odoos = self.get_buttons(self.get_invoice_page(self.create_invoice(100)))
        self.assertEqual(len(ours), 1)
        self.assertEqual(len(odoos), 1)
        self.assertIn("other ways", odoos[0].text_content())

    def test_odoos_form_does_not_open_where_it_offers_no_other_way(self):
        url = f'{self.create_invoice(100).get_portal_url()}&payment=True'
        page = html.fromstring(self.url_open(url).content)
        self.assertEqual(page.xpath("//div[@id='portal_pay']/@data-payment"), [])

    def test_button_and_link_share_the_session(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        ours, _odoos = self.get_buttons(self.get_row(invoice))
        self.assertEqual(self.get_session(self.url_open(ours[0]).url), session)

    def test_button_pays_after_the_mailed_link_has_ended(self):
        invoice = self.create_invoice(100)
        invoice.sudo().stripe_payment_link_ids.revoked = True
        ours, _odoos = self.get_buttons(self.get_row(invoice))
        self.assertEqual(self.get_session(self.url_open(ours[0]).url)['status'], 'open')

    def test_no_link_is_made_for_what_cannot_be_paid(self):
        draft = self.create_invoice(100, post=False)
        bill = self.create_invoice(100, move_type='in_invoice', invoice_date='2026-01-01')
        paid = self.create_invoice(100)
        paid.sudo().stripe_payment_link_ids.revoked = True
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=paid.ids
        ).create({})._create_payments()
        before = self.env['stripe.payment.link'].search_count([])
        for move in draft + bill + paid:
            response = self.url_open(move._stripe_checkout_get_portal_pay_url())
            self.assertIn(f'/my/invoices/{move.id}?', response.url)
        self.assertEqual(self.env['stripe.payment.link'].search_count([]), before)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_foreign_invoice_is_out_of_reach(self):
        foreign = self.create_invoice(100, partner_id=self.partner_a.id)
        foreign._portal_ensure_token()
        for query in ('', '?access_token=guess', '?access_token=%C3%A4', '?access_token=%00'):
            for page in ('', '/pay_online'):
                response = self.url_open(f'/my/invoices/{foreign.id}{page}{query}')
                self.assertEqual(response.status_code, 200, page + query)
                self.assertEqual(response.url, f'{self.base_url()}/my')
        self.authenticate(None, None)
        response = self.url_open(f'/my/invoices/{foreign.id}/pay_online')
        self.assertNotIn(self.stripe.url, response.url)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_way_back_is_for_whoever_may_see_the_invoice(self):
        invoice = self.create_invoice(100)
        path = f'{self.get_path(invoice)}/cancelled'
        back = "//a[@name='o_stripe_checkout_back']/@href"
        [href] = html.fromstring(self.url_open(path).content).xpath(back)
        self.assertIn(f'/my/invoices/{invoice.id}', href)
        self.authenticate(None, None)
        self.assertFalse(html.fromstring(self.url_open(path).content).xpath(back))
        self.url_open(invoice._stripe_checkout_get_portal_pay_url())  # From the invoice's page.
        [href] = html.fromstring(self.url_open(path).content).xpath(back)
        self.assertIn(invoice.name, self.url_open(href).text)
        other = f'{self.get_path(self.create_invoice(50))}/cancelled'
        self.assertFalse(html.fromstring(self.url_open(other).content).xpath(back))
