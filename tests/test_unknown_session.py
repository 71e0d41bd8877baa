from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import StripeCheckoutCommon

SWEEP = 'odoo.addons.payment_stripe_checkout.models.payment_transaction_sweep'
PAY = 'odoo.addons.payment_stripe_checkout.controllers.pay'


@tagged('post_install', '-at_install')
class TestUnknownSession(StripeCheckoutCommon):
    """A session that Stripe does not know blocks its invoice no longer, and staff are told."""

    def forget(self, session):
        """Have Stripe delete a session, as it deletes the data of test mode."""
        store = self.stripe.account.store
        store.remove(store.find(session['id']))

    def sweep(self, minutes=10):
        with freeze_time(datetime.now() + timedelta(minutes=minutes)):
            self.run_cron('ir_cron_sweep')

    def get_todos(self, invoice):
        return invoice.activity_ids.filtered(lambda a: "unknown to Stripe" in (a.summary or ''))

    def test_next_visit_opens_another(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.forget(session)
        # What was asked for no longer fits, so that the visit looks at the former session.
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': 40})._create_payments()
        second = self.open_link(invoice)
        self.assertEqual(second['amount_total'], 6000)
        self.assertEqual(invoice.transaction_ids.sorted('id').mapped('state'), ['cancel', 'draft'])
        todo = self.get_todos(invoice)
        self.assertEqual(todo.user_id, self.billing_admin)
        self.assertIn(session['id'], todo.note)
        self.assertIn('100.00', todo.note)

    def test_sweep_gives_up_once(self):
        invoice = self.create_invoice(100)
        self.forget(self.open_link(invoice))
        self.sweep()
        self.sweep(minutes=30)
        self.assertEqual(invoice.transaction_ids.state, 'cancel')
        self.assertEqual(len(self.get_todos(invoice)), 1)
        self.assertEqual(invoice._stripe_checkout_get_state(), 'payable')

    def test_debit_under_way(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        self.forget(session)
        self.sweep()
        self.assertEqual(invoice.transaction_ids.state, 'cancel')
        intent = invoice.transaction_ids.stripe_checkout_payment_intent
        self.assertIn(intent, self.get_todos(invoice).note)

    @mute_logger(SWEEP, PAY)
    def test_live_session_may_be_paid_until_its_end_whatever_a_test_key_knows(self):
        invoice = self.create_invoice(100)
        self.forget(self.open_link(invoice))
        invoice.transaction_ids.sudo().is_live = True
        self.get_page(self.url_open(self.get_path(invoice)), 'unavailable')
        self.sweep()
        self.assertEqual(invoice.transaction_ids.state, 'draft')
        self.sweep(minutes=25 * 60)
        self.assertEqual(invoice.transaction_ids.state, 'cancel')
        self.assertEqual(len(self.get_todos(invoice)), 1)

    def test_refund_that_is_gone_can_be_made_again(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        payment = self.get_payments(invoice)
        self.stripe.account.refund_status = 'requires_action'
        self.addCleanup(setattr, self.stripe.account, 'refund_status', None)
        made = self.stripe.refund(session['id'], 4000)
        self.deliver()
        self.run_queue()
        self.assertEqual(payment.amount_available_for_refund, 60)
        self.sweep()
        self.forget(made)
        self.sweep(minutes=30)
        self.sweep(minutes=50)
        self.env.invalidate_all()
        self.assertEqual(payment.amount_available_for_refund, 100)
        todo = self.get_todos(invoice)
        self.assertEqual(todo.user_id, self.billing_admin)
        for text in (made['id'], '40.00', invoice.name):
            self.assertIn(text, todo.note)

    @mute_logger(SWEEP)
    def test_other_refusals_prove_nothing(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.faults.next(3, '500', path=f'/v1/checkout/sessions/{session["id"]}*')
        self.sweep()
        self.assertEqual(invoice.transaction_ids.state, 'draft')
        self.assertFalse(self.get_todos(invoice))
