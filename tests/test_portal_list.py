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

    def create_overdue(self, amount=100, **values):
        day = fields.Date.today() - timedelta(days=10)
        return self.create_invoice(
            amount, invoice_date=day, invoice_date_due=day, invoice_payment_term_id=False, **values
        )

    def create_in_halves(self):
        """Create an invoice of which the first half is overdue."""
        terms = self.env['account.payment.term']
        name = "Half now, half later"
        term = terms.search([('name', '=', name)]) or terms.create({
            'name': name,
            'line_ids': [
                (0, 0, {'value': 'percent', 'value_amount': 50, 'nb_days': 1}),
                (0, 0, {'value': 'percent', 'value_amount': 50, 'nb_days': 80}),
            ],
        })
        day = fields.Date.today() - timedelta(days=10)
        return self.create_invoice(100, invoice_date=day, invoice_payment_term_id=term.id)

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

    def pay_online(self, *invoices):
        """Pay invoices at Stripe, each by its link; return the sessions."""
        sessions = [self.open_link(invoice) for invoice in invoices]
        for session in sessions:
            self.stripe.pay(session['id'])
        self.process()
        return sessions

    def process(self):
        self.deliver()
        self.run_queue()

    def read_badges_of_page(self, invoice):
        page = self.open_page(invoice.get_portal_url())
        return page.xpath("//div[contains(@class, 'badge')]/@data-state")

    def test_refunded_through_stripe(self):
        invoice = self.create_invoice(100)
        [session] = self.pay_online(invoice)
        self.assertEqual(self.read_badges(invoice), ['paid'])
        self.stripe.refund(session['id'], 4000)
        self.process()
        self.assertEqual(self.read_badges(invoice), ['paid'], "Only a part went back")
        self.stripe.refund(session['id'])
        self.process()
        self.assertEqual(self.read_badges(invoice), ['refunded'])
        self.assertEqual(self.read_badges_of_page(invoice), ['refunded'])

    def test_refund_of_a_part_is_no_refunded_invoice(self):
        """Half by wire, half at Stripe: what came by wire is still paid."""
        invoice = self.create_invoice(100)
        self.pay_otherwise(invoice, 50)
        [session] = self.pay_online(invoice)
        self.stripe.refund(session['id'])
        self.process()
        self.assertEqual(self.read_badges(invoice), ['paid'])
        self.assertEqual(self.read_badges_of_page(invoice), ['paid'])

    def test_refunded_where_a_credit_note_covers_the_rest(self):
        invoice = self.create_invoice(100)
        credit_note = self.create_invoice(30, move_type='out_refund')
        (invoice + credit_note).line_ids.filtered(
            lambda line: line.display_type == 'payment_term'
        ).reconcile()
        [session] = self.pay_online(invoice)
        self.assertEqual(session['amount_total'], 7000)
        self.assertEqual(self.read_badges(invoice), ['paid'])
        self.stripe.refund(session['id'])
        self.process()
        self.assertEqual(self.read_badges(invoice), ['refunded'])

    def test_refunded_once_staff_had_applied_it_to_another_invoice(self):
        """Catches an invoice that is shown as paid because its payment was for another one."""
        former, invoice = self.create_invoice(100), self.create_invoice(100)
        session = self.open_link(former)
        self.pay_otherwise(former)
        self.stripe.pay(session['id'])
        self.process()
        payment = former.transaction_ids.payment_id
        self.assertEqual(payment.stripe_checkout_credit, 100)
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertEqual(self.read_badges(invoice), ['paid'])
        self.stripe.refund(session['id'])
        self.process()
        self.assertEqual(self.read_badges(invoice), ['refunded'])
        self.assertEqual(self.read_badges_of_page(invoice), ['refunded'])
        self.assertEqual(self.read_badges(former), ['paid'])

    def test_disputed_at_stripe(self):
        invoice = self.create_overdue()
        [session] = self.pay_online(invoice)
        dispute = self.stripe.dispute(session['id'])
        self.process()
        self.assertEqual(self.read_badges(invoice), ['disputed', 'paid'])
        self.assertEqual(self.read_badges_of_page(invoice), ['disputed', 'paid'])
        self.stripe.lose_dispute(dispute['id'])
        self.process()
        self.assertEqual(self.read_badges(invoice), ['overdue'])
        self.assertEqual(self.read_badges_of_page(invoice), ['overdue'])

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
        halves = self.create_in_halves()
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

    def test_queries_do_not_grow_where_online_payment_is_off(self):
        def count():
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            self.open_page('/my/invoices')
            return self.cr.sql_log_count - before

        self.provider.state = 'disabled'
        for number in range(2):
            self.create_invoice(10 + number)
        count()  # Warms the caches, and gives the invoices their tokens.
        few = count()
        for number in range(10):
            self.create_invoice(20 + number)
        count()
        self.assertLessEqual(count(), few)

    def create_of_every_kind(self):
        """Create one invoice of each kind that a row of the list can show."""
        colleague = self.env['res.partner'].create({
            'name': "Colleague",
            'parent_id': self.client.id,
        })
        paid, refunded, disputed, debited = (self.create_invoice(100) for _kind in range(4))
        sessions = self.pay_online(paid, refunded, disputed)
        self.stripe.refund(sessions[1]['id'])
        self.stripe.dispute(sessions[2]['id'])
        self.start_debit(debited)
        part = self.create_overdue()
        self.pay_otherwise(part, 40)
        self.create_overdue().action_toggle_block_payment()
        self.create_overdue(partner_id=colleague.id)
        self.create_in_halves()
        self.create_invoice(30, move_type='out_refund')

    def test_queries_do_not_grow_with_rows_of_every_kind(self):
        def count(path):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            page = self.open_page(path)
            states = set(page.xpath("//td//span[contains(@class, 'badge')]/@data-state"))
            if path == '/my/invoices':
                self.assertLessEqual(
                    {'paid', 'refunded', 'disputed', 'processing', 'partial', 'overdue', 'credit'},
                    states,
                )
            return self.cr.sql_log_count - before

        paths = ('/my/invoices', '/my/billing')
        self.create_of_every_kind()
        for path in paths:
            count(path)  # Warms the caches, and gives the invoices their tokens.
        few = {path: count(path) for path in paths}
        for _set in range(3):
            self.create_of_every_kind()
        # The overview comes first: who looks at it gives the debited invoices their tokens.
        self.assertLessEqual(count('/my/billing'), few['/my/billing'] + 4, "Making the tokens")
        for path in paths:
            count(path)
            self.assertLessEqual(count(path), few[path], path)

    def test_transactions_are_read_in_one_go(self):
        for _set in range(2):
            self.create_of_every_kind()
        self.open_page('/my/invoices')  # Gives the invoices their tokens.
        self.env.flush_all()
        self.env.invalidate_all()
        with self.assertLogs('odoo.sql_db', 'DEBUG') as log:
            self.open_page('/my/invoices')
        # Were they read one after the other, the number of queries would depend on their ids.
        reads = [line for line in log.output if '"payment_transaction"."state_message"' in line]
        self.assertEqual(len(reads), 1, reads)
