from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import StripeCheckoutCommon

PAY = 'odoo.addons.payment_stripe_checkout.controllers.pay'
QUEUE = 'odoo.addons.payment_stripe_checkout.models.stripe_event_queue'


@tagged('post_install', '-at_install')
class TestOpenSessions(StripeCheckoutCommon):
    """Whatever changes what is left to pay retires the session that asks for something else."""

    def setUp(self):
        super().setUp()
        self.invoice = self.create_invoice(100)
        self.session = self.open_link(self.invoice)
        self.stripe.calls.clear()

    def register_payment(self, amount=100):
        wizards = self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=self.invoice.ids
        )
        wizards.create({'amount': amount})._create_payments()

    def get_status(self):
        return self.stripe.session(self.session['id'])['status']

    def assert_retired(self):
        """Check that nothing was asked of Stripe yet, and that the queue then retires."""
        self.assertEqual(len(self.stripe.calls), 0, "Whoever changes an invoice waits for nobody")
        self.assertEqual(self.get_status(), 'open')
        self.run_queue()
        self.assertEqual(self.get_status(), 'expired')
        self.assertEqual(self.invoice.transaction_ids.mapped('state'), ['cancel'])

    def test_paid_by_hand(self):
        self.register_payment()
        self.assert_retired()

    def test_paid_in_part_by_hand(self):
        self.register_payment(40)
        self.assert_retired()
        self.assertEqual(self.open_link(self.invoice)['amount_total'], 6000)

    def test_credit_note(self):
        refund = self.invoice._reverse_moves([{'invoice_date': self.invoice.invoice_date}])
        refund.invoice_line_ids.price_unit = 30
        refund.action_post()
        (refund + self.invoice).line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable'
        ).reconcile()
        self.assert_retired()

    def test_credit_applied_and_taken_off(self):
        payment = self.env['account.payment'].create({
            'payment_type': 'inbound',
            'partner_id': self.client.id,
            'amount': 25,
            'journal_id': self.company_data['default_journal_bank'].id,
        })
        payment.action_post()
        line = payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable'
        )
        self.invoice.js_assign_outstanding_line(line.id)
        self.assert_retired()
        self.session = self.open_link(self.invoice)
        self.stripe.calls.clear()
        line.remove_move_reconcile()
        self.run_queue()
        self.assertEqual(self.get_status(), 'expired')

    def test_cancelled(self):
        self.invoice.button_draft()
        self.invoice.button_cancel()
        self.assert_retired()

    def test_edited(self):
        self.invoice.button_draft()
        self.invoice.invoice_line_ids = [
            Command.create({'name': "More", 'price_unit': 50, 'tax_ids': [Command.clear()]})
        ]
        self.invoice.action_post()
        self.assert_retired()
        self.assertEqual(self.open_link(self.invoice)['amount_total'], 15000)

    def test_edited_without_another_amount(self):
        self.invoice.button_draft()
        self.invoice.action_post()
        self.run_queue()
        self.assertEqual(self.get_status(), 'open')
        self.assertEqual(self.open_link(self.invoice), self.session)

    def test_just_paid_is_settled_instead(self):
        self.register_payment(40)
        self.stripe.pay(self.session['id'])
        self.stripe.deliveries.pop_all()
        self.run_queue()
        payments = self.get_payments(self.invoice)
        self.assertEqual(sorted(payments.mapped('amount')), [40, 100])
        self.assertEqual(self.invoice.amount_residual, 0)
        ours = payments.filtered('stripe_checkout_payment_intent')
        self.assertIn("could not be matched", ours.activity_ids.note)

    @mute_logger(PAY)
    def test_session_that_nobody_has_stored_yet(self):
        self.invoice = self.create_invoice(100)
        self.stripe.faults.next(3, 'reset', path='/v1/checkout/sessions')
        self.get_page(self.url_open(self.get_path(self.invoice)), 'unavailable')
        self.assertEqual(self.invoice.transaction_ids.state, 'draft')
        self.register_payment()
        self.run_queue()
        self.assertEqual(self.invoice.transaction_ids.state, 'cancel')

    @mute_logger(QUEUE)
    def test_unreachable_stripe_is_asked_again(self):
        self.register_payment()
        self.stripe.faults.next(3, 'reset')
        self.run_queue()
        self.assertEqual(self.get_status(), 'open')
        event = self.env['stripe.event'].search([('type', '=', 'odoo.invoice.changed')])
        self.assertEqual(event.mapped('state'), ['failed'])
        event.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assertEqual(self.get_status(), 'expired')

    def test_payment_through_the_session_itself_raises_nothing(self):
        self.stripe.pay(self.session['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(self.invoice, 100)
        self.assertFalse(self.env['stripe.event'].search([('type', '=', 'odoo.invoice.changed')]))

    def test_invoice_that_nobody_is_paying_raises_nothing(self):
        self.invoice = self.create_invoice(100)
        self.register_payment()
        self.assertFalse(self.env['stripe.event'].search([('type', '=', 'odoo.invoice.changed')]))
