from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import format_date

from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestLinkParts(PortalCommon):
    """A link that asks for a part of an invoice asks for this part and for nothing else."""

    def create_in_halves(self, *days):
        """Create an invoice of 100 that is due in two halves, some days from today each."""
        term = self.env['account.payment.term'].create({
            'name': "In halves",
            'line_ids': [
                Command.create({'value': 'percent', 'value_amount': 50, 'nb_days': 30 + day})
                for day in days
            ],
        })
        today = self.provider._stripe_checkout_get_today()
        return self.create_invoice(
            100, invoice_date=today - timedelta(days=30), invoice_payment_term_id=term.id
        )

    def remind(self, invoice):
        """Send a reminder by hand; return the path of its link."""
        self.env['stripe.checkout.remind'].create({'move_ids': invoice.ids}).action_send()
        return self.get_mailed_path()

    def get_mailed_path(self):
        """Return the path of the link in the latest mail."""
        _label, url = self.read_mails()[-1].get_button()
        return url.removeprefix(self.base_url())

    def visit(self, path):
        """Visit a link; return the amount that Stripe asks for."""
        response = self.url_open(path, allow_redirects=False)
        self.assertEqual(response.status_code, 303, response.text)
        return self.get_session(response.headers['Location'])['amount_total']

    # === A NEW LINK === #

    def test_new_link_in_place_of_an_installments(self):
        """Catches a request that turns what is due into the whole invoice."""
        path = self.remind(self.create_in_halves(-1, 20))
        with freeze_time(fields.Datetime.now() + timedelta(days=5)):
            page = self.get_page(self.url_open(path), 'expired')
            [form] = page.xpath("//form[@name='o_stripe_checkout_renew']")
            self.submit(form)
            letter = self.read_mails()[-1]
            self.assertIn("You asked for a new payment link", letter.text)
            self.assertIn("To pay now $ 50.00", letter.text.replace('\N{NO-BREAK SPACE}', ' '))
            self.assertEqual(self.visit(self.get_mailed_path()), 5000)

    def test_mail_about_a_failed_debit_of_an_installment(self):
        """Catches a mail that asks for the next installment once the failed one is paid."""
        invoice = self.create_in_halves(-1, 20)
        response = self.url_open(self.remind(invoice), allow_redirects=False)
        session = self.get_session(response.headers['Location'])
        self.stripe.pay(session['id'], 'us_bank_account')
        self.stripe.fail_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')
        path = self.get_mailed_path()
        self.assertEqual(self.visit(path), 5000)
        self.pay_otherwise(invoice, 50)
        self.assertEqual(self.press(self.visit_paid_part(path)), 5000)

    # === A PART THAT IS PAID === #

    def visit_paid_part(self, path):
        """Visit a link of which nothing is open; return the page, which leads to the rest."""
        page = self.get_page(self.url_open(path), 'payable')
        self.assertTrue(page.xpath("//p[@name='o_stripe_checkout_part_paid']"))
        return page

    def press(self, page):
        """Press Pay on a page; return the amount that Stripe asks for."""
        [form] = page.xpath("//form[@name='o_stripe_checkout_form']")
        return self.get_session(self.submit(form).url)['amount_total']

    def test_installment_that_was_paid_otherwise(self):
        """Catches a reminder that asks for what is not due once the due part is paid."""
        invoice = self.create_in_halves(-1, 20)
        path = self.remind(invoice)
        self.pay_otherwise(invoice, 20)
        self.assertEqual(self.visit(path), 3000, "What is left of what is due")
        self.pay_otherwise(invoice, 30)
        self.stripe.calls.clear()
        page = self.visit_paid_part(path)
        [term] = self.read_texts(page.xpath("//*[@name='o_stripe_checkout_term']"))
        day = self.provider._stripe_checkout_get_today() + timedelta(days=20)
        self.assertEqual(term, f"{format_date(self.env, day, lang_code='en_US')}: $ 50.00")
        self.assertEqual(len(self.stripe.calls), 0)
        self.assertEqual(self.press(page), 5000)

    def test_installment_that_was_paid_by_the_link(self):
        path = self.remind(self.create_in_halves(-1, 20))
        response = self.url_open(path, allow_redirects=False)
        session = self.get_session(response.headers['Location'])
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(self.press(self.visit_paid_part(path)), 5000)
        self.get_page(self.url_open(f'{path}/cancelled'), 'cancelled_at_stripe')

    def test_reminder_before_the_day(self):
        path = self.remind(self.create_in_halves(5, 20))
        self.assertEqual(self.visit(path), 5000)

    def assert_asked_once(self, invoice, form, **fields):
        """Check that a button asks for one installment, however often it is pressed."""
        session = self.get_session(self.submit(form, **fields).url)
        self.assertEqual(session['amount_total'], 5000)
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(invoice.amount_residual, 50)
        self.stripe.calls.clear()
        response = self.submit(form, **fields)
        self.assertIn(f'/my/invoices/{invoice.id}', response.url)
        self.assertIn("Nothing is left of what you wanted to pay", response.text)
        self.assertEqual(len(self.stripe.calls), 0)
        [pay] = self.get_page(response).xpath("//a[@name='o_stripe_checkout_pay']/@href")
        self.assertEqual(self.get_session(self.url_open(pay).url)['amount_total'], 5000)

    def test_what_is_due_is_pressed_again(self):
        """Catches a page from before the payment whose button asks for what is not due."""
        invoice = self.create_in_halves(-1, 20)
        form = self.open_page('/my/billing').xpath("//form[@name='o_stripe_checkout_pay_group']")[0]
        self.assertIn("Pay what is due: $ 50.00", self.read_texts([form])[0])
        self.assert_asked_once(invoice, form)

    def test_the_next_installment_is_pressed_again(self):
        for days in ((-1, 20), (5, 20)):
            with self.subTest(days=days):
                invoice = self.create_in_halves(*days)
                page = self.open_page(invoice.get_portal_url())
                [form] = page.xpath("//form[@name='o_stripe_checkout_choose']")
                self.assert_asked_once(invoice, form, choice='next')
