from datetime import datetime, timedelta

from freezegun import freeze_time

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

    # === EVERY KIND OF CHANGE === #

    def test_every_change_retires_the_session(self):
        """Each change, and what is to pay then, in minor units; nothing where it is None."""
        for change, left in (
            (self.pay_by_hand, None),
            (self.pay_in_part_by_hand, 6000),
            (self.make_credit_note, 7000),
            (self.apply_credit, 7500),
            (self.pay_through_another_provider, None),
            (self.take_back, None),
            (self.cancel, None),
            (self.delete, None),
            (self.edit, 15000),
        ):
            with self.subTest(change=change.__name__):
                self.invoice = self.create_invoice(100)
                self.session = self.open_link(self.invoice)
                transaction = self.invoice.transaction_ids
                self.stripe.calls.clear()
                change()
                self.assertFalse(len(self.stripe.calls), "Whoever changes it waits for nobody")
                self.assertEqual(self.get_status(), 'open')
                self.run_queue()
                self.assertEqual(self.get_status(), 'expired')
                self.assertEqual(transaction.state, 'cancel')
                if left:
                    self.assertEqual(self.open_link(self.invoice)['amount_total'], left)
                elif self.invoice.exists():
                    self.assertNotEqual(self.invoice._stripe_checkout_get_state(), 'payable')

    def pay_by_hand(self):
        self.register_payment()

    def pay_in_part_by_hand(self):
        self.register_payment(40)

    def make_credit_note(self):
        refund = self.invoice._reverse_moves([{'invoice_date': self.invoice.invoice_date}])
        refund.invoice_line_ids.price_unit = 30
        refund.action_post()
        (refund + self.invoice).line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable'
        ).reconcile()

    def apply_credit(self):
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
        return line

    def pay_through_another_provider(self):
        provider = self.create_other_provider()
        journal = self.company_data['default_journal_bank']
        method = (
            self
            .env['account.payment.method']
            .sudo()
            .create({
                'name': "Another",
                'code': 'none',
                'payment_type': 'inbound',
            })
        )
        line = self.env['account.payment.method.line'].create({
            'payment_method_id': method.id,
            'journal_id': journal.id,
            'payment_provider_id': provider.id,
        })
        line.payment_account_id = journal.default_account_id
        transaction = self.env['payment.transaction'].create({
            'provider_id': provider.id,
            'payment_method_id': self.env.ref('payment.payment_method_unknown').id,
            'reference': "Another way",
            'amount': 100,
            'currency_id': self.invoice.currency_id.id,
            'partner_id': self.client.id,
            'operation': 'online_direct',
            'invoice_ids': [Command.set(self.invoice.ids)],
        })
        transaction._set_done()
        transaction._post_process()
        self.assertEqual(self.get_payments(self.invoice).payment_transaction_id, transaction)

    def take_back(self):
        self.invoice.button_draft()

    def cancel(self):
        self.invoice.button_draft()
        self.invoice.button_cancel()

    def delete(self):
        self.invoice.button_draft()
        self.invoice.unlink()

    def edit(self):
        self.invoice.button_draft()
        self.invoice.invoice_line_ids = [
            Command.create({'name': "More", 'price_unit': 50, 'tax_ids': [Command.clear()]})
        ]
        self.invoice.action_post()

    # === MORE === #

    def test_credit_applied_and_taken_off(self):
        line = self.apply_credit()
        self.assert_retired()
        self.session = self.open_link(self.invoice)
        self.stripe.calls.clear()
        line.remove_move_reconcile()
        self.run_queue()
        self.assertEqual(self.get_status(), 'expired')

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

    def test_sweep_makes_up_for_a_lost_wake_up(self):
        for change in (self.pay_by_hand, self.delete):
            with self.subTest(change=change.__name__):
                self.invoice = self.create_invoice(100)
                self.session = self.open_link(self.invoice)
                change()
                self.env['stripe.event'].sudo().search([]).unlink()
                with freeze_time(datetime.now() + timedelta(minutes=6)):
                    self.run_cron('ir_cron_sweep')
                self.assertEqual(self.get_status(), 'expired')

    def test_paid_after_the_invoice_was_deleted(self):
        """The money has no invoice any more: it is booked, and staff have a to-do."""
        name = self.invoice.name
        self.delete()
        self.stripe.pay(self.session['id'])
        self.run_queue()
        payment = self.env['account.payment'].search([
            ('stripe_checkout_session_id', '=', self.session['id'])
        ])
        self.assertEqual((payment.amount, payment.stripe_checkout_credit), (100, 100))
        self.assertEqual(payment.partner_id, self.client)
        self.assertIn(name, payment.activity_ids.note)
        self.assertIn("100.00", payment.activity_ids.note)

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
