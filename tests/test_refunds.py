import itertools
from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import ValidationError
from odoo.tests import JsonRpcException, tagged
from odoo.tools import mute_logger

from .common import StripeCheckoutCommon

QUEUE = 'odoo.addons.payment_stripe_checkout.models.stripe_event_queue'
REFUND = 'odoo.addons.payment_stripe_checkout.models.payment_transaction_refund'


@tagged('post_install', '-at_install')
class TestRefunds(StripeCheckoutCommon):
    """Refunds of Odoo and of Stripe's Dashboard, each booked once, in any order."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.staff = cls.create_user(
            'refunder',
            'account.group_account_manager,base.group_system',
            password='refunder-password',
        )

    def setUp(self):
        super().setUp()
        self.invoice = self.create_invoice(100)
        self.checkout = self.open_link(self.invoice)
        self.stripe.pay(self.checkout['id'])
        self.process()
        self.payment = self.get_payments(self.invoice)

    def process(self):
        self.deliver()
        self.run_queue()

    def call(self, model, method, ids, **kwargs):
        """Call a method over RPC, as the web client does."""
        return self.make_jsonrpc_request(
            '/web/dataset/call_kw',
            {'model': model, 'method': method, 'args': [ids], 'kwargs': kwargs},
        )

    def refund_in_odoo(self, amount):
        """Refund through the framework's wizard."""
        self.authenticate('refunder', 'refunder-password')
        context = {'active_model': 'account.payment', 'active_id': self.payment.id}
        wizard = self.make_jsonrpc_request(
            '/web/dataset/call_kw',
            {
                'model': 'payment.refund.wizard',
                'method': 'create',
                'args': [{'payment_id': self.payment.id, 'amount_to_refund': amount}],
                'kwargs': {'context': context},
            },
        )
        answer = self.call('payment.refund.wizard', 'action_refund', [wizard])
        self.env.invalidate_all()
        return answer

    def get_refunds(self):
        return self.env['account.payment'].search([('source_payment_id', '=', self.payment.id)])

    def assert_refunded(self, *amounts):
        refunds = self.get_refunds()
        self.assertEqual(sorted(refunds.mapped('amount')), sorted(amounts))
        self.assertEqual(
            self.payment.amount_available_for_refund, 100 - sum(amounts), "What is left"
        )
        clearing = self.provider.journal_id.default_account_id
        lines = self.env['account.move.line'].search([
            ('account_id', '=', clearing.id),
            ('parent_state', '=', 'posted'),
        ])
        self.assertAlmostEqual(sum(lines.mapped('balance')), 100 - sum(amounts))
        for refund in refunds:
            self.assertEqual(refund.payment_type, 'outbound')
            self.assertAlmostEqual(sum(refund.move_id.line_ids.mapped('balance')), 0)

    def make_credit_note(self, amount):
        note = self.invoice._reverse_moves([{'invoice_date': self.invoice.invoice_date}])
        note.invoice_line_ids.price_unit = amount
        note.action_post()
        return note

    # === FROM ODOO === #

    def test_full_refund_from_odoo(self):
        self.refund_in_odoo(100)
        self.assert_refunded(100)
        [call] = self.stripe.calls.matching('POST', '/v1/refunds')
        self.assertIn(self.get_refunds().payment_transaction_id.reference, str(call.params))
        # Its events arrive, too.
        self.process()
        self.assert_refunded(100)

    def test_partial_refunds_from_odoo(self):
        self.refund_in_odoo(30)
        self.refund_in_odoo(20)
        self.process()
        self.assert_refunded(30, 20)

    def test_more_than_is_left_is_refused(self):
        self.refund_in_odoo(70)
        with self.assertRaises(JsonRpcException), mute_logger('odoo.http'):
            self.refund_in_odoo(40)
        refund_tx = self.payment.payment_transaction_id._create_child_transaction(
            40, is_refund=True
        )
        with self.assertRaisesRegex(ValidationError, "30.00 of this payment"):
            refund_tx._stripe_checkout_check_refundable()
        refund_tx.unlink()
        self.process()
        self.assert_refunded(70)

    def test_what_stripe_cannot_pay_back_exactly_is_refused(self):
        """Catches an error page, and an amount that counts as refunded for a day."""
        dinar = self.env['res.currency'].with_context(active_test=False)
        dinar = dinar.search([('name', '=', 'KWD')])
        dinar.active = True
        invoice = self.create_invoice(12.34, currency_id=dinar.id)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.process()
        self.payment = self.get_payments(invoice)
        self.stripe.calls.clear()
        self.assertEqual(self.refund_in_odoo(1.234)['params']['type'], 'danger')
        refund = invoice.transaction_ids.child_transaction_ids
        self.assertEqual(refund.state, 'error')
        self.assertIn("exactly", refund.state_message)
        self.assertEqual(self.payment.amount_available_for_refund, 12.34)
        self.assertFalse(self.stripe.calls.matching('POST', '/v1/refunds'))
        self.refund_in_odoo(1.23)
        self.assertEqual(self.payment.amount_available_for_refund, 11.11)

    def test_no_answer_is_repeated_with_the_same_key(self):
        self.stripe.faults.next(3, 'reset', path='/v1/refunds')
        self.refund_in_odoo(40)
        refund = self.payment.payment_transaction_id.child_transaction_ids
        self.assertEqual(refund.state, 'pending')
        self.assertFalse(self.get_refunds())
        self.stripe.faults.clear()
        refund._stripe_checkout_sweep_refund()
        self.assert_refunded(40)
        keys = {call.idempotency_key for call in self.stripe.calls.matching('POST', '/v1/refunds')}
        self.assertEqual(len(keys), 1)

    def test_error_of_stripes_own_may_have_refunded(self):
        """Catches a 500 that counts as refused, so that the next press refunds again."""
        for kind, is_made, left in (('500_after', True, 60), ('500', False, 20)):
            with self.subTest(kind):
                self.stripe.faults.next(1, kind, path='/v1/refunds', method='POST')
                self.refund_in_odoo(40)
                refund = self.payment.payment_transaction_id.child_transaction_ids[:1]
                self.assertEqual(refund.state, 'pending')
                self.assertEqual(self.payment.amount_available_for_refund, left)
                self.stripe.deliveries.pop_all()
                for minutes in (10, 20):
                    with freeze_time(datetime.now() + timedelta(minutes=minutes)):
                        self.run_cron('ir_cron_sweep')
                self.assertEqual(refund.state, 'done' if is_made else 'pending')
                with freeze_time(datetime.now() + timedelta(days=1)):
                    self.run_cron('ir_cron_sweep')
                self.assertEqual(refund.state, 'done' if is_made else 'error')
                self.assert_refunded(40)
                self.assertEqual(len(self.stripe.account.store.newest_first('refund')), 1)

    @mute_logger('odoo.sql_db')
    def test_conflict_after_stripes_answer_does_not_refund_again(self):
        """Catches a request that Odoo runs again, or staff, although Stripe has refunded."""
        for amount, code in ((10, '40001'), (15, '23505'), (20, '57014')):
            with self.subTest(code=code):
                self.refuse_in_database(code, 'INSERT ON account_payment')
                with mute_logger(REFUND):
                    self.refund_in_odoo(amount)
                self.accept_in_database()
        refunds = self.stripe.account.store.newest_first('refund')
        self.assertEqual([refund['amount'] for refund in refunds], [2000, 1500, 1000])
        self.assertEqual(self.payment.amount_available_for_refund, 55)
        self.assertFalse(self.get_refunds())
        self.process()
        self.assert_refunded(10, 15, 20)

    # === FROM THE DASHBOARD === #

    def test_refund_from_the_dashboard(self):
        self.stripe.refund(self.checkout['id'], 4000)
        self.process()
        self.assert_refunded(40)
        self.stripe.refund(self.checkout['id'], 2500)
        self.process()
        self.assert_refunded(40, 25)

    def test_events_in_every_order_and_twice(self):
        self.stripe.refund(self.checkout['id'], 4000)
        deliveries = self.stripe.deliveries.pop_all()
        for order in itertools.permutations(deliveries):
            self.deliver([*order, *order])
            self.run_queue()
            self.assert_refunded(40)
            self.env['stripe.event'].sudo().search([]).unlink()

    @mute_logger(QUEUE)
    def test_refund_before_its_payment_is_booked_is_tried_again(self):
        invoice = self.create_invoice(50)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        paid = self.stripe.deliveries.pop_all()
        self.stripe.refund(session['id'])
        refunded = self.stripe.deliveries.pop_all()
        self.deliver(refunded)
        self.run_queue()
        events = self.env['stripe.event'].search([('type', 'like', 'refund.')])
        self.assertEqual(set(events.mapped('state')), {'failed'})
        self.deliver(paid)
        self.run_queue()
        events.with_user(self.billing_admin).action_retry()
        self.run_queue()
        payment = self.get_payments(invoice)
        self.assertEqual(payment.amount_available_for_refund, 0)

    def test_refund_of_a_foreign_payment_is_ignored(self):
        session = self.open_foreign_session(500)
        self.stripe.pay(session.id)
        self.stripe.refund(session.id)
        self.process()
        self.assert_refunded()
        events = self.env['stripe.event'].search([('type', '=', 'refund.created')])
        self.assertEqual(events.mapped('state'), ['ignored'])

    def test_undelivered_refund_is_fetched(self):
        self.stripe.refund(self.checkout['id'], 4000)
        events = self.provider._stripe_checkout_get_client().v1.events.list({
            'delivery_success': False,
            'type': 'refund.created',
        })
        self.provider._stripe_checkout_store_undelivered(events.to_dict()['data'])
        self.run_queue()
        self.assert_refunded(40)

    # === FAILED === #

    def test_failed_refund_is_taken_back_and_can_be_made_again(self):
        self.refund_in_odoo(40)
        refund = self.get_refunds()
        self.process()
        self.stripe.fail_refund(refund.stripe_checkout_refund_id)
        self.process()
        self.assertEqual(refund.move_id.reversal_move_ids.state, 'posted')
        self.assertEqual(self.payment.amount_available_for_refund, 100)
        self.assertIn("Refund failed", self.invoice.activity_ids.mapped('summary'))
        clearing = self.provider.journal_id.default_account_id
        lines = self.env['account.move.line'].search([('account_id', '=', clearing.id)])
        self.assertAlmostEqual(sum(lines.mapped('balance')), 100)
        self.refund_in_odoo(100)
        self.assertEqual(self.payment.amount_available_for_refund, 0)

    def test_what_comes_late_does_not_undo_a_failure(self):
        self.stripe.refund(self.checkout['id'], 4000)
        created = self.stripe.deliveries.pop_all()
        [refund_id] = {
            d.event['data']['object']['id'] for d in created if d.event['type'] == 'refund.created'
        }
        self.stripe.fail_refund(refund_id)
        self.process()
        self.deliver(created)
        self.run_queue()
        self.assertEqual(self.payment.amount_available_for_refund, 100)
        posted = self.get_refunds().filtered(lambda p: not p.move_id.reversal_move_ids)
        self.assertFalse(posted)

    # === CREDIT NOTES === #

    def test_with_a_credit_note(self):
        note = self.make_credit_note(40)
        self.refund_in_odoo(40)
        self.assertRecordValues(note, [{'amount_residual': 0}])
        self.assertFalse(self.get_refunds()._stripe_checkout_get_debit_lines())
        self.assertEqual(self.invoice.payment_state, 'paid')

    def test_without_a_credit_note_there_is_a_todo_and_a_later_note_is_matched(self):
        self.refund_in_odoo(40)
        self.assertEqual(self.invoice.payment_state, 'paid')
        refund = self.get_refunds()
        self.assertEqual(
            sum(refund._stripe_checkout_get_debit_lines().mapped('amount_residual')), 40
        )
        self.assert_asks_for_credit_note("40.00")
        self.refund_in_odoo(20)
        self.assert_asks_for_credit_note("60.00")
        note = self.make_credit_note(45)
        self.assertRecordValues(note, [{'amount_residual': 0}])
        self.assert_asks_for_credit_note("15.00")
        self.make_credit_note(15)
        self.assertFalse(self.get_refunds()._stripe_checkout_get_debit_lines())
        self.assertFalse(self.get_todos())

    def get_todos(self):
        return self.invoice.activity_ids.filtered(
            lambda todo: todo.summary == "Refund without a credit note"
        )

    def assert_asks_for_credit_note(self, amount):
        """Check that one to-do names the amount, the invoice, and what to do."""
        todo = self.get_todos()
        self.assertEqual(len(todo), 1)
        for text in (amount, self.invoice.name, "press Credit Note"):
            self.assertIn(text, todo.note)

    def test_failed_refund_needs_no_credit_note(self):
        self.refund_in_odoo(40)
        self.assert_asks_for_credit_note("40.00")
        self.stripe.fail_refund(self.get_refunds().stripe_checkout_refund_id)
        self.process()
        self.assertFalse(self.get_todos())
        [failed] = self.invoice.activity_ids.filtered(lambda todo: todo.summary == "Refund failed")
        for text in ("40.00", self.invoice.name, "refund it again"):
            self.assertIn(text, failed.note)

    def test_refund_that_odoo_does_not_match_is_booked_all_the_same(self):
        # Without an exchange journal Odoo refuses to match amounts of two rates.
        rates = [('2020-01-01', 2.0)]
        euro = self.setup_other_currency('EUR', rates=rates)
        invoice = self.create_invoice(100, currency_id=euro.id, invoice_date='2020-06-01')
        checkout = self.open_link(invoice)
        self.stripe.pay(checkout['id'])
        self.process()
        note = invoice._reverse_moves([{'invoice_date': '2020-06-01', 'date': '2020-06-01'}])
        note.action_post()
        self.setup_other_currency('EUR', rates=[*rates, ('2021-01-01', 4.0)])
        self.company.currency_exchange_journal_id = False
        self.stripe.refund(checkout['id'])
        with mute_logger('odoo.addons.payment_stripe_checkout.models.payment_transaction_booking'):
            self.process()
        refund = invoice.transaction_ids.child_transaction_ids.payment_id
        self.assertEqual((refund.amount, refund.move_id.state), (100, 'posted'))

    def test_refund_of_an_open_credit(self):
        """A payment that no invoice took is refunded: nothing is left of either."""
        invoice = self.create_invoice(70)
        session = self.open_link(invoice)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({})._create_payments()
        self.stripe.pay(session['id'])
        self.process()
        payment = invoice.transaction_ids.payment_id
        self.assertEqual(payment.stripe_checkout_credit, 70)
        self.stripe.refund(session['id'])
        self.process()
        self.assertEqual(payment.stripe_checkout_credit, 0)
        self.assertNotIn("Refund without a credit note", invoice.activity_ids.mapped('summary'))
