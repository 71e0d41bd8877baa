"""Settlement, case by case, asserted on the journal entries."""

from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestSettlement(StripeCheckoutCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.term = cls.create_discount_term()
        cls.taxes = cls.create_taxes(10, 20)

    def create_discounted(self, computation='included', **values):
        """Create an invoice of 100 + 10 % and 200 + 20 %: 350, with 2 % off within 10 days."""
        self.term.early_pay_discount_computation = computation
        return self.create_invoice(
            invoice_payment_term_id=self.term.id,
            invoice_date=fields.Date.today(),
            invoice_line_ids=self.prepare_taxed_lines(*zip((100, 200), self.taxes, strict=True)),
            **values,
        )

    def settle(self, invoice, session, paid_at=None, **pay):
        """Pay a session at Stripe and have its events processed."""
        self.stripe.pay(session['id'], **pay)
        self.deliver()
        if paid_at:
            events = self.env['stripe.event'].sudo().search([('state', '=', 'pending')])
            events.occurred_at = paid_at
        self.run_queue()
        return self.get_payments(invoice)

    def assert_balanced(self, payment):
        self.assertAlmostEqual(sum(payment.move_id.line_ids.mapped('balance')), 0)

    # === EARLY-PAYMENT DISCOUNT === #

    def test_discount_is_asked_for_and_granted_on_every_tax(self):
        clearing = self.provider.journal_id.default_account_id
        for computation, asked in (('included', 343), ('mixed', 343), ('excluded', 344)):
            with self.subTest(computation):
                invoice = self.create_discounted(computation)
                # By Odoo's own account of the discount.
                expected = invoice._get_invoice_next_payment_values()['amount_due']
                session = self.open_link(invoice)
                self.assertEqual(session['amount_total'], round(expected * 100))
                self.assertAlmostEqual(expected, asked, delta=1)
                payment = self.settle(invoice, session)
                self.assertEqual(invoice.payment_state, 'paid')
                self.assertEqual(payment.amount, expected)
                self.assert_balanced(payment)
                lines = payment.move_id.line_ids
                self.assertEqual(
                    lines.filtered(lambda line: line.account_id == clearing).balance, expected
                )
                if computation == 'included':
                    taxes = lines.filtered('tax_line_id')
                    self.assertEqual(taxes.tax_line_id, self.taxes)
                    self.assertRecordValues(
                        taxes.sorted('balance'), [{'balance': 0.2}, {'balance': 0.8}]
                    )

    def test_discount_is_granted_by_the_day_the_client_paid(self):
        invoice = self.create_discounted()
        session = self.open_link(invoice)
        late = datetime.now() + timedelta(days=15)
        payment = self.settle(invoice, session, paid_at=late)
        self.assertEqual(payment.amount, 343)
        self.assertEqual(len(payment.move_id.line_ids), 2)
        self.assertRecordValues(invoice, [{'payment_state': 'partial', 'amount_residual': 7}])

    def test_discount_stays_granted_when_the_event_comes_late(self):
        invoice = self.create_discounted()
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        deliveries = self.stripe.deliveries.pop_all()
        with freeze_time(datetime.now() + timedelta(days=20)):
            self.deliver(deliveries)
            self.env['stripe.event'].sudo().search([]).next_attempt_at = datetime(2026, 1, 1)
            self.run_queue()
        self.assertEqual(invoice.payment_state, 'paid')

    def test_no_discount_after_its_day(self):
        self.provider.stripe_checkout_link_expiration = '720'
        invoice = self.create_discounted()
        session = self.open_link(invoice)
        self.assertEqual(session['amount_total'], 34300)
        with freeze_time(datetime.now() + timedelta(days=11)):
            invoice.invalidate_recordset()
            self.assertEqual(self.open_link(invoice)['amount_total'], 35000)

    def test_no_discount_on_the_rest(self):
        invoice = self.create_discounted()
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': 50, 'payment_difference_handling': 'open'})._create_payments()
        self.assertEqual(self.open_link(invoice)['amount_total'], 30000)

    # === INSTALLMENTS === #

    def test_part_by_part(self):
        term = self.env['account.payment.term'].create({
            'name': "Half now, half later",
            'line_ids': [
                Command.create({'value': 'percent', 'value_amount': 50, 'nb_days': days})
                for days in (0, 30)
            ],
        })
        invoice = self.create_invoice(101.01, invoice_payment_term_id=term.id)
        links = self.env['stripe.payment.link']
        for part, amount, state in ((50.51, 50.51, 'partial'), (0, 50.50, 'paid')):
            link = links._get_or_create_for_amount(invoice, part)
            response = self.url_open(link._get_path(), allow_redirects=False)
            session = self.get_session(response.headers['Location'])
            self.assertEqual(session['amount_total'], round(amount * 100))
            self.settle(invoice, session)
            self.assertEqual(invoice.payment_state, state)
        self.assertEqual(sorted(self.get_payments(invoice).mapped('amount')), [50.50, 50.51])

    # === CURRENCIES === #

    def test_foreign_currency_makes_its_exchange_entry(self):
        euro = self.env.ref('base.EUR')
        euro.active = True
        self.env['res.currency.rate'].search([('currency_id', '=', euro.id)]).unlink()
        today = fields.Date.today()
        self.env['res.currency.rate'].create([
            {
                'currency_id': euro.id,
                'name': today - timedelta(days=days),
                'rate': rate,
                'company_id': self.company.id,
            }
            for days, rate in ((40, 0.5), (0, 0.4))
        ])
        invoice = self.create_invoice(
            100, currency_id=euro.id, invoice_date=today - timedelta(days=30)
        )
        payment = self.settle(invoice, self.open_link(invoice))
        self.assertEqual(invoice.payment_state, 'paid')
        clearing = self.provider.journal_id.default_account_id
        line = payment.move_id.line_ids.filtered(lambda line: line.account_id == clearing)
        self.assertRecordValues(line, [{'amount_currency': 100, 'balance': 250}])
        exchange = invoice.line_ids.matched_credit_ids.exchange_move_id
        self.assertEqual(exchange.journal_id, self.company.currency_exchange_journal_id)
        self.assertEqual(sum(exchange.line_ids.filtered('debit').mapped('debit')), 50)

    def test_exact_in_every_kind_of_currency(self):
        for name, amount, minor in (
            ('JPY', 12345, 12345),
            ('KWD', 12.34, 12340),
            ('ISK', 500, 50000),
            ('UGX', 5000, 500000),
            ('EUR', 0.5, 50),
        ):
            with self.subTest(name):
                currency = self.env['res.currency'].with_context(active_test=False)
                currency = currency.search([('name', '=', name)])
                currency.active = True
                invoice = self.create_invoice(amount, currency_id=currency.id)
                session = self.open_link(invoice)
                self.assertEqual(session['amount_total'], minor)
                payment = self.settle(invoice, session)
                self.assertEqual(payment.amount, amount)
                self.assertEqual(invoice.payment_state, 'paid')

    def test_amounts_that_stripe_cannot_take_exactly_are_not_offered(self):
        dinar = (
            self.env['res.currency'].with_context(active_test=False).search([('name', '=', 'KWD')])
        )
        dinar.active = True
        invoice = self.create_invoice(12.345, currency_id=dinar.id)
        self.assertEqual(invoice.amount_residual, 12.345)
        self.assertFalse(invoice.with_user(self.billing_admin).stripe_checkout_url)
        for name in ('JPY', 'ISK', 'UGX'):
            with self.subTest(name):
                currency = dinar.search([('name', '=', name)])
                # Stripe has no smaller unit of it, whatever Odoo is told.
                currency.write({'active': True, 'rounding': 0.01})
                invoice = self.create_invoice(5000.5, currency_id=currency.id)
                self.assertEqual(invoice.amount_residual, 5000.5)
                self.assertFalse(invoice.with_user(self.billing_admin).stripe_checkout_url)

    # === ROUNDING AND TAXES ON PAYMENT === #

    def test_cash_rounding(self):
        rounding = self.env['account.cash.rounding'].create({
            'name': "0.05",
            'rounding': 0.05,
            'strategy': 'add_invoice_line',
            'profit_account_id': self.company_data['default_account_revenue'].id,
            'loss_account_id': self.company_data['default_account_expense'].id,
            'rounding_method': 'HALF-UP',
        })
        invoice = self.create_invoice(99.98, invoice_cash_rounding_id=rounding.id)
        self.assertEqual(invoice.amount_total, 100)
        self.settle(invoice, self.open_link(invoice))
        self.assert_booked(invoice, 100)

    def test_taxes_on_payment(self):
        tax = self.create_tax_on_payment()
        waiting = tax.cash_basis_transition_account_id
        invoice = self.create_invoice(invoice_line_ids=self.prepare_taxed_lines((100, tax)))
        self.settle(invoice, self.open_link(invoice))
        self.assertEqual(invoice.payment_state, 'paid')
        entry = self.env['account.move'].search([
            ('tax_cash_basis_origin_move_id', '=', invoice.id)
        ])
        self.assertEqual(entry.state, 'posted')
        waited = entry.line_ids.filtered(lambda line: line.account_id == waiting and line.debit)
        self.assertEqual(waited.mapped('debit'), [10])
        # Part by part, the tax of each part.
        second = invoice.copy({'invoice_date': invoice.invoice_date})
        second.action_post()
        for amount, tax_so_far in ((44, 4), (66, 10)):
            link = self.env['stripe.payment.link']._get_or_create_for_amount(second, amount)
            response = self.url_open(link._get_path(), allow_redirects=False)
            self.settle(second, self.get_session(response.headers['Location']))
            entries = self.env['account.move'].search([
                ('tax_cash_basis_origin_move_id', '=', second.id)
            ])
            waited = entries.line_ids.filtered(lambda line: line.account_id == waiting)
            self.assertAlmostEqual(sum(waited.mapped('debit')), tax_so_far)
        self.assertEqual(second.payment_state, 'paid')

    # === FOUND FROM EITHER SIDE === #

    def test_journal_entry_names_intent_and_session(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        payment = self.settle(invoice, session)
        intent = self.stripe.session(session['id'])['payment_intent']
        self.assertIn(intent, payment.move_id.ref)
        found = self.env['account.payment'].search([
            ('stripe_checkout_session_id', '=', session['id'])
        ])
        self.assertEqual(found, payment)
        self.assertTrue(payment.stripe_checkout_paid_at)
