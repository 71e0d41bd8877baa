from odoo.tests import tagged
from odoo.tools import mute_logger

from .portal_common import PortalCommon

CONTROLLER = 'odoo.addons.payment_stripe_checkout.controllers.pay'


@tagged('post_install', '-at_install')
class TestDonePage(PortalCommon):
    """What the client sees after Checkout: what was really received, and nothing of others."""

    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    def get_done_path(self, session):
        url = session['success_url'].replace('{CHECKOUT_SESSION_ID}', session['id'])
        return url.removeprefix(self.base_url())

    def pay(self, invoice, **kwargs):
        """Pay an invoice at Stripe; return the path that Stripe sends the payer to."""
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], **kwargs)
        return self.get_done_path(session)

    def open_done(self, path, state):
        response = self.url_open(path)
        self.assertEqual(response.status_code, 200)
        return response, self.get_page(response, state)

    def read_id(self, page, element_id):
        return self.read_texts([page.get_element_by_id(element_id)])[0]

    # === PAID === #

    def test_what_was_received_how_and_what_is_left(self):
        invoice = self.create_invoice(100)
        path = self.pay(invoice, amount=6000)
        response, page = self.open_done(path, 'done')
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_received'), "$ 60.00")
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_method'), "Card")
        text = ' '.join(page.text_content().split())
        self.assertIn(f"Invoice {invoice.name} Left to pay $ 40.00", text)
        self.assertNotIn('Refresh', response.headers)
        self.assertNotIn("credit", text)
        self.assert_booked(invoice, 60, 'partial')

    def test_what_no_invoice_took_is_said_to_be_credit(self):
        invoice = self.create_invoice(100)
        path = self.pay(invoice)
        self.pay_otherwise(invoice)
        _response, page = self.open_done(path, 'done')
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_received'), "$ 100.00")
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_kept'), "$ 100.00")
        self.assertIn("Ask us to use it", page.text_content())

    def test_nothing_is_left_of_an_invoice_that_was_cancelled_meanwhile(self):
        invoice = self.create_invoice(100)
        path = self.pay(invoice)
        invoice.button_draft()
        invoice.button_cancel()
        _response, page = self.open_done(path, 'done')
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_kept'), "$ 100.00")
        text = ' '.join(page.text_content().split())
        self.assertIn("This invoice was cancelled. There is nothing to pay.", text)
        self.assertNotIn("Left to pay", text)

    def test_method_where_the_webhook_was_faster(self):
        path = self.pay(self.create_invoice(100))
        self.deliver()
        self.run_queue()
        _response, page = self.open_done(path, 'done')
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_method'), "Card")
        self.stripe.calls.clear()
        self.open_done(path, 'done')
        self.assertEqual(len(self.stripe.calls), 0, "Nothing is left to be learned")

    def test_receipt(self):
        invoice = self.create_invoice(100)
        path = self.pay(invoice)
        _response, page = self.open_done(path, 'done')
        [href] = page.xpath("//a[@name='o_stripe_checkout_receipt']/@href")
        response = self.url_open(href)
        self.assertIn("Payment Receipt", response.text)
        self.assertIn(invoice.name, response.text)
        self.assertEqual(response.headers['Cache-Control'], 'no-store')

    def test_way_back_for_a_stranger_and_for_the_client(self):
        invoice = self.create_invoice(100)
        path = self.pay(invoice)
        for login in (None, 'portal_client'):
            self.authenticate(login, login)
            _response, page = self.open_done(path, 'done')
            [href] = page.xpath("//a[@name='o_stripe_checkout_back']/@href")
            self.assertIn(invoice.name, self.url_open(href).text)

    def test_stranger_who_paid_several_finds_the_way_back_to_each(self):
        invoices = self.create_invoice(100) + self.create_invoice(50)
        link = self.env['stripe.payment.link']._get_or_create_for_all(invoices)
        response = self.url_open(link._get_path(), allow_redirects=False)
        session = self.get_session(response.headers['Location'])
        self.stripe.pay(session['id'])
        _response, page = self.open_done(self.get_done_path(session), 'done')
        for invoice in invoices:
            [href] = page.xpath(f"//a[normalize-space() = '{invoice.name}']/@href")
            self.assertIn(invoice.name, self.url_open(href).text)
            self.assertIn('access_token', href)

    def test_several_invoices(self):
        self.authenticate('portal_client', 'portal_client')
        invoices = [self.create_invoice(100), self.create_invoice(50)]
        session = self.get_session(self.pay_ticked(*invoices).url)
        self.stripe.pay(session['id'])
        _response, page = self.open_done(self.get_done_path(session), 'done')
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_received'), "$ 150.00")
        for invoice in invoices:
            self.assertIn(invoice.name, page.text_content())
        [href] = page.xpath("//a[@name='o_stripe_checkout_back']/@href")
        self.assertEqual(href, '/my/billing')

    # === ON ITS WAY === #

    def test_bank_debit(self):
        invoice = self.create_invoice(100)
        path = self.pay(invoice, method='us_bank_account')
        response, page = self.open_done(path, 'pending')
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_pending'), "$ 100.00")
        self.assertIn("Your bank debit of", page.text_content())
        self.assertIn("What happens next", page.text_content())
        self.assertNotIn('Refresh', response.headers, "It takes days")
        self.assertEqual(page.xpath("//a[@name='o_stripe_checkout_receipt']"), [])
        self.assertEqual(invoice.payment_state, 'not_paid')

    def test_failed_debit_leads_to_paying_again(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], method='us_bank_account')
        self.stripe.fail_debit(session['id'])
        _response, page = self.open_done(self.get_done_path(session), 'failed')
        [href] = page.xpath("//a[@name='o_stripe_checkout_again']/@href")
        self.assertEqual(self.get_session(self.url_open(href).url)['status'], 'open')

    def test_debit_that_was_freed_may_still_be_drawn(self):
        invoice = self.create_invoice(100)
        session = self.start_debit(invoice)
        path = self.get_done_path(session)
        invoice.with_user(self.billing_admin).action_stripe_checkout_free()
        _response, page = self.open_done(path, 'uncertain')
        text = ' '.join(page.text_content().split())
        self.assertIn("Ask us before you pay again", text)
        self.assertNotIn("Nothing was charged", text)
        self.assertIn(invoice.name, text)
        self.stripe.fail_debit(session['id'])
        self.open_done(path, 'failed')

    # === WAITING === #

    @mute_logger(CONTROLLER)
    def test_waits_by_itself_and_without_javascript(self):
        invoice = self.create_invoice(100)
        path = self.pay(invoice)
        self.stripe.faults.next(3, 'lost_answer', method='GET', path='/v1/checkout/sessions/*')
        response, page = self.open_done(path, 'waiting')
        self.assertIn("your payment is safe", page.text_content())
        seconds, _separator, address = response.headers['Refresh'].partition('; url=')
        self.assertGreater(int(seconds), 0)
        _response, page = self.open_done(address, 'done')
        self.assertEqual(self.read_id(page, 'o_stripe_checkout_received'), "$ 100.00")

    def test_does_not_wait_for_ever(self):
        session = self.open_link(self.create_invoice(100))
        path = self.get_done_path(session)
        looks, waited = 0, 0
        while True:
            response, page = self.open_done(path, 'waiting')
            says_so = "looks again by itself" in ' '.join(page.text_content().split())
            self.assertEqual(says_so, 'Refresh' in response.headers)
            if 'Refresh' not in response.headers:
                break
            seconds, _separator, path = response.headers['Refresh'].partition('; url=')
            looks, waited = looks + 1, waited + int(seconds)
            self.assertLess(looks, 20)
        self.assertGreater(waited, 120)
        self.assertIn("do not pay again", page.text_content())
        [path] = page.xpath("//a[@name='o_stripe_checkout_refresh']/@href")
        response, _page = self.open_done(path, 'waiting')
        self.assertIn('Refresh', response.headers, "Asked to, it waits once more")

    # === REFUSED === #

    def refuse_bookings(self, refuse=True):
        """Have accounting refuse payments, as where staff have archived the journal."""
        self.provider.journal_id.active = not refuse

    @mute_logger(CONTROLLER)
    def test_waits_where_accounting_refuses(self):
        invoice = self.create_invoice(100)
        path = self.pay(invoice)
        self.refuse_bookings()
        response, page = self.open_done(path, 'waiting')
        self.assertIn("your payment is safe", page.text_content())
        self.assertEqual(response.headers['Referrer-Policy'], 'no-referrer')
        self.assertEqual(response.headers['Cache-Control'], 'no-store')
        self.assertEqual(self.get_payments(invoice).ids, [])
        self.refuse_bookings(False)
        self.deliver()
        self.run_queue()
        payment = self.assert_booked(invoice, 100)
        self.open_done(path, 'done')
        self.assertEqual(self.get_payments(invoice), payment)

    @mute_logger(CONTROLLER)
    def test_way_back_from_the_form_where_accounting_refuses(self):
        invoice = self.create_invoice(100)
        session = self.open_form(invoice)
        self.stripe.pay(session['id'])
        self.refuse_bookings()
        response = self.url_open(self.get_done_path(session))
        self.assertEqual(response.status_code, 200)
        self.assertTrue(response.url.endswith('/payment/status'), response.url)
        self.refuse_bookings(False)
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, 100)

    @mute_logger(CONTROLLER)
    def test_next_visit_where_accounting_refuses_what_was_just_paid(self):
        invoice = self.create_invoice(100)
        self.pay(invoice)
        self.pay_otherwise(invoice, 30)  # The session asks for too much now.
        self.refuse_bookings()
        response = self.url_open(self.get_path(invoice))
        self.assertEqual(response.status_code, 200)
        self.get_page(response, 'unavailable')
        self.assertEqual(len(self.get_sessions()), 1, "Nothing else can be paid")
        self.refuse_bookings(False)
        self.deliver()
        self.run_queue()
        self.assertEqual(invoice.payment_state, 'paid')

    @mute_logger(CONTROLLER)
    def test_look_at_a_debit_after_disconnecting(self):
        session = self.start_debit(self.create_invoice(100))
        self.disconnect(now=True)
        self.env.cr.postcommit.run()
        response, _page = self.open_done(self.get_done_path(session), 'uncertain')
        self.assertEqual(response.headers['Referrer-Policy'], 'no-referrer')

    # === STRANGERS === #

    @mute_logger(CONTROLLER)
    def test_a_payment_without_a_session_is_found_by_nobody(self):
        """Catches an empty id that is taken for that of what never came to have one."""
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.stripe.faults.next(3, 'reset')
        self.open_done(path, 'unavailable')
        self.assertFalse(invoice.transaction_ids.stripe_checkout_session_id)
        self.stripe.calls.clear()
        for session_id in ('', '%00', '%C3%A4'):
            for page in ('done', 'receipt'):
                response = self.url_open(f'{path}/{page}?session_id={session_id}')
                self.assertEqual(response.status_code, 404, page)
            response = self.url_open(
                f'/payment/stripe_checkout/return?session_id={session_id}', allow_redirects=False
            )
            self.assertEqual(response.headers['Location'], '/payment/status')
        self.assertEqual(len(self.stripe.calls), 0)

    def test_nothing_for_whoever_guesses(self):
        invoice, other = self.create_invoice(100), self.create_invoice(77)
        path, other_path = self.pay(invoice), self.pay(other)
        self.open_done(path, 'done')
        base, _separator, session_id = path.partition('?session_id=')
        other_base = other_path.partition('?')[0]
        token = base.split('/')[2]
        changed = base.replace(token, token[:-1] + ('a' if token[-1] != 'a' else 'b'))
        for address in (
            base,
            f'{base}?session_id=',
            f'{base}?session_id=cs_test_guess',
            f'{other_base}?session_id={session_id}',
            f'{changed}?session_id={session_id}',
            f'{base.replace("/done", "/receipt")}?session_id=cs_test_guess',
            f'{other_base.replace("/done", "/receipt")}?session_id={session_id}',
        ):
            response = self.url_open(address)
            self.assertEqual(response.status_code, 404, address)
            self.get_page(response, 'unknown')
            self.assertNotIn(invoice.name, response.text)
