from odoo.tests import tagged

from .portal_common import PortalCommon

ADVICE = "If you were shown a reference to pay with, pay with it in time."


@tagged('post_install', '-at_install')
class TestVouchers(PortalCommon):
    """Who has still to pay with a reference is not told to sit back, nor of a bank debit."""

    def work(self):
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')

    def read_text(self, page):
        return ' '.join(page.text_content().split())

    def start_voucher(self, invoice):
        """Choose at Stripe to pay with a voucher; return the session."""
        methods = self.stripe.account.payment_methods
        self.stripe.account.payment_methods = (*methods, 'multibanco')
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'multibanco')
        self.work()
        return session

    def test_client_is_told_to_pay_in_time(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        session = self.start_voucher(invoice)
        url = session['success_url'].replace('{CHECKOUT_SESSION_ID}', session['id'])
        texts = [
            self.read_text(
                self.get_page(self.url_open(url.removeprefix(self.base_url())), 'pending')
            ),
            self.read_text(self.get_page(self.url_open(path), 'processing')),
            self.read_text(self.open_page(invoice.get_portal_url())),
            self.read_text(self.open_page('/my/billing')),
        ]
        for text in texts:
            self.assertIn(ADVICE, text)
            self.assertNotIn("nothing that you need to do", text)
            self.assertNotIn("Your bank", text)

    def test_voucher_that_was_not_paid_in_time(self):
        invoice = self.create_invoice(100)
        session = self.start_voucher(invoice)
        self.stripe.fail_debit(session['id'])
        self.work()
        [letter] = self.read_mails()
        self.assertIn("Your payment was not completed, so nothing was paid", letter.text)
        self.assertTrue(letter.get_button())
        self.assertEqual(invoice.activity_ids.summary, "Online payment failed")
        for text in (letter.subject, letter.text, str(invoice.activity_ids.note)):
            self.assertNotIn("bank debit", text)

    def test_voucher_of_an_invoice_that_was_paid_otherwise(self):
        invoice = self.create_invoice(100)
        session = self.start_voucher(invoice)
        self.pay_otherwise(invoice)
        self.stripe.fail_debit(session['id'])
        self.work()
        [letter] = self.read_mails()
        self.assertIn("nothing was paid by it", letter.text)
        self.assertNotIn("the debit", letter.text)
