from ast import literal_eval
from datetime import date, datetime, timedelta

from lxml import etree

from odoo.tests import tagged

from .common import StripeCheckoutCommon

MEASURES = ('paid_count', 'amount', 'refunded', 'declines')


@tagged('post_install', '-at_install')
class TestAnalysis(StripeCheckoutCommon):
    """The analysis adds up what clients paid, and what was declined, returned or reversed."""

    def pay(self, amount=100, method='card', **values):
        """Have an invoice paid; return its transaction."""
        invoice = self.create_invoice(amount, **values)
        self.stripe.pay(self.open_link(invoice)['id'], method=method)
        if method != 'card':
            self.stripe.settle_debit(self.get_transaction(invoice).stripe_checkout_session_id)
        return self.process(invoice)

    def decline(self, amount=100):
        """Have a card declined for an invoice that stays unpaid; return its transaction."""
        invoice = self.create_invoice(amount)
        self.stripe.pay(self.open_link(invoice)['id'], outcome='decline')
        return self.process(invoice)

    def process(self, invoice):
        self.deliver()
        self.run_queue()
        return self.get_transaction(invoice)

    def get_transaction(self, invoice):
        return invoice.transaction_ids.filtered(lambda tx: tx.operation != 'refund')

    def add_up(self, groupby=()):
        """Return the measures by group as the menu shows them to a billing admin."""
        menu = self.env.ref('payment_stripe_checkout.menu_stripe_checkout_report')
        action = menu.action.with_user(self.billing_admin).run()
        reports = self.env[action['res_model']].with_user(self.billing_admin)
        search_view = etree.fromstring(reports.get_view(view_type='search')['arch'])
        domain = []
        for name, value in action['context'].items():
            if value:
                (found,) = search_view.xpath(
                    "//filter[@name=$name]/@domain", name=name.removeprefix('search_default_')
                )
                domain += literal_eval(found)
        rows = reports._read_group(domain, groupby, [f'{name}:sum' for name in MEASURES])
        size = len(groupby)
        return {row[:size]: row[size:] for row in rows}

    def assert_totals(self, *totals):
        self.assertEqual(self.add_up()[()], totals)

    def test_amounts(self):
        self.pay(100)
        euro = self.env.ref('base.EUR')
        euro.active = True
        self.env['res.currency.rate'].create({
            'currency_id': euro.id,
            'rate': 0.5,
            'name': '2020-01-01',
            'company_id': self.company.id,
        })
        self.pay(80, currency_id=euro.id)
        self.assert_totals(2, 260, 0, 0)

    def test_declined_without_payment_counts(self):
        self.pay(100)
        self.decline()
        self.assert_totals(1, 100, 0, 1)

    def test_refunded(self):
        transaction = self.pay(100)
        self.stripe.refund(transaction.stripe_checkout_session_id, 2500)
        self.process(transaction.invoice_ids)
        self.assert_totals(1, 100, 25, 0)

    def test_reversed_is_not_paid(self):
        transaction = self.pay(100)
        self.pay(50)
        transaction.payment_id._stripe_checkout_reverse(date.today())
        self.assert_totals(1, 50, 0, 0)
        self.assertEqual(self.add_up(['state'])['reversed',], (0, 0, 0, 0))

    def test_test_payments_are_left_out_once_there_are_others(self):
        self.pay(100)
        self.assert_totals(1, 100, 0, 0)
        self.pay(50).is_live = True
        self.assert_totals(1, 50, 0, 0)

    def test_time_from_invoice_to_paid(self):
        today = date.today()
        for days in (3, 8):
            self.pay(100, invoice_date=today - timedelta(days=days))
        reports = self.env['stripe.checkout.report'].with_user(self.billing_admin)
        self.assertEqual(sorted(reports.search([]).mapped('days_to_paid')), [3, 8])
        self.assertEqual(reports._read_group([], [], ['days_to_paid:avg']), [(5.5,)])

    def test_groups(self):
        first = self.pay(100)
        other = self.env['res.partner'].create({'name': "Other", 'email': 'other@example.com'})
        second = self.pay(50, method='us_bank_account', partner_id=other.id)
        # Started this week, and paid in two others.
        first.payment_id.stripe_checkout_paid_at = datetime(2026, 3, 4)
        second.payment_id.stripe_checkout_paid_at = datetime(2026, 3, 11)
        by_partner = self.add_up(['partner_id'])
        self.assertEqual(by_partner[self.client,][:2], (1, 100))
        self.assertEqual(by_partner[other,][:2], (1, 50))
        by_week = self.add_up(['date:week'])
        self.assertEqual([row[:2] for row in by_week.values()], [(1, 100), (1, 50)])
        by_method = self.add_up(['method'])
        self.assertEqual(by_method[first.stripe_checkout_method,][:2], (1, 100))
        self.assertEqual(by_method[second.stripe_checkout_method,][:2], (1, 50))
        self.assertEqual(len(by_method), 2)
        self.assertEqual(self.add_up(['company_id'])[self.company,][:2], (2, 150))
