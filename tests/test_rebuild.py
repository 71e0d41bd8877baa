from datetime import timedelta

from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from .. import session_facts
from .common import StripeCheckoutCommon

QUEUE = 'odoo.addons.payment_stripe_checkout.models.stripe_event_queue'


@tagged('post_install', '-at_install')
class TestRebuild(StripeCheckoutCommon):
    """A database that was restored from an older copy books what it does not remember."""

    def setUp(self):
        super().setUp()
        self.invoice = self.create_invoice(100)
        self.session = self.open_link(self.invoice)

    def forget(self, *, invoice=False):
        """Take back what was stored since the copy was made."""
        self.invoice.sudo().transaction_ids.unlink()
        if invoice:
            self.invoice.button_draft()
            self.invoice.with_context(force_delete=True).unlink()

    def pay(self, **kwargs):
        self.stripe.pay(self.session['id'], **kwargs)
        self.deliver()
        self.run_queue()
        return self.env['payment.transaction'].search([
            ('stripe_checkout_session_id', '=', self.session['id'])
        ])

    def assert_open_credit(self, transaction, partner):
        payment = transaction.payment_id
        self.assertEqual(payment.partner_id, partner)
        self.assertEqual((payment.move_id.state, payment.stripe_checkout_credit), ('posted', 100))
        todo = payment.activity_ids
        self.assertEqual(todo.user_id, self.billing_admin)
        self.assertIn('100.00', todo.note)
        self.assertIn("not in this database", todo.note)
        event = self.env['stripe.event'].search([('transaction_id', '=', transaction.id)])
        self.assertEqual(set(event.mapped('state')), {'done'})

    def test_invoice_is_paid(self):
        self.forget()
        self.pay()
        self.assert_booked(self.invoice, 100)
        self.assertEqual(self.invoice.transaction_ids._stripe_checkout_get_share(self.invoice), 100)

    def test_two_facts_in_one_call(self):
        self.forget()
        self.stripe.pay(self.session['id'])
        current = self.provider._stripe_checkout_retrieve_session(self.session['id'])
        facts = session_facts.from_session(current)
        Transaction = self.env['payment.transaction'].sudo()
        Transaction._stripe_checkout_settle(self.provider, [facts, facts])
        self.assert_booked(self.invoice, 100)
        self.assertEqual(len(self.invoice.transaction_ids), 1)

    def test_invoice_in_draft_stays_in_draft(self):
        self.forget()
        self.invoice.button_draft()
        transaction = self.pay()
        self.assertEqual(self.invoice.state, 'draft')
        self.assertEqual(transaction.payment_id.stripe_checkout_credit, 100)
        self.assertTrue(transaction.payment_id.activity_ids)

    def test_invoice_is_gone_too(self):
        self.forget(invoice=True)
        self.assert_open_credit(self.pay(), self.client)

    def test_another_invoice_has_its_number_now(self):
        self.forget()
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE account_move SET create_date = create_date + %s WHERE id = %s",
                timedelta(hours=1),
                self.invoice.id,
            )
        )
        self.invoice.invalidate_recordset()
        self.assert_open_credit(self.pay(), self.client)
        self.assertEqual(self.invoice.payment_state, 'not_paid')

    def test_client_is_gone_too(self):
        self.forget(invoice=True)
        self.client.email = 'other@example.com'
        transaction = self.pay()
        self.assertEqual(transaction.partner_id.email, 'client@example.com')
        self.assert_open_credit(transaction, transaction.partner_id)

    def test_bank_debit_is_followed(self):
        self.forget(invoice=True)
        transaction = self.pay(method='us_bank_account')
        self.assertEqual(transaction.state, 'pending')
        self.stripe.settle_debit(self.session['id'])
        self.deliver()
        self.run_queue()
        self.assert_open_credit(transaction, self.client)

    def test_invoice_deleted_while_it_was_paid(self):
        # The row is there: what it was for is not.
        self.invoice.button_draft()
        self.invoice.with_context(force_delete=True).unlink()
        self.assert_open_credit(self.pay(), self.client)

    @mute_logger(QUEUE)
    def test_currency_that_odoo_does_not_know_fails_with_a_todo(self):
        currency = self.invoice.currency_id
        name = currency.name
        self.forget(invoice=True)
        currency.name = 'XTS'
        self.assertFalse(self.pay())
        event = self.env['stripe.event'].search([('type', '=', 'checkout.session.completed')])
        for _attempt in range(2):
            event.with_user(self.billing_admin).action_retry()
            self.run_queue()
        self.assertEqual(event.state, 'failed')
        note = event.sudo().activity_ids.note
        self.assertIn(f'100.0 {name}', note)
        self.assertIn("Add it to the currencies", note)
        currency.name = name
        event.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assert_open_credit(event.transaction_id, self.client)
