from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestPortalList(PortalCommon):
    """The list says of each invoice what is true, and lets the client pay in one go."""

    def get_row(self, invoice, query=''):
        page = self.open_page(f'/my/invoices{query}')
        [row] = page.xpath(f"//tr[td/a[normalize-space() = '{invoice.name}']]")
        return row

    def read_badges(self, invoice):
        [cell] = self.get_row(invoice).xpath("./td[@name='invoice_status']")
        return cell.xpath(".//span[contains(@class, 'badge')]/@data-state")

    def create_overdue(self, amount=100):
        day = fields.Date.today() - timedelta(days=10)
        return self.create_invoice(
            amount, invoice_date=day, invoice_date_due=day, invoice_payment_term_id=False
        )

    def get_names(self, query):
        page = self.open_page(f'/my/invoices?{query}')
        return self.read_texts(page.xpath("//tr/td/a[starts-with(@href, '/my/invoices/')][@title]"))

    # === BADGES === #

    def test_open_and_overdue(self):
        self.assertEqual(self.read_badges(self.create_invoice(100)), ['open'])
        self.assertEqual(self.read_badges(self.create_overdue()), ['overdue'])

    def test_paid_and_partially_paid(self):
        invoice = self.create_invoice(100)
        self.pay_otherwise(invoice, 40)
        self.assertEqual(self.read_badges(invoice), ['partial'])
        self.pay_otherwise(invoice)
        self.assertEqual(self.read_badges(invoice), ['paid'])
        late = self.create_overdue()
        self.pay_otherwise(late, 40)
        self.assertEqual(self.read_badges(late), ['partial', 'overdue'])

    def test_processing_while_the_bank_works(self):
        invoice = self.create_overdue()
        session = self.start_debit(invoice)
        self.assertEqual(self.read_badges(invoice), ['processing'])
        self.stripe.fail_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(self.read_badges(invoice), ['overdue'])

    def test_refunded(self):
        invoice = self.create_invoice(100)
        invoice._reverse_moves(cancel=True)
        self.assertEqual(self.read_badges(invoice), ['refunded'])

    def test_refunded_through_stripe(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(self.read_badges(invoice), ['paid'])
        transaction = invoice.transaction_ids
        transaction._create_child_transaction(40, is_refund=True)._set_done()
        self.assertEqual(self.read_badges(invoice), ['paid'], "Only a part went back")
        transaction._create_child_transaction(60, is_refund=True)._set_done()
        self.assertEqual(self.read_badges(invoice), ['refunded'])

    def test_blocked_by_staff(self):
        invoice = self.create_overdue()
        invoice.action_toggle_block_payment()
        self.assertEqual(self.read_badges(invoice), ['disputed'])
        self.assertEqual(self.get_names('filterby=invoices_open'), [invoice.name])
        self.assertEqual(self.get_names('filterby=invoices_paid'), [])
        self.assertEqual(self.get_row(invoice).xpath(".//a[@name='o_stripe_checkout_pay']"), [])

    def test_credit_note(self):
        credit_note = self.create_invoice(100, move_type='out_refund')
        self.assertEqual(self.read_badges(credit_note), ['credit'])

    def test_drafts_are_nowhere(self):
        draft = self.create_invoice(100, post=False)
        draft.name = 'INV/DRAFT/0001'
        self.assertNotIn('INV/DRAFT/0001', self.url_open('/my/invoices').text)

    # === FINDING === #

    def test_filters(self):
        invoice = self.create_invoice(100)
        paid = self.create_invoice(50)
        self.pay_otherwise(paid)
        refunded = self.create_invoice(20)
        refunded._reverse_moves(cancel=True)
        self.assertEqual(self.get_names('filterby=invoices_open'), [invoice.name])
        self.assertEqual(self.get_names('filterby=invoices_paid'), [paid.name])
        names = self.get_names('filterby=all')
        self.assertLessEqual({invoice.name, paid.name, refunded.name}, set(names))

    def test_overdue_filter_finds_what_has_the_badge(self):
        """Odoo's own finds neither what is made out to the company nor an early installment."""
        term = self.env['account.payment.term'].create({
            'name': "Half now, half later",
            'line_ids': [
                (0, 0, {'value': 'percent', 'value_amount': 50, 'nb_days': 1}),
                (0, 0, {'value': 'percent', 'value_amount': 50, 'nb_days': 80}),
            ],
        })
        day = fields.Date.today() - timedelta(days=10)
        halves = self.create_invoice(100, invoice_date=day, invoice_payment_term_id=term.id)
        late = self.create_overdue()
        debited = self.create_overdue()
        self.start_debit(debited)
        blocked = self.create_overdue()
        blocked.action_toggle_block_payment()
        self.create_invoice(10)
        self.assertCountEqual(self.get_names('filterby=overdue_invoices'), [late.name, halves.name])
        self.authenticate('portal_other', 'portal_other')
        self.assertEqual(self.get_names('filterby=overdue_invoices'), [])

    def test_sorting(self):
        invoices = [self.create_invoice(10), self.create_overdue(), self.create_invoice(30)]
        names = sorted((invoice.name for invoice in invoices), reverse=True)
        self.assertEqual(self.get_names('sortby=name'), names)
        self.assertEqual(self.get_names('sortby=duedate')[-1], invoices[1].name)

    # === PAYING === #

    def test_pay_on_each_payable_row(self):
        invoice = self.create_invoice(100)
        paid = self.create_invoice(50)
        self.pay_otherwise(paid)
        [href] = self.get_row(invoice).xpath(".//a[@name='o_stripe_checkout_pay']/@href")
        self.assertEqual(self.get_row(paid).xpath(".//a[@name='o_stripe_checkout_pay']"), [])
        self.assertEqual(self.get_row(paid).xpath(".//input[@name='invoice_ids']"), [])
        session = self.get_session(self.url_open(href).url)
        self.assertEqual(session['amount_total'], 10000)
        self.assertEqual(len(self.stripe.calls), 1)
        self.url_open(href)
        self.assertEqual(len(self.stripe.calls), 1)

    def test_ticks_have_labels(self):
        invoice = self.create_invoice(100)
        [tick] = self.get_row(invoice).xpath(".//input[@name='invoice_ids']")
        self.assertIn(invoice.name, tick.get('aria-label'))

    def test_no_ticks_where_nothing_can_be_paid(self):
        self.provider.state = 'disabled'
        invoice = self.create_invoice(100)
        row = self.get_row(invoice)
        self.assertEqual(row.xpath(".//input"), [])
        self.assertNotIn('o_stripe_checkout_pay_ticked', self.url_open('/my/invoices').text)

    # === MANY === #

    def test_queries_do_not_grow_from_5_to_80_rows(self):
        def count(number):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            page = self.open_page('/my/invoices')
            self.assertEqual(len(page.xpath("//a[@name='o_stripe_checkout_pay']")), number)
            return self.cr.sql_log_count - before

        for _number in range(5):
            self.create_overdue()
        count(5)  # Warms the caches, and gives the invoices their tokens.
        few = count(5)
        for number in range(75):
            invoice = self.create_overdue() if number % 2 else self.create_invoice(10)
            if number % 25 == 0:
                self.pay_otherwise(invoice, 5)
        first = count(80)
        self.assertLessEqual(count(80), few)
        self.assertLessEqual(first, few + 10, "Making the tokens of new invoices")
