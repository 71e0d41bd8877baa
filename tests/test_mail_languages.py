from datetime import date, timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestMailLanguages(StripeCheckoutCommon):
    """Each mail is in the client's language and formats, and so is the message that leaves."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        langs = cls.env['res.lang'].with_context(active_test=False)
        cls.env['base.language.install'].create({
            'lang_ids': [fields.Command.set(langs.search([('code', '=', 'de_DE')]).ids)],
        }).lang_install()
        cls.client.write({'lang': 'de_DE', 'name': "Müller & Söhne"})

    def work(self):
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')

    def create_due(self):
        return self.create_invoice(
            1234.5, invoice_date=date(2026, 1, 5), invoice_date_due=date(2026, 2, 4)
        )

    def send(self, letter):
        """Let Odoo send a mail; return the message as it is handed to the mail server."""
        sent = []

        def send_email(_servers, message, **_kwargs):
            sent.append(message)
            return message['Message-Id']

        servers = self.registry['ir.mail_server']
        with (
            patch.object(servers, '_disable_send', lambda _servers: False),
            patch.object(servers, '_connect__', lambda _servers, **_kwargs: None),
            patch.object(servers, 'send_email', send_email),
        ):
            letter.mail.send()
        [message] = sent
        return message

    def assert_german(self, subject):
        """Check the one letter so far, and both parts of the message that leaves."""
        [letter] = self.read_mails()
        message = self.send(letter)
        self.assertIn('client@example.com', message['To'])
        self.assertIn(subject, message['Subject'])
        parts = {
            kind: message.get_body([kind]).get_content().replace('\N{NO-BREAK SPACE}', ' ')
            for kind in ('plain', 'html')
        }
        _label, url = letter.get_button()
        for part in parts.values():
            self.assertIn('04.02.2026', part)
            self.assertIn('$ 1.234,50', part)
            self.assertIn(url, part)
        self.assertIn("Müller & Söhne", parts['plain'])
        self.assertIn('lang="de-DE"', parts['html'])
        self.assertNotIn('<', parts['plain'])
        return letter

    def test_new_link(self):
        invoice = self.create_due()
        link = invoice.sudo().stripe_payment_link_ids
        link.expires_at = fields.Datetime.now() - timedelta(hours=1)
        page = self.get_page(self.url_open(link._get_path()), 'expired')
        [form] = page.xpath("//form[@name='o_stripe_checkout_renew']")
        self.url_open(form.get('action'), data=dict(form.form_values()))
        letter = self.assert_german("neuer Zahlungslink")
        self.assertIn("Sie haben um einen neuen Zahlungslink gebeten", letter.text)

    def test_reminder(self):
        self.env['stripe.checkout.remind'].create({'move_ids': self.create_due().ids}).action_send()
        self.assert_german("Zahlungserinnerung")

    def test_failed_debit(self):
        session = self.open_link(self.create_due())
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        self.stripe.fail_debit(session['id'])
        self.work()
        self.assert_german("ist fehlgeschlagen")

    def test_ended_unpaid(self):
        session = self.open_link(self.create_due())
        self.stripe.pay(session['id'], outcome='insufficient_funds')
        self.work()
        client = self.provider._stripe_checkout_get_client()
        client.v1.checkout.sessions.expire(session['id'])
        self.work()
        self.assert_german("wurde nicht abgeschlossen")
