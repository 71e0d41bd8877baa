from datetime import timedelta

from freezegun import freeze_time
from lxml import html

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import StripeCheckoutCommon

CONTROLLER = 'odoo.addons.payment_stripe_checkout.controllers.pay'
BROWSER = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36'


@tagged('post_install', '-at_install')
class TestLinkPages(StripeCheckoutCommon):
    """Whatever became of a link or its invoice, the page says so and what to do next."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.write({'email': 'billing@example.com', 'phone': '+1 555 0100'})

    def get_creations(self):
        return self.stripe.calls.matching('POST', '/v1/checkout/sessions')

    def visit(self, path, state=None, **kwargs):
        response = self.url_open(path, allow_redirects=False, **kwargs)
        if not state:
            return response
        self.assertEqual(response.status_code, 200)
        return self.get_page(response, state)

    def press(self, page, name):
        """Press the button of a form on a page, as a browser does."""
        [form] = page.xpath(f"//form[@name='{name}']")
        return self.visit(form.get('action'), data=dict(form.form_values()))

    def expire(self, invoice):
        """Open the link once and move its end into the past; return its path."""
        path = self.get_path(invoice)
        self.open_link(invoice)
        link = invoice.sudo().stripe_payment_link_ids
        link.opened_at = link.expires_at = fields.Datetime.now() - timedelta(hours=1)
        self.stripe.calls.clear()
        return path

    # === LOOKING ONLY === #

    def test_scanners_previews_and_prefetches_open_nothing(self):
        path = self.get_path(self.create_invoice(100))
        for headers in (
            {'Sec-Purpose': 'prefetch'},
            {'Sec-Purpose': 'prefetch;prerender'},
            {'Purpose': 'prefetch'},
            {'X-Moz': 'prefetch'},
            {'User-Agent': 'facebookexternalhit/1.1'},
            {'User-Agent': 'WhatsApp/2.23.20.0'},
            {'User-Agent': 'Mozilla/5.0 (compatible; bingbot/2.0)'},
        ):
            with self.subTest(headers=headers):
                page = self.visit(path, 'payable', headers=headers)
                self.assertTrue(page.xpath("//form[@name='o_stripe_checkout_form']"))
        for method in ('HEAD', 'OPTIONS'):
            response = self.url_open(path, method=method, allow_redirects=False)
            self.assertEqual(response.status_code, 200, method)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_staff_open_nothing_by_looking(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.authenticate('billing_admin', 'billing_admin')
        page = self.visit(path, 'payable', headers={'User-Agent': BROWSER})
        self.assertEqual(len(self.stripe.calls), 0)
        self.assertEqual(invoice.with_user(self.billing_admin).stripe_checkout_status, 'ready')
        self.assertEqual(self.press(page, 'o_stripe_checkout_form').status_code, 303)

    def test_person_taken_for_a_scanner_presses_pay(self):
        path = self.get_path(self.create_invoice(100))
        page = self.visit(path, 'payable', headers={'User-Agent': 'Somebot'})
        response = self.press(page, 'o_stripe_checkout_form')
        self.assertEqual(response.status_code, 303)
        self.assertEqual(self.get_session(response.headers['Location'])['amount_total'], 10000)
        self.assertEqual(len(self.get_creations()), 1)

    def test_scanner_before_the_person_makes_no_second_session(self):
        path = self.get_path(self.create_invoice(100))
        first = self.visit(path, headers={'User-Agent': BROWSER}).headers['Location']
        second = self.visit(path, headers={'User-Agent': 'Mozilla/5.0 Outlook'}).headers['Location']
        self.assertEqual(first, second)
        self.assertEqual(len(self.stripe.calls), 1)

    def test_a_forged_request_opens_nothing(self):
        path = self.get_path(self.create_invoice(100))
        with mute_logger('odoo.http'):
            for action in ('checkout', 'renew'):
                response = self.visit(f'{path}/{action}', data={'csrf_token': 'forged'})
                self.assertEqual(response.status_code, 400)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_opening_is_noted_once(self):
        invoice = self.create_invoice(100)
        link = invoice.sudo().stripe_payment_link_ids
        self.visit(self.get_path(invoice), headers={'User-Agent': 'Somebot'})
        self.assertFalse(link.opened_at)
        with freeze_time('2026-03-01 10:00:00'):
            self.open_link(invoice)
        with freeze_time('2026-03-01 11:00:00'):
            self.open_link(invoice)
        self.assertEqual(fields.Datetime.to_string(link.opened_at), '2026-03-01 10:00:00')

    # === A NEW LINK === #

    def test_expired_link_mails_a_fresh_one_to_the_contact(self):
        invoice = self.create_invoice(100)
        path = self.expire(invoice)
        page = self.visit(path, 'expired')
        response = self.press(page, 'o_stripe_checkout_renew')
        self.get_page(response, 'renewed')
        [letter] = self.read_mails()
        self.assertEqual(letter.mail.recipient_ids, self.client)
        self.assertIn(invoice.name, letter.text)
        self.assertIn('$ 100.00', letter.text.replace('\N{NO-BREAK SPACE}', ' '))
        label, url = letter.get_button()
        self.assertEqual(label, "Pay online")
        self.assertIn(url, letter.plain)
        self.assertNotIn(url.rpartition('/')[2], response.text, "The holder is shown no link")
        self.assertNotIn('client@example.com', response.text)
        self.assertEqual(len(self.stripe.calls), 0, "Nobody was asked at Stripe")
        location = self.visit(url.removeprefix(self.base_url())).headers['Location']
        self.assertEqual(self.get_session(location)['status'], 'open')
        self.visit(path, 'expired')

    def test_nobody_floods_the_contact(self):
        invoice = self.create_invoice(100)
        page = self.visit(self.expire(invoice), 'expired')
        for _press in range(3):
            self.get_page(self.press(page, 'o_stripe_checkout_renew'), 'renewed')
        self.assertEqual(len(self.read_mails()), 1)
        with freeze_time(fields.Datetime.now() + timedelta(minutes=11)):
            self.press(page, 'o_stripe_checkout_renew')
        self.assertEqual(len(self.read_mails()), 2)

    def test_nobody_floods_the_contact_with_patience(self):
        invoice = self.create_invoice(100)
        page = self.visit(self.expire(invoice), 'expired')
        start = fields.Datetime.now()
        for press in range(12):
            with freeze_time(start + timedelta(minutes=11 * press)):
                response = self.press(page, 'o_stripe_checkout_renew')
                # No mail is promised that is not sent.
                self.get_page(response, 'renewed' if press < 3 else 'renewed_enough')
        self.assertEqual(len(self.read_mails()), 3)
        with freeze_time(start + timedelta(hours=25)):
            self.press(page, 'o_stripe_checkout_renew')
        self.assertEqual(len(self.read_mails()), 4, "The next day the client can ask again")

    def test_a_link_that_works_mails_nothing(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        page = self.visit(path, 'payable', headers={'User-Agent': 'Somebot'})
        [form] = page.xpath("//form[@name='o_stripe_checkout_form']")
        token = dict(form.form_values())
        self.get_page(self.visit(f'{path}/renew', data=token), 'payable')
        response = self.visit('/pay/unknown/renew', data=token)
        self.assertEqual(response.status_code, 404)
        self.assertEqual(self.read_mails(), [])

    def test_address_of_a_button_leads_to_the_link(self):
        """Catches an error for a browser that opens its last page again."""
        path = self.expire(self.create_invoice(100))
        for action in ('renew', 'checkout'):
            response = self.visit(f'{path}/{action}')
            self.assertEqual(response.status_code, 303)
            self.assertTrue(response.headers['Location'].endswith(path))
            self.assertEqual(self.visit(f'/pay/unknown/{action}').status_code, 404)
        self.assertEqual(self.read_mails(), [])
        self.assertEqual(self.get_creations(), [])

    def test_contact_without_an_address_is_promised_no_mail(self):
        path = self.expire(self.create_invoice(100))
        page = self.visit(path, 'expired')
        self.client.email = False
        answer = self.get_page(self.press(page, 'o_stripe_checkout_renew'), 'expired')
        for shown in (answer, self.visit(path, 'expired')):
            self.assertEqual(shown.xpath("//form[@name='o_stripe_checkout_renew']"), [])
            self.assertTrue(shown.xpath("//p[@name='ask_for_a_new_link']"))
            self.assertNotIn("We can send a new link", shown.text_content())
            self.assertTrue(shown.xpath("//p[@name='o_stripe_checkout_contact']/a"))
        self.assertEqual(self.read_mails(), [])

    def test_link_of_several_invoices_is_renewed_for_what_is_left_of_them(self):
        invoices = self.create_invoice(100) + self.create_invoice(50) + self.create_invoice(20)
        link = self.env['stripe.payment.link']._get_or_create_for_all(invoices)
        link.expires_at = fields.Datetime.now()
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoices[2].ids
        ).create({})._create_payments()
        self.press(self.visit(link._get_path(), 'expired'), 'o_stripe_checkout_renew')
        [letter] = self.read_mails()
        for invoice, is_asked in zip(invoices, (True, True, False), strict=True):
            self.assertEqual(invoice.name in letter.text, is_asked)
        _label, url = letter.get_button()
        location = self.visit(url.removeprefix(self.base_url())).headers['Location']
        self.assertEqual(self.get_session(location)['amount_total'], 15000)

    # === LINKS OF SEVERAL INVOICES === #

    def create_joint_link(self):
        invoices = self.create_invoice(100) + self.create_invoice(50)
        return self.env['stripe.payment.link']._get_or_create_for_all(invoices)

    def test_revoking_one_invoice_ends_the_joint_link(self):
        link = self.create_joint_link()
        session = self.get_session(self.visit(link._get_path()).headers['Location'])
        link.move_ids[0].with_user(self.billing_admin).action_stripe_checkout_revoke_link()
        self.visit(link._get_path(), 'revoked')
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')

    def test_joint_link_after_stripe_was_left(self):
        link = self.create_joint_link()
        session = self.get_session(self.visit(link._get_path()).headers['Location'])
        page = self.visit(session['cancel_url'].removeprefix(self.base_url()))
        text = self.get_page(page, 'cancelled_at_stripe').text_content()
        for invoice in link.move_ids:
            self.assertIn(invoice.name, text)
        self.assertIn('150.00', text)

    def test_joint_link_says_which_invoice_it_no_longer_asks_for(self):
        link = self.create_joint_link()
        held, asked = link.move_ids
        held.action_toggle_block_payment()
        page = self.visit(f'{link._get_path()}/cancelled', 'cancelled_at_stripe')
        [reason] = page.xpath("//dd[@name='o_stripe_checkout_left_out']")
        self.assertIn("on hold", reason.text_content())
        self.assertIn(held.name, reason.getparent().text_content())
        [to_pay] = page.xpath("//dd[@id='o_stripe_checkout_to_pay']")
        self.assertIn(f'{asked.amount_residual:.2f}', to_pay.text_content())

    def test_failed_debit_of_several_asks_for_all_of_them_again(self):
        link = self.create_joint_link()
        session = self.get_session(self.visit(link._get_path()).headers['Location'])
        self.stripe.pay(session['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        self.visit(link._get_path(), 'processing')
        self.stripe.fail_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')
        [letter] = self.read_mails()
        for invoice in link.move_ids:
            self.assertIn(invoice.name, letter.text)
        _label, url = letter.get_button()
        location = self.visit(url.removeprefix(self.base_url())).headers['Location']
        self.assertEqual(self.get_session(location)['amount_total'], 15000)

    def test_joint_link_of_which_nothing_can_be_paid_says_why(self):
        def pay(invoice):
            self.env['account.payment.register'].with_context(
                active_model='account.move', active_ids=invoice.ids
            ).create({})._create_payments()

        def cancel(invoice):
            invoice.button_draft()
            invoice.button_cancel()

        def block(invoice):
            invoice.action_toggle_block_payment()

        def revise(invoice):
            invoice.button_draft()

        for one, other, state in (
            (block, pay, 'blocked'),
            (revise, pay, 'draft'),
            (revise, cancel, 'draft'),
            (pay, cancel, 'paid'),
        ):
            for first, second in ((one, other), (other, one)):
                with self.subTest(first=first.__name__, second=second.__name__):
                    link = self.create_joint_link()
                    changes = dict(zip(link.move_ids, (first, second), strict=True))
                    for invoice, change in changes.items():
                        change(invoice)
                    text = self.visit(link._get_path(), state).text_content()
                    for invoice, change in changes.items():
                        self.assertEqual(invoice.name in text, change == one)

    # === STATES === #

    def test_replaced(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        invoice.sudo().stripe_payment_link_ids._end('replaced')
        page = self.visit(path, 'replaced')
        self.assertTrue(page.xpath("//form[@name='o_stripe_checkout_renew']"))

    def test_pages_without_a_way_on_say_whom_to_ask(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        invoice.sudo().stripe_payment_link_ids.revoked = True
        page = self.visit(path, 'revoked')
        self.assertEqual(
            page.xpath("//p[@name='o_stripe_checkout_contact']/a/@href"),
            ['mailto:billing@example.com', 'tel:+1 555 0100'],
        )
        self.assertFalse(page.xpath("//form[contains(@action, '/renew')]"))

    def test_revised_invoice_keeps_its_link(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        first = self.open_link(invoice)
        invoice.button_draft()
        self.assertIn("being revised", self.visit(path, 'draft').text_content())
        invoice.invoice_line_ids.price_unit = 80
        invoice.action_post()
        self.assertEqual(self.get_path(invoice), path)
        second = self.get_session(self.visit(path).headers['Location'])
        self.assertEqual(second['amount_total'], 8000)
        self.assertEqual(self.stripe.session(first['id'])['status'], 'expired')

    def test_paid_link_offers_the_receipt(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.run_queue()
        page = self.visit(path, 'paid')
        [href] = page.xpath("//a[@name='o_stripe_checkout_receipt']/@href")
        response = self.visit(href)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.headers['Cache-Control'], 'no-store')
        self.assertIn(self.get_payments(invoice).name, response.text)

        other = self.create_invoice(50)
        foreign = f'{self.get_path(other)}/receipt/{self.get_payments(invoice).id}'
        self.assertEqual(self.visit(foreign).status_code, 404)
        invoice.sudo().stripe_payment_link_ids.revoked = True
        self.assertEqual(self.visit(href).status_code, 404)

    def test_debit_on_its_way(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.stripe.pay(self.open_link(invoice)['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        self.visit(path, 'processing')
        self.assertEqual(len(self.get_creations()), 1)

    @mute_logger(CONTROLLER)
    def test_unreachable_stripe(self):
        path = self.get_path(self.create_invoice(100))
        self.stripe.faults.next(3, 'reset')
        page = self.visit(path, 'unavailable')
        self.assertIn("This visit has charged nothing", page.text_content())
        [again] = page.xpath("//a[@name='o_stripe_checkout_again']/@href")
        self.assertEqual(self.visit(again).status_code, 303)

    def test_what_is_not_offered_online_is_not_to_be_tried_again(self):
        path = self.get_path(self.create_invoice(100))
        too_small = self.create_invoice(0.2).stripe_payment_link_ids._get_path()
        self.visit(too_small, 'unavailable')
        self.provider.state = 'disabled'
        for each in (path, too_small):
            page = self.visit(each, 'unavailable')
            self.assertIn("cannot be paid online at the moment", page.text_content())
            self.assertEqual(page.xpath("//*[@name='o_stripe_checkout_again']"), [])
            self.assertTrue(page.xpath("//*[@name='o_stripe_checkout_contact']"))

    def test_expired_link_of_a_cancelled_invoice_promises_nothing(self):
        invoice = self.create_invoice(100)
        path = self.expire(invoice)
        invoice.button_draft()
        invoice.button_cancel()
        self.visit(path, 'cancelled')

    def test_link_of_a_deleted_invoice_leads_a_stranger_nowhere(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        invoice.button_draft()
        invoice.unlink()
        page = self.visit(path, 'unavailable')
        self.assertEqual(page.xpath("//*[@name='o_stripe_checkout_names']"), [])
        self.assertEqual(page.xpath("//*[@name='o_stripe_checkout_back']"), [])
        self.assertTrue(page.xpath("//*[@name='o_stripe_checkout_contact']"))

    def test_no_language_is_offered_that_cannot_be_chosen(self):
        self.env['res.lang']._activate_lang('fr_FR')
        invoice = self.create_invoice(100)
        for path, is_offered in ((invoice.get_portal_url(), True), (self.expire(invoice), False)):
            page = html.fromstring(self.url_open(path).content)
            found = page.xpath("//*[contains(@class, 'js_language_selector')]")
            self.assertEqual(bool(found), is_offered, path)

    def test_every_page_of_a_link_names_its_invoice(self):
        invoice = self.create_invoice(100)
        path = self.expire(invoice)
        link = invoice.sudo().stripe_payment_link_ids
        page = self.visit(path, 'expired')
        self.assertIn(invoice.name, page.text_content())
        response = self.press(page, 'o_stripe_checkout_renew')
        self.assertIn(invoice.name, self.get_page(response, 'renewed').text_content())
        for name in ('replaced', 'revoked'):
            link[name] = True
            self.assertIn(invoice.name, self.visit(path, name).text_content())
        invoice.button_draft()
        link.write({'replaced': False, 'revoked': False})
        self.assertIn(invoice.name, self.visit(path, 'draft').text_content())
        invoices = self.create_invoice(100) + self.create_invoice(50)
        joint = self.env['stripe.payment.link']._get_or_create_for_all(invoices)
        joint.revoked = True
        page = self.visit(joint._get_path(), 'revoked')
        for each in invoices:
            self.assertIn(each.name, page.text_content())

    # === LANGUAGE === #

    def test_archived_client_whose_language_was_switched_off(self):
        self.env['res.lang']._activate_lang('fr_FR')
        self.client.lang = 'fr_FR'
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.client.active = False
        self.env['res.lang'].search([('code', '=', 'fr_FR')]).active = False
        session = self.open_link(invoice)
        self.visit(f'{path}/cancelled', 'cancelled_at_stripe')
        self.stripe.pay(session['id'])
        self.visit(f"{path}/done?session_id={session['id']}", 'done')

    def test_checkout_speaks_the_clients_language(self):
        ours = ('en_US', 'fr_FR', 'de_DE', 'es_ES', 'it_IT', 'nl_NL', 'pl_PL')
        locales = {lang: lang[:2] for lang in ours} | {'pt_PT': 'pt', 'pt_BR': 'pt-BR'}
        for lang, locale in locales.items():
            self.env['res.lang']._activate_lang(lang)
            self.client.lang = lang
            self.open_link(self.create_invoice(100))
            self.assertEqual(self.get_creations()[-1].params['locale'], locale)
