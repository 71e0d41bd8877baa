from lxml import html

from odoo.tests import tagged

from ..const import MAXIMUM_LINES
from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestSeveralInvoices(PortalCommon):
    """Several invoices in one payment: one session, a line for each, allocated on what is left."""

    def create_three(self):
        return [self.create_invoice(amount) for amount in (100, 50, 20)]

    def pay(self, session, **kwargs):
        """Pay at Stripe and let the webhook tell."""
        self.stripe.pay(session['id'], **kwargs)
        self.deliver()
        self.run_queue()

    def open_session_of(self, *invoices):
        response = self.pay_ticked(*invoices)
        return self.get_session(response.url)

    def get_payment(self, session):
        return self.env['account.payment'].search([
            ('stripe_checkout_session_id', '=', session['id'])
        ])

    def get_receivable(self, payment):
        return payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable'
        )

    def get_allocated(self, payment):
        """Return how much of a payment went to which invoice, from the journal items."""
        partials = self.get_receivable(payment).matched_debit_ids
        return {p.debit_move_id.move_id: p.debit_amount_currency for p in partials}

    def read_page(self, response):
        page = html.fromstring(response.content)
        return page.get_element_by_id('o_stripe_checkout_together')

    def get_open_sessions(self):
        return [session for session in self.get_sessions() if session['status'] == 'open']

    # === ONE PAYMENT === #

    def test_one_session_with_a_line_for_each(self):
        invoices = self.create_three()
        session = self.open_session_of(*invoices)
        [call] = self.stripe.calls.matching('POST', '/v1/checkout/sessions')
        lines = {
            line['price_data']['product_data']['name']: int(line['price_data']['unit_amount'])
            for line in call.params['line_items']
        }
        self.assertEqual(
            lines,
            {f'Invoice {i.name}': round(i.amount_residual * 100) for i in invoices},
        )
        self.assertEqual(session['amount_total'], 17000)
        self.assertEqual(len(self.stripe.calls), 1)

    def test_a_repeat_calls_nobody_and_makes_no_other_link(self):
        invoices = self.create_three()
        session = self.open_session_of(*invoices)
        links = self.env['stripe.payment.link'].search_count([])
        self.assertEqual(self.open_session_of(*reversed(invoices)), session)
        self.assertEqual(len(self.stripe.calls), 1)
        self.assertEqual(self.env['stripe.payment.link'].search_count([]), links)

    def test_what_is_captured_is_allocated_invoice_by_invoice(self):
        first, second, third = self.create_three()
        self.pay_otherwise(first, 30)
        session = self.open_session_of(first, second, third)
        self.assertEqual(session['amount_total'], 14000)
        self.pay(session)
        payment = self.get_payment(session)
        self.assertEqual(payment.amount, 140)
        self.assertEqual(self.get_allocated(payment), {first: 70, second: 50, third: 20})
        self.assertTrue(self.get_receivable(payment).reconciled)
        clearing = self.provider.journal_id.default_account_id
        self.assertRecordValues(
            payment.move_id.line_ids.sorted('balance'),
            [
                {
                    'account_id': self.get_receivable(payment).account_id.id,
                    'balance': -140.0,
                    'partner_id': self.client.id,
                },
                {'account_id': clearing.id, 'balance': 140.0, 'partner_id': self.client.id},
            ],
        )
        self.assertEqual({i.payment_state for i in (first, second, third)}, {'paid'})
        self.assertFalse(payment.activity_ids)

    def test_one_of_them_was_paid_otherwise_meanwhile(self):
        first, second, third = self.create_three()
        session = self.open_session_of(first, second, third)
        self.stripe.pay(session['id'])
        self.pay_otherwise(second)  # Staff did not know yet.
        self.deliver()
        self.run_queue()
        payment = self.get_payment(session)
        self.assertEqual(payment.amount, 170)
        self.assertEqual(self.get_allocated(payment), {first: 100, third: 20})
        self.assertEqual(self.get_receivable(payment).amount_residual, -50)
        [todo] = payment.activity_ids
        self.assertIn("50.00", todo.note)
        self.assertEqual({i.amount_residual for i in (first, second, third)}, {0.0})

    def test_partially_paid_meanwhile_and_the_rest_is_credit(self):
        first, second, third = self.create_three()
        session = self.open_session_of(first, second, third)
        self.stripe.pay(session['id'])
        self.pay_otherwise(first, 60)
        self.deliver()
        self.run_queue()
        payment = self.get_payment(session)
        self.assertEqual(self.get_allocated(payment), {first: 40, second: 50, third: 20})
        self.assertEqual(self.get_receivable(payment).amount_residual, -60)

    def test_a_refund_asks_for_one_credit_note(self):
        first, second, _third = self.create_three()
        session = self.open_session_of(first, second)
        self.pay(session)
        self.stripe.refund(session['id'], 4000)
        self.deliver()
        self.run_queue()
        [todo] = (first + second).activity_ids
        for fact in ('40.00', first.name, second.name, 'Credit Note'):
            self.assertIn(fact, todo.note)
        note = second._reverse_moves([{'invoice_date': second.invoice_date}])
        note.invoice_line_ids.price_unit = 40
        note.action_post()
        self.assertEqual(note.payment_state, 'paid', "Matched with the refund")
        self.assertFalse((first + second).activity_ids)

    # === ONE PAYABLE SESSION FOR EACH INVOICE === #

    def test_paying_one_of_them_alone_retires_the_joint_session(self):
        first, second, third = self.create_three()
        joint = self.open_session_of(first, second, third)
        alone = self.open_link(second)
        self.assertEqual([s['id'] for s in self.get_open_sessions()], [alone['id']])
        self.assertEqual(self.stripe.session(joint['id'])['status'], 'expired')
        again = self.open_session_of(first, second, third)
        self.assertEqual([s['id'] for s in self.get_open_sessions()], [again['id']])

    def test_a_joint_link_asks_for_what_is_left_of_the_others(self):
        first, second, third = self.create_three()
        response = self.pay_ticked(first, second, third, allow_redirects=False)
        path = response.headers['Location'].removeprefix(self.base_url())
        self.url_open(path)
        self.pay_otherwise(second)
        session = self.get_session(self.url_open(path).url)
        self.assertEqual(session['amount_total'], 12000)
        self.assertEqual([s['id'] for s in self.get_open_sessions()], [session['id']])
        self.pay(session)
        self.assertEqual({i.payment_state for i in (first, third)}, {'paid'})
        page = self.get_page(self.url_open(path), 'paid')
        [href] = page.xpath("//a[@name='o_stripe_checkout_billing']/@href")
        self.assertIn("Last payments", self.url_open(href).text)
        self.authenticate(None, None)
        page = self.get_page(self.url_open(path), 'paid')
        self.assertEqual(page.xpath("//a[@name='o_stripe_checkout_billing']"), [])

    def test_a_joint_link_is_not_the_link_of_one_invoice(self):
        first, second, _third = self.create_three()
        url = first.with_user(self.billing_admin).stripe_checkout_url
        self.open_session_of(first, second)
        first.invalidate_recordset()
        self.assertEqual(first.with_user(self.billing_admin).stripe_checkout_url, url)

    def test_a_hundred_invoices_fit_and_no_more(self):
        """https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-line_items"""
        *invoices, _one_more = all_of_them = [
            self.create_invoice(1) for _number in range(MAXIMUM_LINES + 1)
        ]
        page = self.read_page(self.forge_ticked(*all_of_them))
        self.assertTrue(page.xpath(".//p[@name='why_too_much']"))
        self.assertEqual(len(self.stripe.calls), 0)
        session = self.get_session(self.forge_ticked(*invoices).url)
        self.assertEqual(session['amount_total'], 10000)
        self.pay(session)
        self.assertEqual({i.payment_state for i in invoices}, {'paid'})

    # === NOT MIXED === #

    def assert_not_mixed(self, *invoices, name='why_mixed', why="one company, one client and one"):
        """Check that the page says why, and offers each group as a payment of its own."""
        response = self.pay_ticked(*invoices)
        page = self.read_page(response)
        [said] = self.read_texts(page.xpath(".//p[starts-with(@name, 'why_')]"))
        self.assertIn(why, said)
        self.assertTrue(page.xpath(f".//p[@name='{name}']"))
        self.assertEqual(len(self.stripe.calls), 0)
        forms = page.xpath(".//form")
        self.assertEqual(len(forms), 2)
        amounts = {self.get_session(self.submit(form).url)['amount_total'] for form in forms}
        self.assertEqual(amounts, {round(invoice.amount_residual * 100) for invoice in invoices})

    def test_currencies(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        self.assert_not_mixed(
            self.create_invoice(100), self.create_invoice(30, currency_id=euro.id)
        )

    def test_receivable_accounts(self):
        other = self.company_data['default_account_receivable'].copy()
        first, second = self.create_invoice(100), self.create_invoice(50, post=False)
        second.line_ids.filtered(
            lambda line: line.display_type == 'payment_term'
        ).account_id = other
        second.action_post()
        self.assert_not_mixed(first, second, name='why_accounts', why="separate accounts")

    def test_commercial_partners(self):
        """A client's subsidiary, which the portal's rules show to the client, pays for itself."""
        subsidiary = self.env['res.partner'].create({
            'name': "Subsidiary",
            'is_company': True,
            'parent_id': self.client.id,
        })
        self.assertEqual(subsidiary.commercial_partner_id, subsidiary)
        self.assert_not_mixed(
            self.create_invoice(100), self.create_invoice(50, partner_id=subsidiary.id)
        )

    def test_companies(self):
        company = self.setup_other_company(name="Another company")['company']
        self.billing_admin.company_ids += company
        self.portal_user.company_ids += company
        self.connect(
            user=self.billing_admin.with_context(allowed_company_ids=company.ids), company=company
        )
        self.stripe.calls.clear()
        invoices = self.env['account.move'].with_company(company)
        other = invoices.create({
            'move_type': 'out_invoice',
            'company_id': company.id,
            'partner_id': self.client.id,
            'invoice_line_ids': [(0, 0, {'name': "Other", 'price_unit': 10, 'tax_ids': False})],
        })
        other.action_post()
        self.authenticate('portal_client', 'portal_client')
        both = self.create_invoice(100) + other
        self.assertEqual(both._stripe_checkout_get_state(), 'mixed')
        response = self.forge_ticked(*both)
        self.assertTrue(self.read_page(response).xpath(".//p[@name='why_mixed']"))
        self.assertEqual(len(self.stripe.calls), 0)

    # === NOT PAYABLE === #

    def test_nothing_ticked(self):
        self.create_invoice(100)
        page = self.read_page(self.pay_ticked())
        self.assertTrue(page.xpath(".//p[@name='why_none']"))
        self.assertEqual(len(self.stripe.calls), 0)

    def test_one_of_them_was_paid_in_another_tab(self):
        first, second, third = self.create_three()
        page = self.open_page('/my/invoices')
        token = page.get_element_by_id('o_stripe_checkout_pay_ticked').fields['csrf_token']
        self.pay_otherwise(second)
        data = [('csrf_token', token)]
        data += [('invoice_ids', invoice.id) for invoice in (first, second, third)]
        page = self.read_page(self.url_open('/my/invoices/pay_online', data=data))
        [refused] = self.read_texts(page.xpath(".//ul[@name='refused']/li"))
        self.assertIn(second.name, refused)
        self.assertIn("is paid", refused)
        [form] = page.xpath(".//form")
        self.assertEqual(self.get_session(self.submit(form).url)['amount_total'], 12000)

    def test_a_single_one_that_was_paid_in_another_tab(self):
        """Catches a page that speaks of several invoices to whoever has pressed Pay for one."""
        invoice = self.create_invoice(100)
        page = self.open_page('/my/billing')
        [form] = page.xpath("//form[@name='o_stripe_checkout_pay_group']")
        self.pay_otherwise(invoice)
        response = self.submit(form)
        self.assertIn(f'/my/invoices/{invoice.id}?', response.url)
        self.assertIn("This invoice is paid", response.text)

    def test_the_way_back_from_several(self):
        first, second, _third = self.create_three()
        self.open_session_of(first, second)
        links = (first + second).sudo().stripe_payment_link_ids
        link = links.filtered(lambda link: len(link.move_ids) == 2)
        page = self.open_page(f'{link._get_path()}/cancelled')
        [back] = page.xpath("//a[@name='o_stripe_checkout_back']/@href")
        self.assertEqual(back, '/my/invoices')

    def test_too_much_for_one_payment(self):
        invoices = [self.create_invoice(600_000), self.create_invoice(700_000)]
        page = self.read_page(self.pay_ticked(*invoices))
        self.assertTrue(page.xpath(".//p[@name='why_too_much']"))
        self.assertEqual(len(self.stripe.calls), 0)

    # === STRANGERS === #

    def test_client_b_pays_nothing_of_client_a(self):
        first, second, _third = self.create_three()
        self.authenticate('portal_other', 'portal_other')
        response = self.forge_ticked(first, second)
        self.assertTrue(self.read_page(response).xpath(".//p[@name='why_none']"))
        self.assertNotIn(first.name, response.text)
        own = self.create_invoice(10, partner_id=self.other_client.id)
        session = self.get_session(self.forge_ticked(first, own).url)
        self.assertEqual(session['amount_total'], 1000)
        self.assertEqual(session['metadata']['odoo_invoices'], str(own.id))

    def test_strangers_and_other_sites_pay_nothing(self):
        invoice = self.create_invoice(100)
        data = [('invoice_ids', invoice.id)]
        answer = self.url_open('/my/invoices/pay_online', data=data)
        self.assertEqual(answer.status_code, 400, "No CSRF token")
        self.authenticate(None, None)
        self.assertNotIn(self.stripe.url, self.forge_ticked(invoice).url)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_revoked_users_pay_and_see_nothing(self):
        invoice = self.create_invoice(100)
        self.portal_user.active = False
        self.env.flush_all()
        for response in (
            self.forge_ticked(invoice),
            self.url_open('/my/billing'),
            self.url_open(f'/my/invoices/{invoice.id}/pay_online'),
        ):
            self.assertNotIn(self.stripe.url, response.url)
            self.assertNotIn(invoice.name, response.text)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_coming_back_after_a_login(self):
        response = self.url_open('/my/invoices/pay_online')
        self.assertEqual(response.url, f'{self.base_url()}/my/invoices')
