import itertools
from datetime import timedelta

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..dispute_facts import DisputeFacts
from .common import StripeCheckoutCommon

DAY = 24 * 3600
QUEUE = 'odoo.addons.payment_stripe_checkout.models.stripe_event_queue'


@tagged('post_install', '-at_install')
class TestDisputes(StripeCheckoutCommon):
    """What a client's bank asks back: who has to do what, and what the books then say."""

    def setUp(self):
        super().setUp()
        self.invoice, self.checkout = self.pay()

    def pay(self, amount=100, method='card', **values):
        invoice = self.create_invoice(amount, **values)
        checkout = self.open_link(invoice)
        self.stripe.pay(checkout['id'], method)
        if method != 'card':
            self.stripe.settle_debit(checkout['id'])
        self.process()
        self.assertEqual(invoice.payment_state, 'paid')
        return invoice, checkout

    def process(self):
        self.deliver()
        self.run_queue()

    def get_dispute(self, invoice=None):
        invoice = invoice or self.invoice
        return invoice.with_user(self.billing_admin).stripe_checkout_dispute_ids

    def get_todos(self, dispute):
        return dispute.sudo().activity_search([
            'payment_stripe_checkout.mail_activity_type_dispute'
        ])

    def assert_open_again(self, amount=100, invoice=None):
        """Check on the journal entries that a lost dispute opened the invoice, once."""
        invoice = invoice or self.invoice
        invoice.invalidate_recordset()
        dispute = self.get_dispute(invoice).sudo()
        self.assertEqual(invoice.amount_residual, amount)
        receivable = dispute.payment_id.destination_account_id
        disputed = self.provider.stripe_checkout_dispute_account_id
        self.assertRecordValues(
            dispute.chargeback_move_id.line_ids.sorted('balance'),
            [
                {'account_id': disputed.id, 'balance': -amount, 'reconciled': False},
                {'account_id': receivable.id, 'balance': amount, 'reconciled': True},
            ],
        )
        chargebacks = self.env['account.move.line'].search([('account_id', '=', disputed.id)])
        self.assertEqual(sum(chargebacks.mapped('balance')), -amount)

    # === STAGES === #

    def test_name_of_the_client_brings_no_link_into_the_todo(self):
        self.client.name = '<a href="https://example.com">Evidence</a>'
        self.stripe.dispute(self.checkout['id'])
        self.process()
        note = self.get_todos(self.get_dispute()).note
        self.assertIn('Evidence', note)
        self.assertNotIn('<a', note)

    def test_opened_there_is_a_todo_with_stripes_day(self):
        made = self.stripe.dispute(self.checkout['id'])
        self.process()
        dispute = self.get_dispute()
        self.assertRecordValues(
            dispute,
            [{'dispute_id': made['id'], 'status': 'needs_response', 'amount': 100}],
        )
        todo = self.get_todos(dispute)
        self.assertEqual(len(todo), 1)
        self.assertEqual(todo.date_deadline, dispute.evidence_due_by.date())
        self.assertEqual(todo.user_id, self.billing_admin)
        self.assertIn("100.00", todo.note)
        self.assertIn(self.invoice.name, todo.note)
        self.assertEqual(self.invoice.payment_state, 'paid', "Not decided")
        self.assertEqual(self.invoice._stripe_checkout_filter_disputed(), self.invoice)

    def test_evidence_handed_in(self):
        made = self.stripe.dispute(self.checkout['id'])
        self.process()
        self.stripe.review_dispute(made['id'])
        self.process()
        self.assertEqual(self.get_dispute().status, 'under_review')
        self.assertFalse(self.get_todos(self.get_dispute()))

    def test_won(self):
        made = self.stripe.dispute(self.checkout['id'])
        self.process()
        self.stripe.win_dispute(made['id'])
        self.process()
        dispute = self.get_dispute()
        self.assertEqual(dispute.status, 'won')
        self.assertFalse(dispute.chargeback_move_id)
        self.assertEqual(self.invoice.payment_state, 'paid')
        self.assertFalse(self.invoice._stripe_checkout_filter_disputed())
        self.assertFalse(self.get_todos(dispute))

    def test_lost_opens_the_invoice_again(self):
        made = self.stripe.dispute(self.checkout['id'])
        self.process()
        self.stripe.lose_dispute(made['id'])
        self.process()
        self.assert_open_again()
        payment = self.get_dispute().payment_id
        self.assertEqual(payment.amount_available_for_refund, 0, "The client has it already")
        todo = self.invoice.activity_ids.filtered(lambda x: x.summary == "Dispute lost")
        self.assertEqual(todo.user_id, self.billing_admin)
        for text in ("100.00", self.invoice.name, "make a credit note"):
            self.assertIn(text, todo.note)
        # The client can pay it again.
        checkout = self.open_link(self.invoice)
        self.stripe.pay(checkout['id'])
        self.process()
        self.assertEqual(self.invoice.payment_state, 'paid')

    def test_lost_in_part(self):
        made = self.stripe.dispute(self.checkout['id'], 3000)
        self.process()
        self.stripe.lose_dispute(made['id'])
        self.process()
        self.assert_open_again(30)
        self.assertEqual(self.invoice.payment_state, 'partial')
        self.assertEqual(self.get_dispute().payment_id.amount_available_for_refund, 70)

    def test_lost_in_part_after_a_refund(self):
        """What was refunded out of the payment stays so; the invoice owes the disputed part."""
        invoice = self.create_invoice(100)
        checkout = self.open_link(invoice)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': 40})._create_payments()
        self.stripe.pay(checkout['id'])
        self.process()
        self.stripe.refund(checkout['id'], 4000)
        self.process()
        refund = invoice.transaction_ids.child_transaction_ids.payment_id
        self.assertFalse(refund._stripe_checkout_get_debit_lines())
        self.stripe.lose_dispute(self.stripe.dispute(checkout['id'], 6000)['id'])
        self.process()
        self.assertEqual(invoice.amount_residual, 60)
        self.assertFalse(refund._stripe_checkout_get_debit_lines())

    def test_second_part_lost_weeks_after_the_invoice_was_due(self):
        """Catches a first chargeback that is owed beside the invoice once there is a second one."""
        invoice, checkout = self.pay(100, invoice_date_due='2026-01-31')
        intent = self.stripe.session(checkout['id'])['payment_intent']
        for dispute_id, part in (('du_first', 3000), ('du_second', 2000)):
            # The stand-in lets a payment be disputed once.
            self.env['stripe.dispute'].sudo()._settle(
                self.provider,
                DisputeFacts(dispute_id, 'lost', intent, part, 'USD', 'fraudulent'),
            )
        chargebacks = self.get_dispute(invoice).sudo().chargeback_move_id
        self.assertEqual(len(chargebacks), 2)
        receivable = invoice.line_ids.filtered(lambda line: line.display_type == 'payment_term')
        owed = chargebacks.line_ids.filtered(
            lambda line: line.account_id == receivable.account_id and not line.reconciled
        )
        self.assertFalse(owed)
        self.assertEqual(invoice.amount_residual, 50)

    def test_returned_bank_debit(self):
        invoice, checkout = self.pay(80, 'us_bank_account')
        self.stripe.return_debit(checkout['id'])
        self.process()
        dispute = self.get_dispute(invoice)
        self.assertEqual(dispute.status, 'lost')
        self.assertIn("insufficient funds", dispute.reason)
        self.assert_open_again(80, invoice)

    def test_inquiry_moves_no_money(self):
        made = self.stripe.dispute(self.checkout['id'], inquiry=True)
        self.process()
        self.assertEqual(self.get_dispute().status, 'warning_needs_response')
        self.assertEqual(len(self.get_todos(self.get_dispute())), 1)
        self.stripe.close_inquiry(made['id'])
        self.process()
        self.assertEqual(self.get_dispute().status, 'warning_closed')
        self.assertFalse(self.get_dispute().chargeback_move_id)
        self.assertFalse(self.invoice._stripe_checkout_filter_disputed())

    def test_inquiry_that_becomes_a_chargeback(self):
        made = self.stripe.dispute(self.checkout['id'], inquiry=True)
        self.process()
        inquiry_due_by = self.get_dispute().evidence_due_by
        self.stripe.advance(6 * DAY)
        self.stripe.escalate_dispute(made['id'])
        self.process()
        self.assertEqual(self.get_dispute().status, 'needs_response')
        self.assertGreater(self.get_dispute().evidence_due_by, inquiry_due_by)
        self.assert_due(self.get_dispute().evidence_due_by)
        self.stripe.lose_dispute(made['id'])
        self.process()
        self.assert_open_again()

    def assert_due(self, due_by):
        todo = self.get_todos(self.get_dispute())
        self.assertEqual(len(todo), 1)
        self.assertEqual(todo.date_deadline, due_by.date())

    def test_stripe_changes_the_day_and_the_amount_alone(self):
        made = self.stripe.dispute(self.checkout['id'])
        self.process()
        due_by = self.get_dispute().evidence_due_by + timedelta(days=7)
        stored = self.stripe.account.store.get('dispute', made['id'])
        stored['evidence_details']['due_by'] += 7 * DAY
        stored['amount'] = 8000
        client = self.provider._stripe_checkout_get_client()
        client.v1.disputes.update(made['id'], {'metadata': {'seen': "by the bank"}})
        self.process()
        dispute = self.get_dispute()
        self.assertRecordValues(dispute, [{'evidence_due_by': due_by, 'amount': 80}])
        self.assert_due(due_by)
        self.assertIn("80.00", self.get_todos(dispute).note)

    # === ORDER AND NUMBER === #

    def test_events_in_every_order_and_twice(self):
        made = self.stripe.dispute(self.checkout['id'])
        self.stripe.lose_dispute(made['id'])
        deliveries = [
            delivery
            for delivery in self.stripe.deliveries.pop_all()
            if delivery.event['type'].startswith('charge.dispute.')
        ]
        self.assertGreaterEqual(len(deliveries), 3)
        for order in itertools.islice(itertools.permutations(deliveries), 6):
            self.deliver([*order, *order])
            self.run_queue()
            self.assert_open_again()
            self.env['stripe.event'].sudo().search([]).unlink()
        self.assertEqual(len(self.get_dispute()), 1)

    @mute_logger(QUEUE)
    def test_dispute_before_its_payment_is_booked_is_tried_again(self):
        invoice = self.create_invoice(50)
        checkout = self.open_link(invoice)
        self.stripe.pay(checkout['id'])
        paid = self.stripe.deliveries.pop_all()
        self.stripe.dispute(checkout['id'])
        self.process()
        self.assertFalse(self.get_dispute(invoice))
        self.deliver(paid)
        self.run_queue()
        events = self.env['stripe.event'].search([('state', '=', 'failed')])
        self.assertTrue(events)
        events.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assertEqual(self.get_dispute(invoice).status, 'needs_response')

    def test_undelivered_dispute_is_fetched(self):
        self.stripe.dispute(self.checkout['id'])
        events = self.provider._stripe_checkout_get_client().v1.events.list({
            'delivery_success': False,
            'type': 'charge.dispute.created',
        })
        self.provider._stripe_checkout_store_undelivered(events.to_dict()['data'])
        self.run_queue()
        self.assertEqual(self.get_dispute().status, 'needs_response')

    # === SEVERAL INVOICES === #

    def pay_together(self):
        """Return invoices of 60 and 40 that were paid at once, and the session."""
        first, second = self.create_invoice(60), self.create_invoice(40)
        link = self.env['stripe.payment.link']._get_or_create_for_all(first + second)
        response = self.url_open(link._get_path(), allow_redirects=False)
        checkout = self.get_session(response.headers['Location'])
        self.stripe.pay(checkout['id'])
        self.process()
        return first, second, checkout

    def test_lost_part_of_a_payment_of_several_invoices(self):
        """Catches a to-do on an invoice that stays paid."""
        first, second, checkout = self.pay_together()
        self.stripe.lose_dispute(self.stripe.dispute(checkout['id'], 3000)['id'])
        self.process()
        opened = (first + second).filtered('amount_residual')
        self.assertEqual(opened.mapped('amount_residual'), [30])
        [todo] = (first + second).activity_ids
        self.assertEqual((todo.res_id, todo.summary), (opened.id, "Dispute lost"))
        self.assertIn(f"of {opened.name} went back", todo.note)

    def test_lost_payment_of_several_invoices(self):
        first, second, checkout = self.pay_together()
        self.assertEqual((first + second).mapped('payment_state'), ['paid', 'paid'])
        made = self.stripe.dispute(checkout['id'])
        self.stripe.lose_dispute(made['id'])
        self.process()
        self.assertEqual((first + second).mapped('amount_residual'), [60, 40])
