from datetime import timedelta

from lxml import html

from odoo import fields
from odoo.tests import JsonRpcException, tagged

from .. import const
from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestBillingOverview(PortalCommon):
    """What the company of the client owes and has paid, and nothing of anybody else's."""

    def setUp(self):
        super().setUp()
        today = fields.Date.today()
        self.earlier = today - timedelta(days=40)
        self.late = today - timedelta(days=10)
        self.soon = today + timedelta(days=5)

    def create_due(self, amount, day, **values):
        return self.create_invoice(
            amount, invoice_date=self.earlier, invoice_date_due=day,
            invoice_payment_term_id=False, **values
        )  # fmt: skip

    def create_in_halves(self, amount=100, days=1):
        """Create an invoice of 40 days ago, of which half is due after some days, half later."""
        term = self.env['account.payment.term'].create({
            'name': "Half now, half later",
            'line_ids': [
                (0, 0, {'value': 'percent', 'value_amount': 50, 'nb_days': days}),
                (0, 0, {'value': 'percent', 'value_amount': 50, 'nb_days': 80}),
            ],
        })
        return self.create_invoice(
            amount, invoice_date=self.earlier, invoice_payment_term_id=term.id
        )

    def open_overview(self):
        return self.open_page('/my/billing').get_element_by_id('o_stripe_checkout_billing')

    def read_part(self, overview, name):
        return self.read_texts(overview.xpath(f".//*[@name='{name}']"))

    def read_buttons(self, overview):
        return self.read_texts(
            overview.xpath(".//form[@name='o_stripe_checkout_pay_group']//button")
        )

    # === FIGURES === #

    def test_what_is_owed_overdue_and_next_due(self):
        self.create_due(100, self.late)
        self.create_due(50, self.soon)
        self.create_due(20, self.soon + timedelta(days=1))
        overview = self.open_overview()
        self.assertEqual(self.read_part(overview, 'owed'), ["$ 170.00"])
        self.assertEqual(self.read_part(overview, 'overdue'), ["$ 100.00"])
        self.assertEqual(self.read_part(overview, 'next_due'), ["$ 50.00"])

    def test_each_installment_counts_on_its_day(self):
        self.create_in_halves()
        overview = self.open_overview()
        self.assertEqual(self.read_part(overview, 'owed'), ["$ 100.00"])
        self.assertEqual(self.read_part(overview, 'overdue'), ["$ 50.00"])
        self.assertEqual(self.read_part(overview, 'next_due'), ["$ 50.00"])

    def test_only_posted_invoices_and_what_is_left_of_them_counts(self):
        self.create_invoice(1000, post=False)
        cancelled = self.create_due(500, self.late)
        cancelled.button_draft()
        cancelled.button_cancel()
        part = self.create_due(100, self.late)
        self.pay_otherwise(part, 40)
        paid = self.create_due(70, self.late)
        self.pay_otherwise(paid)
        self.assertEqual(self.read_part(self.open_overview(), 'owed'), ["$ 60.00"])

    def test_blocked_by_staff_is_owed_but_not_overdue(self):
        self.create_due(100, self.late).action_toggle_block_payment()
        self.create_due(50, self.soon).action_toggle_block_payment()
        overview = self.open_overview()
        self.assertEqual(self.read_part(overview, 'owed'), ["$ 150.00"])
        self.assertEqual(self.read_part(overview, 'overdue'), ["$ 0.00"])
        self.assertEqual(self.read_part(overview, 'next_due'), [])

    def test_paid_otherwise_without_an_entry_is_not_owed(self):
        """As with Odoo's accounting app. Catches a balance that asks for what a check has paid."""
        moves = type(self.env['account.move'])
        self.patch(moves, '_get_invoice_in_payment_state', lambda _move: 'in_payment')
        journal = self.company_data['default_journal_bank']
        journal.inbound_payment_method_line_ids.payment_account_id = False
        self.create_due(50, self.late)
        paid = self.create_due(100, self.late)
        self.pay_otherwise(paid)
        self.assertRecordValues(paid, [{'payment_state': 'in_payment', 'amount_residual': 100}])
        overview = self.open_overview()
        self.assertEqual(self.read_part(overview, 'owed'), ["$ 50.00"])
        self.assertEqual(self.read_part(overview, 'overdue'), ["$ 50.00"])

    def test_currencies_are_not_added_up(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        self.create_due(100, self.late)
        self.create_due(30, self.late, currency_id=euro.id)
        overview = self.open_overview()
        self.assertCountEqual(self.read_part(overview, 'owed'), ["$ 100.00", "30.00 €"])
        self.assertEqual(len(self.read_buttons(overview)), 2)

    def test_nothing_is_owed(self):
        overview = self.open_overview()
        self.assertIn("Nothing is open", overview.text_content())
        self.assertEqual(self.read_buttons(overview), [])

    # === PAYING === #

    def test_one_button_pays_what_is_due(self):
        late = self.create_due(100, self.late) + self.create_due(20, self.late)
        self.create_due(50, self.soon)
        overview = self.open_overview()
        due, everything = overview.xpath(".//form[@name='o_stripe_checkout_pay_group']")
        self.assertEqual(
            self.read_texts([due, everything]),
            ["Pay what is due: $ 120.00 (invoices: 2)", "Pay everything: $ 170.00 (invoices: 3)"],
        )
        session = self.get_session(self.submit(due).url)
        self.assertEqual(session['amount_total'], 12000)
        self.assertEqual(session['metadata']['odoo_invoices'], ','.join(map(str, sorted(late.ids))))
        self.assertEqual(len(self.stripe.calls), 1)

    def test_only_the_installment_that_is_due_is_asked_for(self):
        for days in (1, 40):  # Overdue, due today.
            with self.subTest(days=days):
                invoice = self.create_in_halves(days=days)
                due, everything = self.open_overview().xpath(
                    ".//form[@name='o_stripe_checkout_pay_group']"
                )
                self.assertEqual(
                    self.read_texts([due, everything]),
                    [
                        f"Pay what is due: $ 50.00 ({invoice.name})",
                        f"Pay everything: $ 100.00 ({invoice.name})",
                    ],
                )
                self.assertEqual(self.get_session(self.submit(due).url)['amount_total'], 5000)
                session = self.get_session(self.submit(everything).url)
                self.assertEqual(session['amount_total'], 10000)
                self.pay_otherwise(invoice, 100)

    def test_a_button_that_asks_for_more_than_is_due_says_so(self):
        self.create_in_halves()
        self.create_due(20, self.late)
        self.assertEqual(
            self.read_buttons(self.open_overview()),
            ["Pay the invoices that are due: $ 120.00 (invoices: 2)"],
        )

    def test_a_group_is_offered_once(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        self.create_due(100, self.late)
        self.create_due(50, self.soon)
        self.create_due(30, self.late, currency_id=euro.id)
        self.assertEqual(len(self.read_buttons(self.open_overview())), 3)

    def test_nothing_is_due_yet_and_all_can_be_paid(self):
        self.create_due(50, self.soon)
        [form] = self.open_overview().xpath(".//form[@name='o_stripe_checkout_pay_group']")
        self.assertIn("Pay everything: $ 50.00", self.read_texts([form])[0])
        self.assertEqual(self.get_session(self.submit(form).url)['amount_total'], 5000)

    def test_everything_is_not_promised_where_one_payment_cannot_hold_it(self):
        for _number in range(const.MAXIMUM_LINES):
            self.create_due(10, self.soon)
        self.assertIn("Pay everything", self.read_buttons(self.open_overview())[0])
        self.create_due(10, self.soon + timedelta(days=1))
        [button] = self.read_buttons(self.open_overview())
        self.assertEqual(button, "Pay the oldest invoices: $ 1,000.00 (invoices: 100)")

    def test_what_no_button_asks_for_is_named(self):
        """Catches a client who pays "everything" and is reminded of an invoice all the same."""
        payable = self.create_due(100, self.late)
        debit, too_small = self.create_due(60, self.late), self.create_due(0.2, self.late)
        held = self.create_due(50, self.late) + self.create_due(40, self.soon)
        for invoice in held:
            invoice.action_toggle_block_payment()
        self.start_debit(debit)
        overview = self.open_overview()
        self.assertEqual(
            self.read_buttons(overview), [f"Pay what is due: $ 100.00 ({payable.name})"]
        )
        self.assert_left_out(
            overview,
            {
                "A payment is on its way": debit,
                "Cannot be paid here at the moment": too_small,
                "On hold while a question is settled": held,
            },
        )
        self.assertIn("are left out", self.read_part(overview, 'left_out')[0])
        [href] = overview.xpath(f".//a[text()='{held[0].name}']/@href")
        self.authenticate(None, None)
        [reason] = self.open_page(href).xpath("//*[@name='o_stripe_checkout_reason']")
        self.assertIn("on hold", reason.text_content())

    def test_everything_is_promised_only_where_nothing_is_left_out(self):
        self.create_due(100, self.soon)
        held = self.create_due(50, self.late)
        overview = self.open_overview()
        self.assertIn("Pay everything: $ 150.00", self.read_buttons(overview)[-1])
        self.assert_left_out(overview, {})
        held.action_toggle_block_payment()
        overview = self.open_overview()
        [button] = self.read_buttons(overview)
        self.assertIn("Pay all that can be paid now: $ 100.00", button)
        self.assert_left_out(overview, {"On hold while a question is settled": held})

    def assert_left_out(self, overview, expected):
        """Check which invoices are left out, by what is said of them."""
        lines = overview.xpath(".//*[@name='left_out']//li")
        self.assertEqual(
            {
                self.read_texts([line])[0].partition(':')[0]: line.xpath('.//a/text()')
                for line in lines
            },
            {why: invoices.mapped('name') for why, invoices in expected.items()},
        )

    def test_no_button_where_our_road_is_closed(self):
        invoices = self.create_due(100, self.late) + self.create_due(50, self.late)
        self.provider.state = 'disabled'
        overview = self.open_overview()
        self.assertEqual(self.read_buttons(overview), [])
        self.assert_left_out(overview, {"Cannot be paid here at the moment": invoices})
        self.assertNotIn("are left out", overview.text_content(), "No button leaves them out")

    def test_many_that_cannot_be_paid_are_counted(self):
        for _number in range(12):
            last = self.create_due(10, self.late)
        self.provider.state = 'disabled'
        [left_out] = self.read_part(self.open_overview(), 'left_out')
        self.assertIn("(invoices: 12)", left_out)
        self.assertNotIn(last.name, left_out)

    def test_odoos_page_of_overdue_invoices_gives_way(self):
        self.create_due(100, self.late, partner_id=self.portal_user.partner_id.id)
        for state in ('test', 'disabled'):
            self.provider.state = state
            response = self.url_open('/my/invoices/overdue')
            self.assertEqual(response.url, f'{self.base_url()}/my/billing', state)

    def test_odoos_page_of_overdue_invoices_leaves_out_what_is_on_its_way(self):
        """Catches a client who pays by another provider what a bank debit is paying."""
        debited, late = (
            self.create_due(amount, self.late, partner_id=self.portal_user.partner_id.id)
            for amount in (100, 30)
        )
        self.start_debit(debited)
        self.create_other_provider()
        self.provider.state = 'disabled'
        page = self.url_open('/my/invoices/overdue').text
        self.assertIn('30.00', page)
        self.assertNotIn('130.00', page)
        self.assertEqual(self.count(['overdue_invoice_count']), 1)
        self.pay_otherwise(late)
        self.assertFalse(self.count(['overdue_invoice_count']))
        with self.assertRaisesRegex(JsonRpcException, 'ValidationError'):
            self.make_jsonrpc_request(
                '/invoice/transaction/overdue', {'payment_reference': "Overdue"}
            )

    # === UNDER WAY, CREDIT, PAID === #

    def test_debits_under_way(self):
        invoice = self.create_due(100, self.late)
        self.start_debit(invoice)
        overview = self.open_overview()
        [debit] = self.read_part(overview, 'debits')
        self.assertIn(invoice.name, debit)
        self.assertIn("$ 100.00", debit)
        self.assertEqual(self.read_buttons(overview), [], "It is not paid twice")
        self.assertEqual(self.read_part(overview, 'owed'), ["$ 100.00"])
        self.assertEqual(self.read_part(overview, 'under_way'), ["$ 100.00 of it is on its way"])
        self.assertEqual(self.read_part(overview, 'overdue'), ["$ 0.00"], "As its badge says")
        late = self.create_due(20, self.late)
        overview = self.open_overview()
        self.assertEqual(self.read_part(overview, 'owed'), ["$ 120.00"])
        self.assertEqual(self.read_part(overview, 'under_way'), ["$ 100.00 of it is on its way"])
        self.assertEqual(self.read_part(overview, 'overdue'), ["$ 20.00"])
        self.pay_otherwise(late + invoice)
        self.assertEqual(self.read_part(self.open_overview(), 'owed'), [])

    def test_unapplied_credit(self):
        self.give_credit(30)
        self.create_invoice(12, move_type='out_refund')
        [credit] = self.read_part(self.open_overview(), 'credits')
        self.assertIn("$ 42.00", credit)

    def test_last_payments_with_receipts(self):
        invoice = self.create_due(100, self.late)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        done = session['success_url'].replace('{CHECKOUT_SESSION_ID}', session['id'])
        self.url_open(done.removeprefix(self.base_url()))
        overview = self.open_overview()
        [payments] = self.read_part(overview, 'payments')
        for text in ("$ 100.00", "Card", invoice.name):
            self.assertIn(text, payments)
        [href] = overview.xpath(".//a[@name='o_stripe_checkout_receipt']/@href")
        receipt = html.fromstring(self.url_open(href).content).text_content()
        self.assertIn("Payment Receipt", receipt)
        self.assertIn(invoice.name, receipt)

    def test_refunded_payments_say_so(self):
        invoice, other = self.create_due(100, self.late), self.create_due(50, self.late)
        for each in (invoice, other):
            self.stripe.pay(self.open_link(each)['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(self.read_part(self.open_overview(), 'refunded'), [])
        self.stripe.refund(invoice.transaction_ids.stripe_checkout_session_id, 4000)
        self.deliver()
        self.run_queue()
        self.assertEqual(self.read_part(self.open_overview(), 'refunded'), ["Refunded: $ 40.00"])

    # === SCOPE === #

    def test_invoices_of_all_contacts_of_the_company(self):
        colleague = self.env['res.partner'].create({
            'name': "Colleague",
            'parent_id': self.client.id,
        })
        self.create_due(100, self.late, partner_id=colleague.id)
        self.assertEqual(self.read_part(self.open_overview(), 'owed'), ["$ 100.00"])

    def test_client_b_sees_nothing_of_client_a(self):
        invoice = self.create_due(100, self.late)
        self.start_debit(self.create_due(60, self.late))
        payment = self.give_credit(30)
        self.authenticate('portal_other', 'portal_other')
        overview = self.open_overview()
        self.assertIn("Nothing is open", overview.text_content())
        for name in ('owed', 'debits', 'credits'):
            self.assertEqual(self.read_part(overview, name), [])
        response = self.url_open(f'/my/billing/receipt/{payment.id}')
        self.assertEqual(response.url, f'{self.base_url()}/my/billing')
        self.assertNotIn(payment.name, response.text)
        self.assertNotIn(invoice.name, response.text)

    def test_other_companies_stay_out(self):
        company = self.setup_other_company(name="Another company")['company']
        self.create_invoice(10, company_id=company.id)
        self.assertEqual(self.read_part(self.open_overview(), 'owed'), [])

    def test_strangers_have_to_log_in(self):
        payment = self.give_credit(30)
        self.authenticate(None, None)
        for path in ('/my/billing', f'/my/billing/receipt/{payment.id}'):
            self.assertIn('/web/login', self.url_open(path).url)

    def test_card_on_the_portal_home(self):
        [card] = self.open_page('/my').xpath("//a[@href='/my/billing']")
        self.assertIn("Billing", card.text_content())
        counters = ['stripe_checkout_billing_count']
        self.assertFalse(self.count(counters))
        self.create_due(100, self.late)
        self.assertTrue(self.count(counters))

    def count(self, counters):
        result = self.make_jsonrpc_request('/my/counters', {'counters': counters})
        return result[counters[0]]

    def test_queries_do_not_grow(self):
        def count():
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            self.open_overview()
            return self.cr.sql_log_count - before

        for _number in range(5):
            self.create_due(10, self.late)
        count()  # Warms the caches.
        few = count()
        for _number in range(25):
            self.create_due(10, self.late)
        self.assertLessEqual(count(), few)
