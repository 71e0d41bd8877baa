from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from lxml import html

from odoo import fields
from odoo.tests import tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestInvoiceMail(StripeCheckoutCommon):
    """From the mail to Stripe in one click, and no call to Stripe before."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.biller = cls.create_user(
            'biller', 'account.group_account_invoice', email='biller@example.com'
        )

    def send(self, invoice, partners=None):
        """Send an invoice as staff do, through the wizard; return the client's newest letter."""
        wizards = self.env['account.move.send.wizard'].with_user(self.biller)
        wizard = wizards.with_context(
            active_model='account.move', active_ids=invoice.ids, discard_logo_check=True
        ).create({'move_id': invoice.id, 'sending_methods': ['email']})
        if partners:
            wizard.mail_partner_ids = [fields.Command.set(partners.ids)]
        wizard.action_send_and_print(allow_fallback_pdf=True)
        return self.read_mails()[-1]

    def follow(self, url):
        return self.url_open(url.removeprefix(self.base_url()), allow_redirects=False)

    def test_button_leads_to_stripe_in_one_click(self):
        invoice = self.create_invoice(123.45)
        letter = self.send(invoice)
        self.assertEqual(len(self.stripe.calls), 0, "Sending calls nobody")
        label, url = letter.get_button()
        self.assertEqual(label, "Pay online (Test mode: no money moves)")
        self.assertIn(invoice.name, letter.text)
        self.assertIn(url, letter.plain)
        response = self.follow(url)
        self.assertEqual(self.get_session(response.headers['Location'])['amount_total'], 12345)
        self.assertEqual(len(self.stripe.calls), 1)
        self.assertEqual(self.follow(url).headers['Location'], response.headers['Location'])
        self.assertEqual(len(self.stripe.calls), 1, "A repeated click calls nobody")

    def test_no_other_invoices_link_can_be_mailed(self):
        """Whoever posts a message chooses its context, and reads what is mailed to them."""
        other = self.create_invoice(50).sudo().stripe_payment_link_ids
        invoice = self.create_invoice(100).with_user(self.biller)
        invoice.with_context(stripe_checkout_mailed_link=other.id).message_post(
            body="Hello",
            message_type='comment',
            subtype_xmlid='mail.mt_comment',
            partner_ids=self.client.ids,
        )
        [letter] = self.read_mails()
        self.assertNotIn(other._get_path(), letter.mail.body_html)

    def test_first_mail_hands_out_the_link_that_posting_made(self):
        invoice = self.create_invoice(100)
        link = invoice.sudo().stripe_payment_link_ids
        _label, url = self.send(invoice).get_button()
        self.assertEqual(invoice.sudo().stripe_payment_link_ids, link)
        self.assertEqual(url, link._get_url())
        self.assertTrue(link.expires_at, "The expiry runs from the handing out")
        self.assertIn('client@example.com', link.sent_to)

    def test_sending_again_makes_a_fresh_link_and_leaves_the_former(self):
        invoice = self.create_invoice(100)
        _label, first = self.send(invoice).get_button()
        _label, second = self.send(invoice).get_button()
        self.assertNotEqual(first, second)
        self.assertEqual(len(self.read_mails()), 2)
        self.assertEqual(invoice.with_user(self.biller).stripe_checkout_url, second)
        locations = {self.follow(url).headers['Location'] for url in (first, second)}
        self.assertEqual(len(locations), 1, "Both lead to the one payable session")

    def test_switched_off(self):
        self.provider.with_user(self.billing_admin).stripe_checkout_links_in_emails = False
        invoice = self.create_invoice(100)
        letter = self.send(invoice)
        self.assertEqual(letter.get_links('/pay/'), [])
        self.assertTrue(letter.get_links('/mail/view'), "Odoo's own button is back")
        self.assertFalse(invoice.sudo().stripe_payment_link_ids.sent_at)

    def test_paid_invoice_asks_for_nothing(self):
        invoice = self.create_invoice(100)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({})._create_payments()
        self.assertEqual(self.send(invoice).get_links('/pay/'), [])

    def test_further_recipients_can_pay_and_colleagues_keep_their_button(self):
        accountant = self.env['res.partner'].create({
            'name': "Client's accountant",
            'email': 'accountant@example.com',
        })
        colleague = self.billing_admin.partner_id
        colleague.email = 'colleague@example.com'
        invoice = self.create_invoice(100)
        self.send(invoice, self.client + accountant + colleague)
        links = [
            self.read_mails(person)[-1].get_links('/pay/')
            for person in (self.client, accountant, colleague)
        ]
        self.assertEqual(links[0], links[1])
        self.assertEqual(len(links[0]), 1)
        self.assertEqual(links[2], [])

    def test_in_the_clients_language(self):
        self.env['res.lang']._activate_lang('fr_FR')
        self.client.lang = 'fr_FR'
        label, _url = self.send(self.create_invoice(100)).get_button()
        self.assertEqual(label, "Payer en ligne (Mode test : aucun argent n'est débité)")

    def test_a_comment_hands_out_no_link(self):
        invoice = self.create_invoice(100)
        invoice.message_post(
            body="A question", partner_ids=self.client.ids, subtype_xmlid='mail.mt_comment'
        )
        [letter] = self.read_mails()
        self.assertEqual(letter.get_links('/pay/'), [])
        self.assertFalse(invoice.sudo().stripe_payment_link_ids.sent_at)

    # === PDF === #

    def render(self, invoice):
        """Render the invoice's PDF as Odoo does for one, as a page."""
        content, _type = (
            self
            .env['ir.actions.report']
            .with_user(self.biller)
            ._render_qweb_html('account.account_invoices', invoice.ids)
        )
        return html.fromstring(content)

    def test_pdf_carries_the_link_and_its_qr_code(self):
        self.company.link_qr_code = True
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        page = self.render(invoice)
        [href] = page.xpath("//*[@id='payment_link_qrcode']//a/@href")
        self.assertEqual(href.removeprefix(self.base_url()), path)
        [code, _logo] = page.xpath("//*[@id='payment_link_qrcode']//img/@src")
        self.assertTrue(code.startswith('data:image/png'))
        self.assertFalse(invoice.sudo().stripe_payment_link_ids.expires_at)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_qr_code_is_that_of_the_link(self):
        self.company.link_qr_code = True
        invoice = self.create_invoice(100)
        drawn = []
        reports = self.registry['ir.actions.report']
        draw = reports.barcode

        def barcode(report, barcode_type, value, **kwargs):
            drawn.append((barcode_type, value))
            return draw(report, barcode_type, value, **kwargs)

        with patch.object(reports, 'barcode', barcode):
            self.render(invoice)
        self.assertEqual(drawn, [('QR', f'{self.base_url()}{self.get_path(invoice)}')])

    def read_stored_pdf(self, invoice):
        """Return the link on the PDF that Odoo keeps: a page as yet, as Odoo leaves it in tests."""
        page = html.fromstring(invoice.invoice_pdf_report_id.raw)
        [href] = page.xpath("//*[@id='payment_link_qrcode']//a/@href")
        return href

    def test_stored_pdf_keeps_its_first_link_which_leads_on(self):
        self.company.link_qr_code = True
        invoice = self.create_invoice(100)
        _label, first = self.send(invoice).get_button()
        self.assertEqual(self.read_stored_pdf(invoice), first)
        _label, second = self.send(invoice).get_button()
        self.assertNotEqual(second, first)
        self.assertEqual(self.read_stored_pdf(invoice), first, "Sent again with the same PDF")
        self.assertEqual(self.follow(first).status_code, 303)
        with freeze_time(fields.Datetime.now() + timedelta(days=60)):
            page = self.get_page(self.follow(first), 'expired')
            [form] = page.xpath("//form[@name='o_stripe_checkout_renew']")
            self.url_open(form.get('action'), data=dict(form.form_values()))
            _label, third = self.read_mails()[-1].get_button()
            self.assertEqual(self.follow(third).status_code, 303)

    def test_mail_and_pdf_of_one_sending_share_the_link(self):
        self.company.link_qr_code = True
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        _label, url = self.send(invoice).get_button()
        self.assertEqual(url.removeprefix(self.base_url()), path)

    def test_printing_makes_no_link_in_place_of_one_revoked(self):
        self.company.link_qr_code = True
        invoice = self.create_invoice(100)
        invoice.with_user(self.biller).action_stripe_checkout_revoke_link()
        [href] = self.render(invoice).xpath("//*[@id='payment_link_qrcode']//a/@href")
        self.assertNotIn('/pay/', href)
        self.assertFalse(invoice.with_user(self.biller).stripe_checkout_url)
        self.assertEqual(invoice.with_user(self.biller).stripe_checkout_status, 'revoked')

    def test_pdf_without_our_road_has_odoos_link(self):
        self.company.link_qr_code = True
        invoice = self.create_invoice(100)
        self.provider.state = 'disabled'
        [href] = self.render(invoice).xpath("//*[@id='payment_link_qrcode']//a/@href")
        self.assertNotIn('/pay/', href)
