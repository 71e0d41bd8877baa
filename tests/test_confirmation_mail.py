from datetime import datetime, timedelta
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged
from odoo.tools import SQL, format_date, mute_logger

from .common import StripeCheckoutCommon

MAILS = 'odoo.addons.payment_stripe_checkout.models.payment_transaction_mail'


@tagged('post_install', '-at_install')
class TestConfirmationMail(StripeCheckoutCommon):
    """The client is thanked exactly once for each payment, with what was really received."""

    def pay(self, invoice, method='card', **kwargs):
        """Pay an invoice at Stripe and let the webhook and the queue do their work."""
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], method, **kwargs)
        self.deliver()
        self.run_queue()
        return session

    def send_mails(self):
        self.run_cron('ir_cron_send_mails')

    def test_read_as_a_person(self):
        invoice = self.create_invoice(1234.5)
        session = self.open_link(invoice)
        with freeze_time(datetime.now() + timedelta(hours=1)) as moment:
            self.stripe.pay(session['id'])
            day = format_date(self.env, moment().date(), lang_code='en_US')
        self.deliver()
        self.run_queue()
        self.send_mails()
        [letter] = self.read_mails()
        self.assertIn(self.company.name, letter.subject)
        text = letter.text.replace('\N{NO-BREAK SPACE}', ' ')
        payment = self.get_payments(invoice)
        for fact in ("Hello Client", "$ 1,234.50", day, "Card", invoice.name, payment.name):
            self.assertIn(fact, text)
            self.assertIn(fact, letter.plain)
        self.assertNotIn("Left to pay", text)
        self.assertNotIn("credit", text)
        self.assertEqual(letter.get_colors(), [])

    @mute_logger(MAILS)
    def test_stripe_is_disconnected_before_the_mail(self):
        """Catches a client who hears nothing, and a to-do that blames the template."""
        invoice = self.create_invoice(100)
        self.pay(invoice)
        self.disconnect(now=True)
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.send_mails()
        self.assertEqual(len(self.read_mails()), 1)
        self.assertFalse(invoice.activity_ids)

    def test_receipt_can_be_had_from_the_mail(self):
        invoice = self.create_invoice(100)
        self.pay(invoice)
        self.send_mails()
        [letter] = self.read_mails()
        payment = self.get_payments(invoice)
        # A PDF is attached where the server can make one; the link is there in any case.
        self.assertEqual(bool(letter.attachments), payment._stripe_checkout_can_print())
        [url] = letter.get_links('/receipt/')
        response = self.url_open(url.removeprefix(self.base_url()))
        self.assertIn(payment.name, response.text)

    def test_receipt_is_attached_where_a_pdf_can_be_made(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice)
        # The success page learns the method, which is then not asked for here.
        self.url_open(f'/payment/stripe_checkout/return?session_id={session["id"]}')
        printed = []

        def run_wkhtmltopdf(_reports, bodies, **_kwargs):
            printed.extend(str(body) for body in bodies)
            return b'%PDF-1.4 receipt'

        reports = self.registry['ir.actions.report']
        with (
            patch.object(reports, 'get_wkhtmltopdf_state', lambda _reports: 'ok'),
            patch.object(reports, '_run_wkhtmltopdf', run_wkhtmltopdf),
        ):
            transaction = invoice.transaction_ids.with_context(force_report_rendering=True)
            transaction._stripe_checkout_send_mail()
        [letter] = self.read_mails()
        [receipt] = letter.attachments
        self.assertEqual(receipt.mimetype, 'application/pdf')
        self.assertEqual(receipt.raw, b'%PDF-1.4 receipt')
        number = self.get_payments(invoice).name
        self.assertEqual(receipt.name, f"Payment Receipt {number.replace('/', '_')}.pdf")
        [body] = printed
        self.assertIn(number, body)
        self.assertIn('100.00', body)

    def test_once_whatever_settles_it_and_how_often(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        deliveries = self.stripe.deliveries.pop_all()
        self.url_open(session['success_url'].removeprefix(self.base_url()).replace(
            '{CHECKOUT_SESSION_ID}', session['id']))  # fmt: skip
        self.deliver(deliveries)
        self.run_queue()
        self.send_mails()
        self.deliver(deliveries)
        self.run_queue()
        with freeze_time(fields.Datetime.now() + timedelta(minutes=10)):
            self.run_cron('ir_cron_sweep')
        self.send_mails()
        self.assertEqual(len(self.read_mails()), 1)

    def test_partial_payment_says_what_is_left(self):
        invoice = self.create_invoice(100)
        self.open_link(invoice)
        credit_line = self.create_invoice(100)  # Another invoice is none of this mail's business.
        session = self.open_link(invoice)
        invoice.button_draft()
        invoice.invoice_line_ids.price_unit = 130  # Revised while the client was typing.
        invoice.action_post()
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        self.send_mails()
        [letter] = self.read_mails()
        text = letter.text.replace('\N{NO-BREAK SPACE}', ' ')
        self.assertIn("Received $ 100.00", text)
        self.assertIn("Left to pay: $ 30.00", text)
        self.assertNotIn(credit_line.name, text)

    def test_what_no_invoice_took_is_said_to_be_credit(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': 60})._create_payments()
        self.deliver()
        self.run_queue()
        self.send_mails()
        [letter] = self.read_mails()
        text = letter.text.replace('\N{NO-BREAK SPACE}', ' ')
        self.assertIn("Received $ 100.00", text)
        self.assertIn("Kept as your credit $ 60.00 Ask us to use it", text)

    def test_nothing_is_left_of_an_invoice_that_was_cancelled_meanwhile(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        invoice.button_draft()
        invoice.button_cancel()
        self.deliver()
        self.run_queue()
        self.send_mails()
        [letter] = self.read_mails()
        text = letter.text.replace('\N{NO-BREAK SPACE}', ' ')
        self.assertIn("Kept as your credit $ 100.00", text)
        self.assertNotIn("Left to pay", text)

    def test_switched_off(self):
        self.provider.with_user(self.billing_admin).stripe_checkout_send_confirmations = False
        invoice = self.create_invoice(100)
        self.pay(invoice)
        self.send_mails()
        self.assert_booked(invoice, 100)
        self.assertEqual(self.read_mails(), [])

    def test_debit_is_confirmed_when_the_bank_has_paid(self):
        invoice = self.create_invoice(100)
        session = self.pay(invoice, 'us_bank_account')
        self.send_mails()
        self.assertEqual(self.read_mails(), [], "Nothing is received yet")
        self.stripe.settle_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.send_mails()
        [letter] = self.read_mails()
        self.assertIn("Bank account (ACH)", letter.text)

    @mute_logger(MAILS)
    def test_waits_for_the_method_five_minutes_at_most(self):
        invoice = self.create_invoice(100)
        self.pay(invoice)
        self.stripe.faults.next(6, 'reset')
        self.send_mails()
        self.assertEqual(self.read_mails(), [])
        with freeze_time(fields.Datetime.now() + timedelta(minutes=6)):
            self.send_mails()
        [letter] = self.read_mails()
        self.assertNotIn("Paid with", letter.text)

    @mute_logger(MAILS)
    def test_broken_template_costs_no_booking_and_staff_are_told(self):
        template = self.env.ref('payment_stripe_checkout.mail_template_confirmation')
        template.body_html = '<p t-out="object.no_such_field" />'
        invoice = self.create_invoice(100)
        self.pay(invoice)
        self.assert_booked(invoice, 100)
        with mute_logger('odoo.addons.mail.models.mail_render_mixin'):
            self.send_mails()
        self.assertEqual(invoice.transaction_ids.stripe_checkout_mail_state, 'error')
        self.assertIn("could not be written", invoice.activity_ids.summary)

    @mute_logger(MAILS, 'odoo.sql_db')
    def test_lasting_database_error_is_told(self):
        """Catches a statement that times out each time and passes for a conflict."""
        self.refuse_in_database(
            '57014', 'INSERT ON mail_mail', SQL("NEW.is_notification IS NOT TRUE")
        )
        invoice = self.create_invoice(100)
        self.pay(invoice)
        self.send_mails()
        self.assertEqual(invoice.transaction_ids.stripe_checkout_mail_state, 'error')
        self.assertIn("could not be written", invoice.activity_ids.summary)

    @mute_logger('odoo.sql_db')
    def test_sent_soon_where_another_transaction_was_faster(self):
        """Catches a mail that waits for the next regular run, an hour later."""
        invoice = self.create_invoice(100)
        self.pay(invoice)
        triggers = self.env['ir.cron.trigger'].sudo()
        triggers.search([]).unlink()
        self.refuse_in_database('40001', 'UPDATE ON payment_transaction')
        self.send_mails()
        self.accept_in_database()
        self.assertEqual(self.read_mails(), [])
        [trigger] = triggers.search([
            ('cron_id', '=', self.env.ref('payment_stripe_checkout.ir_cron_send_mails').id)
        ])
        self.assertLess(trigger.call_at, datetime.now() + timedelta(minutes=1))
        self.send_mails()
        self.assertEqual(len(self.read_mails()), 1)

    def test_staff_may_change_the_template(self):
        template = self.env.ref('payment_stripe_checkout.mail_template_confirmation')
        template.subject = "Got it"
        self.pay(self.create_invoice(100))
        self.send_mails()
        self.assertEqual(self.read_mails()[0].subject, "Got it")

    def test_client_without_an_address(self):
        self.client.email = False
        invoice = self.create_invoice(100)
        self.pay(invoice)
        self.send_mails()
        self.assertEqual(self.read_mails(), [])
        self.assertEqual(invoice.transaction_ids.stripe_checkout_mail_state, 'skipped')
