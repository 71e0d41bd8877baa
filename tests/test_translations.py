import re
from pathlib import Path

import polib

from odoo import fields
from odoo.tests import tagged
from odoo.tools.translate import xml_translate

from .common import StripeCheckoutCommon

FOLDER = Path(__file__).parents[1] / 'i18n'
LANGUAGES = {
    'fr': 'fr_FR',
    'de': 'de_DE',
    'es': 'es_ES',
    'it': 'it_IT',
    'nl': 'nl_NL',
    'pl': 'pl_PL',
    'pt': 'pt_PT',
}
# Pages and mails of ours that only staff read.
STAFF_TEMPLATES = {'settings_checklist', 'invoice_timeline'}
# Where the code speaks to clients.
CLIENT_CODE = re.compile(
    r'/(controllers/\w+|models/(account_move_(mail|portal|discount|eligibility)'
    r'|payment_transaction_(method|payload|session|settle)|portal_billing|stripe_payment_link_amount))\.py$'
)
PLACEHOLDER = re.compile(r'%\(\w+\)s|\{\{.*?\}\}|<[^>]*>')
EXPIRED = {
    'fr': "Ce lien de paiement a expiré",
    'de': "Dieser Zahlungslink ist abgelaufen",
    'es': "Este enlace de pago ha caducado",
    'it': "Questo link di pagamento è scaduto",
    'nl': "Deze betaallink is verlopen",
    'pl': "Ten link do płatności wygasł",
    'pt': "Este link de pagamento expirou",
}


@tagged('post_install', '-at_install')
class TestTranslations(StripeCheckoutCommon):
    """Whatever a client reads is there in eight languages."""

    def read_po(self, language):
        entries = polib.pofile(str(FOLDER / f'{language}.po'))
        return {entry.msgid: entry.msgstr for entry in entries}

    def get_client_terms(self):
        """Return every text that a client can read, collected from where it is used."""
        terms = set()
        views = self.env['ir.ui.view'].search([
            ('type', '=', 'qweb'),
            ('key', '=like', 'payment_stripe_checkout.%'),
        ])
        for view in views:
            if view.key.partition('.')[2] not in STAFF_TEMPLATES:
                xml_translate(terms.add, view.arch_db)
        templates = self.env['mail.template'].search([
            ('id', 'in', self.get_record_ids('mail.template'))
        ])
        self.assertEqual(len(templates), 5)
        terms |= {text for mail in templates for text in (mail.subject, str(mail.body_html))}
        for entry in polib.pofile(str(FOLDER / 'payment_stripe_checkout.pot')):
            if any(CLIENT_CODE.search(path) for path, _line in entry.occurrences):
                terms.add(entry.msgid)
        return {term for term in terms if any(map(str.isalpha, term))}

    def get_record_ids(self, model):
        data = self.env['ir.model.data'].sudo()
        return data.search([
            ('module', '=', 'payment_stripe_checkout'),
            ('model', '=', model),
        ]).mapped('res_id')

    def activate(self, language):
        """Install a language as staff do, and make it the client's."""
        code = LANGUAGES[language]
        lang = self.env['res.lang'].with_context(active_test=False).search([('code', '=', code)])
        wizards = self.env['base.language.install']
        wizards.create({'lang_ids': [fields.Command.set(lang.ids)]}).lang_install()
        self.client.lang = code

    def test_every_client_facing_term_is_translated(self):
        terms = self.get_client_terms()
        self.assertGreater(len(terms), 130)
        for language in LANGUAGES:
            translations = self.read_po(language)
            lacking = [term for term in terms if not translations.get(term)]
            self.assertEqual(lacking, [], language)

    def test_every_place_of_a_term_is_known(self):
        """Catches a translation that Odoo loads, but not for all places where the text stands."""

        def read_places(name):
            return {entry.msgid: set(entry.occurrences) for entry in polib.pofile(FOLDER / name)}

        places = read_places('payment_stripe_checkout.pot')
        for language in LANGUAGES:
            self.assertEqual(read_places(f'{language}.po'), places, language)

    def test_placeholders_and_markup_are_kept(self):
        for language in LANGUAGES:
            for term, translation in self.read_po(language).items():
                if translation:
                    self.assertEqual(
                        sorted(PLACEHOLDER.findall(term)),
                        sorted(PLACEHOLDER.findall(translation)),
                        f"{language}: {term}",
                    )

    def test_page_in_the_clients_language(self):
        for language, heading in EXPIRED.items():
            self.activate(language)
            invoice = self.create_invoice(100)
            path = self.get_path(invoice)
            invoice.sudo().stripe_payment_link_ids.expires_at = fields.Datetime.now()
            page = self.get_page(self.url_open(path), 'expired')
            self.assertEqual(page.xpath('string(//h1)').strip(), heading)
            self.assertEqual(page.get('lang'), LANGUAGES[language].replace('_', '-'))

    def test_amount_and_date_in_the_clients_format(self):
        self.activate('de')
        session = self.open_link(self.create_invoice(1234.5))
        self.stripe.pay(session['id'])
        url = session['success_url'].replace('{CHECKOUT_SESSION_ID}', session['id'])
        page = self.get_page(self.url_open(url.removeprefix(self.base_url())), 'done')
        text = ' '.join(page.text_content().split())
        for fact in ("1.234,50", fields.Datetime.now().strftime('%d.%m.%Y'), "Karte"):
            self.assertIn(fact, text)

    def test_mail_in_the_clients_language(self):
        self.activate('de')
        invoice = self.create_invoice(1234.5)
        self.stripe.pay(self.open_link(invoice)['id'])
        [call] = self.stripe.calls.matching('POST', '/v1/checkout/sessions')
        self.assertEqual(call.params['locale'], 'de')
        self.assertIn(
            "Rechnung", call.params['line_items'][0]['price_data']['product_data']['name']
        )
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')
        [letter] = self.read_mails()
        text = letter.text.replace('\N{NO-BREAK SPACE}', ' ')
        self.assertIn("Zahlung erhalten", letter.subject)
        day = fields.Datetime.now().strftime('%d.%m.%Y')
        for fact in ("Wir haben Ihre Zahlung erhalten", "1.234,50", "Karte", day):
            self.assertIn(fact, text)
        self.assertNotIn("Thank you", text)
