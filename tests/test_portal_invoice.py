from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged

from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestPortalInvoice(PortalCommon):
    """The page of an invoice: one button straight to Stripe, or one line that says why not."""

    def open_invoice(self, invoice):
        return self.open_page(invoice.get_portal_url())

    def read_reason(self, invoice):
        """Return why an invoice cannot be paid; check that there is no button then."""
        page = self.open_invoice(invoice)
        self.assertEqual(page.xpath("//*[@name='o_stripe_checkout_pay']"), [])
        self.assertEqual(page.xpath("//a[@data-bs-target='#pay_with']"), [])
        [reason] = self.read_texts(page.xpath("//p[@name='o_stripe_checkout_reason']"))
        return reason

    def get_form(self, invoice):
        [form] = self.open_invoice(invoice).xpath("//form[@name='o_stripe_checkout_choose']")
        return form

    def allow_partial(self, minimum=10):
        self.provider.with_user(self.billing_admin).write({
            'stripe_checkout_allow_partial': True,
            'stripe_checkout_minimum_amount': minimum,
        })

    def create_in_installments(self):
        term = self.env['account.payment.term'].create({
            'name': "30 % soon, the rest later",
            'line_ids': [
                (0, 0, {'value': 'percent', 'value_amount': 30, 'nb_days': 10}),
                (0, 0, {'value': 'percent', 'value_amount': 70, 'nb_days': 40}),
            ],
        })
        return self.create_invoice(100, invoice_payment_term_id=term.id)

    def pay_and_settle(self, session):
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()

    # === BUTTON, OR WHY NOT === #

    def test_a_retired_session_is_no_cancelled_payment(self):
        invoice = self.create_invoice(100)
        self.open_link(invoice)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({})._create_payments()
        self.run_queue()
        self.assertEqual(invoice.transaction_ids.state, 'cancel')
        page = self.open_invoice(invoice)
        self.assertEqual(page.xpath("//*[contains(@class, 'o_account_payment_tx_status')]"), [])
        self.assertNotIn("cancelled", page.text_content())

    def test_one_button_straight_to_stripe(self):
        page = self.open_invoice(self.create_invoice(100))
        [button] = page.xpath("//*[@name='o_stripe_checkout_pay']")
        self.assertEqual(page.xpath("//p[@name='o_stripe_checkout_reason']"), [])
        session = self.get_session(self.url_open(button.get('href')).url)
        self.assertEqual(session['amount_total'], 10000)
        self.assertEqual(len(self.stripe.calls), 1)

    def test_lines_and_totals_as_odoo_shows_them(self):
        self.company.link_qr_code = True  # What the addon writes on the document.
        invoice = self.create_invoice(123.45)
        document = self.open_page(invoice.get_portal_url(report_type='html'))
        text = ' '.join(document.text_content().split())
        for fact in (invoice.name, "Managed services", "$ 123.45"):
            self.assertIn(fact, text)

    def test_paid(self):
        invoice = self.create_invoice(100)
        self.pay_otherwise(invoice)
        self.assertIn("is paid", self.read_reason(invoice))

    def test_covered_by_credit(self):
        reversed_invoice = self.create_invoice(100)
        reversed_invoice._reverse_moves(cancel=True)
        self.assertIn("covered by a credit note", self.read_reason(reversed_invoice))

        mixed = self.create_invoice(100)
        self.pay_otherwise(mixed, 60)
        credit_note = self.create_invoice(40, move_type='out_refund')
        lines = (mixed + credit_note).line_ids
        lines.filtered(
            lambda line: line.display_type == 'payment_term' and not line.reconciled
        ).reconcile()
        self.assertIn("credit and payments", self.read_reason(mixed))

    def test_zero(self):
        invoice = self.create_invoice(0)
        self.assertIn("zero", self.read_reason(invoice))
        page = self.get_page(self.url_open(invoice.stripe_payment_link_ids._get_path()), 'zero')
        self.assertIn("There is nothing to pay", page.text_content())

    def test_refunded(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        session = self.open_link(invoice)
        self.pay_and_settle(session)
        self.assertIn("is paid", self.read_reason(invoice))
        self.stripe.refund(session['id'])
        self.deliver()
        self.run_queue()
        self.assertIn("refunded", self.read_reason(invoice))
        page = self.open_invoice(invoice)
        self.assertEqual(page.xpath("//div[@data-state]/@data-state"), ['refunded'])
        page = self.get_page(self.url_open(path), 'refunded')
        self.assertTrue(page.xpath("//a[@name='o_stripe_checkout_receipt']"))

    def test_blocked_by_staff(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        invoice.action_toggle_block_payment()
        self.assertIn("on hold", self.read_reason(invoice))
        page = self.get_page(self.url_open(path), 'blocked')
        self.assertIn("on hold", page.text_content())
        self.assertEqual(page.xpath("//*[@name='o_stripe_checkout_again']"), [])

    def test_under_debit(self):
        today = fields.Date.today()
        invoice = self.create_invoice(
            100,
            invoice_date=today - timedelta(days=40),
            invoice_date_due=today - timedelta(days=10),
            invoice_payment_term_id=False,
        )
        days_left = "//span[contains(@class, 'o_portal_sidebar_timeago')]"
        self.assertTrue(self.open_invoice(invoice).xpath(days_left))
        self.start_debit(invoice)
        reason = self.read_reason(invoice)
        self.assertIn("$ 100.00 is on its way", reason)
        self.assertFalse(self.open_invoice(invoice).xpath(days_left), "It is no longer waited for")
        self.assertNotIn("waiting for approval", self.url_open(invoice.get_portal_url()).text)

    def test_under_a_debit_of_several(self):
        invoices = [self.create_invoice(100), self.create_invoice(50)]
        session = self.get_session(self.pay_ticked(*invoices).url)
        self.stripe.pay(session['id'], method='us_bank_account')
        self.deliver()
        self.run_queue()
        self.assertIn("$ 50.00 is on its way", self.read_reason(invoices[1]))

    def test_draft_and_cancelled(self):
        invoice = self.create_invoice(100)
        url = invoice.get_portal_url()
        reason = "//p[@name='o_stripe_checkout_reason']"
        days_left = "//span[contains(@class, 'o_portal_sidebar_timeago')]"
        self.assertTrue(self.open_page(url).xpath(days_left))
        invoice.button_draft()
        page = self.open_page(url)
        self.assertIn("not final", self.read_texts(page.xpath(reason))[0])
        self.assertFalse(page.xpath(days_left), "It is not to be paid yet")
        invoice.button_cancel()
        page = self.open_page(url)
        self.assertIn("cancelled", self.read_texts(page.xpath(reason))[0])
        self.assertFalse(page.xpath(days_left), "It is never to be paid")

    def test_too_small_or_not_connected(self):
        self.assertIn("cannot be paid online", self.read_reason(self.create_invoice(0.2)))
        self.provider.state = 'disabled'
        self.assertIn("cannot be paid online", self.read_reason(self.create_invoice(100)))

    def test_credit_note_has_neither(self):
        page = self.open_invoice(self.create_invoice(100, move_type='out_refund'))
        self.assertEqual(page.xpath("//*[@name='o_stripe_checkout_pay']"), [])
        self.assertEqual(page.xpath("//p[@name='o_stripe_checkout_reason']"), [])

    # === WHICH AMOUNT === #

    def test_no_choice_unless_the_company_allows_it(self):
        page = self.open_invoice(self.create_invoice(100))
        self.assertEqual(page.xpath("//form[@name='o_stripe_checkout_choose']"), [])

    def test_all_is_chosen_at_first(self):
        self.allow_partial()
        session = self.get_session(self.submit(self.get_form(self.create_invoice(100))).url)
        self.assertEqual(session['amount_total'], 10000)

    def test_next_installment(self):
        invoice = self.create_in_installments()
        form = self.get_form(invoice)
        session = self.get_session(self.submit(form, choice='next').url)
        self.assertEqual(session['amount_total'], 3000)
        self.pay_and_settle(session)
        self.assert_booked(invoice, 30, 'partial')
        first, second = invoice.line_ids.filtered(
            lambda line: line.display_type == 'payment_term'
        ).sorted('date_maturity')
        self.assertTrue(first.reconciled)
        self.assertEqual(second.amount_residual, 70)

    def test_overdue_installments(self):
        invoice = self.create_in_installments()
        invoice.button_draft()
        invoice.invoice_date = fields.Date.today() - timedelta(days=20)
        invoice.action_post()
        form = self.get_form(invoice)
        self.assertIn("Overdue", form.text_content())
        self.assertEqual(
            self.get_session(self.submit(form, choice='next').url)['amount_total'], 3000
        )

    def test_an_amount_of_their_own(self):
        self.allow_partial()
        invoice = self.create_invoice(100)
        session = self.get_session(
            self.submit(self.get_form(invoice), choice='own', amount='33.33').url
        )
        self.assertEqual(session['amount_total'], 3333)
        transaction = invoice.transaction_ids
        self.assertEqual(transaction.stripe_checkout_promise['invoices'], [[invoice.id, 3333]])
        self.pay_and_settle(session)
        self.assert_booked(invoice, 33.33, 'partial')
        self.assertAlmostEqual(invoice.amount_residual, 66.67)

    def test_a_part_is_asked_for_once(self):
        self.allow_partial()
        invoice = self.create_invoice(100)
        response = self.submit(
            self.get_form(invoice), choice='own', amount='40', allow_redirects=False
        )
        path = response.headers['Location'].removeprefix(self.base_url())
        self.pay_and_settle(self.get_session(self.url_open(path).url))
        page = self.get_page(self.url_open(path), 'payable')
        self.assertTrue(page.xpath("//p[@name='o_stripe_checkout_part_paid']"))
        [rest] = page.xpath("//form[@name='o_stripe_checkout_form']")
        self.assertEqual(self.get_session(self.submit(rest).url)['amount_total'], 6000)
        again = self.submit(self.get_form(invoice), choice='own', amount='40')
        self.assertEqual(self.get_session(again.url)['amount_total'], 4000)

    def test_a_repeat_calls_nobody_and_another_amount_retires_the_session(self):
        self.allow_partial()
        invoice = self.create_invoice(100)
        form = self.get_form(invoice)
        first = self.get_session(self.submit(form, choice='own', amount='40').url)
        again = self.get_session(self.submit(form, choice='own', amount='40').url)
        self.assertEqual(first, again)
        self.assertEqual(len(self.stripe.calls), 1)
        other = self.get_session(self.submit(form, choice='own', amount='50').url)
        everything = self.open_link(invoice)
        open_sessions = [s['id'] for s in self.get_sessions() if s['status'] == 'open']
        self.assertEqual(open_sessions, [everything['id']])
        self.assertEqual((other['amount_total'], everything['amount_total']), (5000, 10000))

    def test_the_mailed_link_asks_for_all(self):
        self.allow_partial()
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.submit(self.get_form(invoice), choice='own', amount='40')
        invoice.invalidate_recordset()
        self.assertEqual(self.get_path(invoice), path)

    def test_amounts_that_are_refused(self):
        self.allow_partial(minimum=20)
        invoice = self.create_invoice(100)
        form = self.get_form(invoice)
        for amount in ('19.99', '100.01', '-5', '0', '', 'nan', 'inf', '1e300', '1e308', '-1e308',
                       '1e400', '33.333', 'x', '99.80'):  # fmt: skip
            response = self.submit(form, choice='own', amount=amount)
            self.assertNotIn(self.stripe.url, response.url, amount)
            self.assertIn("This amount cannot be paid", response.text)
        for choice in ('next', 'other', ''):
            self.assertNotIn(self.stripe.url, self.submit(form, choice=choice, amount='50').url)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_an_amount_is_refused_where_the_company_does_not_allow_it(self):
        invoice = self.create_invoice(100)
        self.allow_partial()
        form = self.get_form(invoice)
        self.provider.stripe_checkout_allow_partial = False
        response = self.submit(form, choice='own', amount='40')
        self.assertIn('/my/invoices/', response.url)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_minimum_in_the_currency_of_the_invoice(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        self.allow_partial(minimum=10)
        form = self.get_form(self.create_invoice(100, currency_id=euro.id))
        self.assertEqual(form.xpath(".//input[@name='amount']/@min"), ['20.0'])

    def test_minimum_that_stripe_takes_exactly(self):
        """Catches clients who may choose no amount, because the smallest has fils of a dinar."""
        dinar = self.setup_other_currency('KWD', rates=[('2020-01-01', 0.3067)], rounding=0.001)
        self.allow_partial(minimum=10)
        form = self.get_form(self.create_invoice(100, currency_id=dinar.id))
        self.assertEqual(form.xpath(".//input[@name='amount']/@min"), ['3.07'])
        session = self.get_session(self.submit(form, choice='own', amount='3.07').url)
        self.assertEqual(session['amount_total'], 3070)

    def test_stranger_with_the_portal_link_chooses_too(self):
        self.allow_partial()
        invoice = self.create_invoice(100)
        self.authenticate(None, None)
        session = self.get_session(
            self.submit(self.get_form(invoice), choice='own', amount='40').url
        )
        self.assertEqual(session['amount_total'], 4000)

    def test_changed_token_chooses_nothing(self):
        self.allow_partial()
        invoice = self.create_invoice(100)
        self.authenticate('portal_other', 'portal_other')
        form = self.get_form(invoice)  # By the portal link of client A.
        response = self.submit(form, choice='own', amount='40', access_token='changed')
        self.assertNotIn(self.stripe.url, response.url)
        self.assertEqual(len(self.stripe.calls), 0)

    # === DISCOUNT === #

    def test_early_payment_discount_while_it_lasts(self):
        term = self.create_discount_term()
        invoice = self.create_invoice(100, invoice_payment_term_id=term.id)
        discount = "//small[@name='o_stripe_checkout_discount']"
        page = self.open_invoice(invoice)
        [text] = self.read_texts(page.xpath(discount))
        self.assertIn("You pay $ 98.00: your discount of $ 2.00", text)
        [button] = page.xpath("//a[@name='o_stripe_checkout_pay']/@href")
        self.assertEqual(self.get_session(self.url_open(button).url)['amount_total'], 9800)
        self.allow_partial()
        form = self.get_form(invoice)
        [beside] = form.xpath(f".//div[input[@value='all']]{discount}")
        self.assertIn("You pay $ 98.00", self.read_texts([beside])[0])
        self.assertEqual(len(self.open_invoice(invoice).xpath(discount)), 1)
        for amount in ('98.01', '99'):
            self.assertIn("This amount cannot", self.submit(form, choice='own', amount=amount).text)
        everything = self.submit(form, choice='own', amount='98')
        self.assertEqual(self.get_session(everything.url)['amount_total'], 9800)
        overview = self.open_page('/my/billing')
        [form] = overview.xpath("//form[@name='o_stripe_checkout_pay_group']")
        self.assertIn("$ 98.00", self.read_texts([form])[0])
        with freeze_time(fields.Date.today() + timedelta(days=11)):
            self.assertEqual(self.open_invoice(invoice).xpath(discount), [])

    # === CREDIT === #

    def test_client_and_staff_see_credit_and_staff_apply_it(self):
        invoice = self.create_invoice(100)
        payment = self.give_credit(30)
        [credit] = self.read_texts(
            self.open_invoice(invoice).xpath("//p[@name='o_stripe_checkout_credit']")
        )
        self.assertIn("$ 30.00", credit)
        as_staff = invoice.with_user(self.billing_admin)
        self.assertTrue(as_staff.invoice_has_outstanding)
        [offer] = as_staff.invoice_outstanding_credits_debits_widget['content']
        as_staff.js_assign_outstanding_line(offer['id'])  # One click on "Add".
        self.assertEqual(invoice.amount_residual, 70)
        self.assertTrue(
            payment.move_id.line_ids.filtered(
                lambda line: line.account_id.account_type == 'asset_receivable'
            ).reconciled
        )
        page = self.open_invoice(invoice)
        self.assertEqual(page.xpath("//p[@name='o_stripe_checkout_credit']"), [])
        [button] = page.xpath("//a[@name='o_stripe_checkout_pay']/@href")
        self.assertEqual(self.get_session(self.url_open(button).url)['amount_total'], 7000)

    def test_credit_is_shown_to_the_client_alone(self):
        invoice = self.create_invoice(100)
        self.give_credit(30)
        for login in (None, 'portal_other'):
            self.authenticate(login, login)
            page = self.open_invoice(invoice)
            self.assertEqual(page.xpath("//p[@name='o_stripe_checkout_credit']"), [])
