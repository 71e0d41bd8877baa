from collections import Counter
from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestDiscountRefunds(StripeCheckoutCommon):
    """An early-payment discount lasts as long as something of its payment does."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.taxes = cls.create_taxes(7, 19)

    def process(self):
        self.deliver()
        self.run_queue()

    def pay_discounted(self, computation='included', **values):
        """Return an invoice with two taxes that was paid in time, and the session."""
        invoice = self.create_invoice(
            invoice_date=fields.Date.today(),
            invoice_payment_term_id=self.create_discount_term(computation).id,
            invoice_line_ids=self.prepare_taxed_lines((100, self.taxes[0]), (333.33, self.taxes)),
            **values,
        )
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        self.process()
        self.assertEqual(invoice.payment_state, 'paid')
        return invoice, session

    def get_refunds(self, invoice):
        """Return the refunds of an invoice, the oldest first."""
        return invoice.transaction_ids.child_transaction_ids.payment_id.sorted('id')

    def get_discount(self):
        """Return what is granted, by the books."""
        account = self.company.account_journal_early_pay_discount_loss_account_id
        items = self.env['account.move.line'].search([
            ('account_id', '=', account.id),
            ('parent_state', '=', 'posted'),
        ])
        return round(sum(items.mapped('balance')), 2)

    def describe(self, payment, sign=1):
        """Return the journal items of the discount of a payment or refund, in any order."""
        return sorted(
            (
                item.account_id.code,
                sign * item.amount_currency,
                sign * item.balance,
                item.tax_line_id.name or '',
                item.tax_ids.mapped('name'),
                item.tax_tag_ids.ids,
            )
            for item in payment._stripe_checkout_get_discount_items()
        )

    def sum_up(self, items):
        """Return the balance of each account, zeros left out."""
        totals = Counter()
        for item in items:
            totals[item.account_id.code] += item.balance
        return {code: round(total, 2) for code, total in totals.items() if abs(total) > 0.001}

    def test_all_of_it(self):
        """Catches a discount that stays the client's credit beside the credit note."""
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        for computation in ('included', 'excluded', 'mixed'):
            for currency in (self.company.currency_id, euro):
                with self.subTest(computation, currency=currency.name):
                    invoice, session = self.pay_discounted(computation, currency_id=currency.id)
                    payment = self.get_payments(invoice)
                    self.stripe.refund(session['id'], 1000)
                    self.process()
                    part = self.get_refunds(invoice)
                    self.assertEqual(len(part.move_id.line_ids), 2, "A part leaves it granted")
                    self.stripe.refund(session['id'])
                    self.process()
                    rest = self.get_refunds(invoice) - part
                    self.assertEqual(self.describe(rest), self.describe(payment, sign=-1))
                    [todo] = invoice.activity_ids
                    discount = invoice.amount_total - payment.amount
                    for amount in (invoice.amount_total, discount):
                        self.assertIn(f'{amount:.2f}', todo.note)
                    note = invoice._reverse_moves([{'invoice_date': invoice.invoice_date}])
                    note.action_post()
                    self.assertFalse(invoice.activity_ids)
                    items = (invoice + note + (payment + part + rest).move_id).line_ids
                    self.assertEqual(self.sum_up(items), {}, "All is as it was before")
                    receivable = items.filtered(
                        lambda item: item.account_id.account_type == 'asset_receivable'
                    )
                    self.assertTrue(all(receivable.mapped('reconciled')))

    def test_refund_that_failed(self):
        """The discount comes and goes with the refund."""
        invoice, session = self.pay_discounted()
        granted = self.get_discount()
        self.assertTrue(granted)
        made = self.stripe.refund(session['id'])
        self.process()
        self.assertEqual(self.get_discount(), 0)
        self.stripe.fail_refund(made['id'])
        self.process()
        self.assertEqual(self.get_discount(), granted)
        self.assertFalse(self.get_refunds(invoice)._stripe_checkout_get_debit_lines())
        self.stripe.refund(session['id'])
        self.process()
        self.assertEqual(self.get_discount(), 0)

    def test_part_that_failed_and_is_made_again(self):
        """Catches a discount that is taken back twice, and one of which nobody is told."""
        invoice, session = self.pay_discounted()
        part = self.stripe.refund(session['id'], 1000)
        self.process()
        self.stripe.refund(session['id'])
        self.process()
        self.stripe.fail_refund(part['id'])
        self.process()
        [failed] = invoice.activity_ids.filtered(lambda todo: todo.summary == "Refund failed")
        discount = invoice.amount_total - self.get_payments(invoice).amount
        self.assertIn(f"discount of $&nbsp;{discount:.2f}", failed.note)
        self.stripe.refund(session['id'], 1000)
        self.process()
        self.assertEqual(self.get_discount(), 0)

    def test_tax_lock(self):
        """The discount has taxes: payment and entry both bear the first open day."""
        invoice, session = self.pay_discounted()
        today = invoice._stripe_checkout_get_today()
        self.company.tax_lock_date = today
        self.stripe.refund(session['id'])
        self.process()
        refund = self.get_refunds(invoice)
        self.assertEqual(refund.date, today + timedelta(days=1))
        self.assertEqual(refund.move_id.date, refund.date)
