from datetime import date, timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import new_test_user, tagged

from .common import StripeCheckoutCommon

TEST_MODE = "Testmodus: Es fließt kein Geld"


@tagged('post_install', '-at_install')
class TestEveryMail(StripeCheckoutCommon):
    """Each mail is in the client's language and formats, as the message that leaves, and as staff
    wrote it."""

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
        self.assertIn('name="viewport"', parts['html'], "A phone shows it in its own width")
        self.assertNotIn('<', parts['plain'])
        self.assertEqual(letter.get_colors(), [], "Dark mode could not read them")
        return letter

    # === WHAT MAILS EACH === #

    def mail_new_link(self):
        invoice = self.create_due()
        link = invoice.sudo().stripe_payment_link_ids
        link.expires_at = fields.Datetime.now() - timedelta(hours=1)
        page = self.get_page(self.url_open(link._get_path()), 'expired')
        [form] = page.xpath("//form[@name='o_stripe_checkout_renew']")
        self.url_open(form.get('action'), data=dict(form.form_values()))

    def mail_reminder(self):
        self.env['stripe.checkout.remind'].create({'move_ids': self.create_due().ids}).action_send()

    def mail_debit_failed(self):
        session = self.open_link(self.create_due())
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        self.stripe.fail_debit(session['id'])
        self.work()

    def mail_unpaid(self):
        session = self.open_link(self.create_due())
        self.stripe.pay(session['id'], outcome='insufficient_funds')
        self.work()
        client = self.provider._stripe_checkout_get_client()
        client.v1.checkout.sessions.expire(session['id'])
        self.work()

    def mail_confirmation(self):
        session = self.open_link(self.create_due())
        self.stripe.pay(session['id'])
        self.work()

    # === LANGUAGE === #

    def test_new_link(self):
        self.mail_new_link()
        letter = self.assert_german("neuer Zahlungslink")
        self.assertIn("Sie haben um einen neuen Zahlungslink gebeten", letter.text)

    def test_reminder(self):
        self.mail_reminder()
        self.assert_german("Zahlungserinnerung")

    def test_failed_debit(self):
        self.mail_debit_failed()
        self.assert_german("ist fehlgeschlagen")

    def test_ended_unpaid(self):
        self.mail_unpaid()
        self.assert_german("wurde nicht abgeschlossen")

    def test_address_without_a_name_is_greeted_by_that_of_its_company(self):
        """Catches "Hello ," where the invoice is made out to an address for invoices alone."""
        self.client.is_company = True
        self.client = self.env['res.partner'].create({
            'parent_id': self.client.id,
            'type': 'invoice',
            'email': 'accounts@example.com',
            'lang': 'de_DE',
        })
        for send in (
            self.mail_new_link,
            self.mail_reminder,
            self.mail_debit_failed,
            self.mail_unpaid,
            self.mail_confirmation,
        ):
            with self.subTest(send.__name__):
                send()
                self.assertIn("Guten Tag Müller & Söhne,", self.read_mails()[-1].text)

    # === AS STAFF WROTE IT === #

    def test_staff_change_what_it_says(self):
        """Catches a mail whose text or subject is not that of its template."""
        editor = new_test_user(
            self.env, 'editor', 'account.group_account_invoice,mail.group_mail_template_editor'
        )
        records = self.env['ir.model.data'].search([
            ('module', '=', 'payment_stripe_checkout'),
            ('model', '=', 'mail.template'),
        ])
        self.assertEqual(len(records), 5)
        for record in records:
            name = record.name.removeprefix('mail_template_')
            with self.subTest(name=name):
                template = self.env['mail.template'].browse(record.res_id)
                mine = template.with_user(editor).with_context(lang='de_DE')
                written = f"Von uns: {name}"
                body = f'<p>Guten Tag <t t-out="object.display_name" /></p><p>{written}</p>'
                mine.write({'subject': written, 'body_html': body})
                before = len(self.read_mails())
                getattr(self, f'mail_{name}')()
                [letter] = self.read_mails()[before:]
                self.assertEqual(letter.subject, written)
                self.assertRegex(letter.text, f"Guten Tag .+{written}")
                self.assertIn(TEST_MODE, letter.text)
