from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestInbox(StripeCheckoutCommon):
    """Captured money that no invoice took waits in one list, and leaves it by one click."""

    def pay_twice(self, **by_hand):
        """Pay an invoice by hand while its client pays online; return the online payment."""
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.register_payment(invoice, **by_hand)
        self.stripe.pay(session['id'])
        self.deliver()
        self.run_queue()
        return invoice.transaction_ids.payment_id

    def register_payment(self, invoice, **values):
        wizards = self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        )
        return wizards.create(values)._create_payments()

    def test_waits_with_a_todo(self):
        payment = self.pay_twice()
        self.assertEqual(self.get_inbox(), payment)
        self.assertEqual(payment.stripe_checkout_credit, 100)
        self.assertIn("100.00", self.get_todos(payment).note)

    def test_applied_to_the_oldest_open_invoices(self):
        payment = self.pay_twice()
        later = self.create_invoice(70, invoice_date_due='2030-02-01')
        sooner = self.create_invoice(60, invoice_date_due='2030-01-01')
        stranger = self.env['res.partner'].create({'name': "Somebody else"})
        foreign = self.create_invoice(10, partner_id=stranger.id)
        action = payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertIn(sooner.name, action['params']['message'])
        self.assertEqual(sooner.payment_state, 'paid')
        self.assertRecordValues(later, [{'payment_state': 'partial', 'amount_residual': 30}])
        self.assertEqual(foreign.payment_state, 'not_paid')
        self.assertFalse(self.get_inbox())
        self.assertFalse(self.get_todos(payment))

    def test_todo_says_what_is_left_of_a_payment(self):
        payment = self.pay_twice()
        self.create_invoice(70)
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertIn("30.00", self.get_todos(payment).note)
        self.stripe.refund(payment.stripe_checkout_session_id, 1000)
        self.deliver()
        self.run_queue()
        self.assertIn("20.00", self.get_todos(payment).note)
        self.assertEqual(payment.stripe_checkout_credit, 20)

    def test_not_applied_to_an_invoice_whose_payment_is_under_way(self):
        """Catches credit put on an invoice whose debit has no home then."""
        payment = self.pay_twice()
        under_way = self.create_invoice(100, invoice_date_due='2030-01-01')
        self.stripe.pay(self.open_link(under_way)['id'], 'us_bank_account')
        self.process()
        later = self.create_invoice(100, invoice_date_due='2030-02-01')
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertEqual((under_way + later).mapped('payment_state'), ['not_paid', 'paid'])

    def test_no_open_invoice(self):
        payment = self.pay_twice()
        with self.assertRaisesRegex(UserError, "no open invoice"):
            payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()

    def test_left_as_credit(self):
        payment = self.pay_twice()
        payment.with_user(self.billing_admin).action_stripe_checkout_keep_credit()
        self.assertFalse(self.get_inbox())
        self.assertFalse(self.get_todos(payment))
        self.assertEqual(payment.stripe_checkout_credit, 100)

    def test_left_as_credit_and_then_taken_off_its_invoice(self):
        """Catches money that nobody sees because less of it was left as credit before."""
        for change in ('button_cancel', 'unlink'):
            with self.subTest(change):
                payment = self.pay_twice()
                invoice = self.create_invoice(70)
                payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
                payment.with_user(self.billing_admin).action_stripe_checkout_keep_credit()
                self.assertFalse(self.get_inbox())
                invoice.button_draft()
                getattr(invoice, change)()
                self.assertEqual(self.get_inbox(), payment)
                self.assertIn("100.00", self.get_todos(payment).note)
                payment.with_user(self.billing_admin).action_stripe_checkout_keep_credit()
                self.assertFalse(self.get_inbox())
                self.assertFalse(self.get_todos(payment))

    def test_applied_where_the_client_owes_on_another_account_than_usual(self):
        """Catches a credit on an account on which no invoice of the client is."""
        usual = self.client.with_company(self.company).property_account_receivable_id
        position = self.env['account.fiscal.position'].create({
            'name': "Abroad",
            'company_id': self.company.id,
            'account_ids': [
                Command.create({
                    'account_src_id': usual.id,
                    'account_dest_id': usual.copy({'name': "Abroad", 'code': 'ABROAD'}).id,
                })
            ],
        })
        self.client.with_company(self.company).property_account_position_id = position
        payment = self.pay_twice()
        invoice = self.create_invoice(100)
        self.assertNotIn(usual, invoice.line_ids.account_id)
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertEqual(invoice.payment_state, 'paid')

    def test_staff_who_are_no_billing_admins_have_every_way_out(self):
        self.create_user('billing_staff', 'account.group_account_invoice')
        for way, credit in (
            (self.apply_as_staff, 0),
            (self.keep_as_staff, 100),
            (self.refund_as_staff, 0),
        ):
            with self.subTest(way.__name__):
                self.authenticate(None, None)
                payment = self.pay_twice()
                self.authenticate('billing_staff', 'billing_staff')
                way(payment)
                self.env.invalidate_all()
                self.assertEqual(payment.stripe_checkout_credit, credit)
                self.assertFalse(self.get_inbox())
                self.assertFalse(self.get_todos(payment))

    def apply_as_staff(self, payment):
        invoice = self.create_invoice(100)
        self.call_kw('account.payment', 'action_stripe_checkout_apply_credit', payment.ids)
        self.env.invalidate_all()
        self.assertEqual(invoice.payment_state, 'paid')

    def keep_as_staff(self, payment):
        self.call_kw('account.payment', 'action_stripe_checkout_keep_credit', payment.ids)

    def refund_as_staff(self, payment):
        values = {'payment_id': payment.id}
        wizard = self.call_kw('payment.refund.wizard', 'create', values)
        self.call_kw('payment.refund.wizard', 'action_refund', [wizard])

    def call_kw(self, model, method, argument):
        """Call a method over RPC, as the web client does."""
        return self.make_jsonrpc_request(
            '/web/dataset/call_kw',
            {'model': model, 'method': method, 'args': [argument], 'kwargs': {}},
        )

    def test_applied_by_any_other_way_it_leaves_the_list(self):
        payment = self.pay_twice()
        invoice = self.create_invoice(100)
        invoice.js_assign_outstanding_line(payment._stripe_checkout_get_credit_lines().id)
        self.assertFalse(self.get_inbox())
        self.assertFalse(self.get_todos(payment))

    def test_invoice_cancelled_or_deleted_after_it_was_paid(self):
        for change in ('button_cancel', 'unlink'):
            with self.subTest(change=change):
                invoice = self.create_invoice(100)
                self.stripe.pay(self.open_link(invoice)['id'])
                self.deliver()
                self.run_queue()
                payment = self.assert_booked(invoice, 100)
                reference = invoice.transaction_ids.reference
                invoice.button_draft()
                getattr(invoice, change)()
                self.assertIn(payment, self.get_inbox())
                note = self.get_todos(payment).note
                self.assertIn("100.00", note)
                self.assertIn("refund it", note)
                self.assertIn(invoice.name if invoice.exists() else reference, note)

    def test_waits_again_once_its_refund_has_failed(self):
        payment = self.pay_twice()
        refund = self.stripe.refund(payment.stripe_checkout_session_id)
        self.deliver()
        self.run_queue()
        self.assertFalse(self.get_todos(payment))
        self.stripe.fail_refund(refund['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(self.get_inbox(), payment)
        self.assertIn("100.00", self.get_todos(payment).note)

    def apply_to_another(self):
        """Apply a payment without a home; return it with the invoice that it was not for."""
        payment = self.pay_twice()
        invoice = self.create_invoice(100)
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertEqual(invoice.payment_state, 'paid')
        return payment, invoice

    def process(self):
        self.deliver()
        self.run_queue()

    def test_disputed_once_it_was_applied_to_another_invoice(self):
        """Catches what names the invoice that was asked for, in place of the one that was paid."""
        payment, invoice = self.apply_to_another()
        former = payment.invoice_ids
        dispute = self.stripe.dispute(payment.stripe_checkout_session_id)
        self.process()
        self.assertEqual((former + invoice)._stripe_checkout_filter_disputed(), invoice)
        self.stripe.lose_dispute(dispute['id'])
        self.process()
        self.assertEqual((former + invoice).mapped('payment_state'), ['paid', 'not_paid'])
        [todo] = invoice.activity_ids
        self.assertEqual(todo.summary, "Dispute lost")
        self.assertIn(invoice.name, todo.note)
        self.assertFalse(former.activity_ids)
        self.assertEqual(invoice.sudo().stripe_checkout_dispute_ids.dispute_id, dispute['id'])
        self.stripe.reinstate_dispute(dispute['id'])
        self.run_cron('ir_cron_feed')
        self.process()
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertFalse(invoice.activity_ids)

    def test_disputed_without_a_home(self):
        """Catches a client who is asked again for what was paid twice and went back."""
        payment = self.pay_twice()
        invoice = payment.invoice_ids
        self.stripe.lose_dispute(self.stripe.dispute(payment.stripe_checkout_session_id)['id'])
        self.process()
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertFalse(invoice.activity_ids)
        self.assertFalse(self.get_inbox())
        self.assertFalse(self.get_todos(payment))
        messages = ' '.join(invoice.message_ids.mapped('body'))
        self.assertIn("No invoice was paid with it", messages)
        self.assertNotIn("is open again", messages)

    def test_comes_back_after_a_part_was_left_as_credit(self):
        """Catches money that nobody sees because less of it was left as credit before."""
        payment = self.pay_twice(amount=40)
        invoice = payment.invoice_ids
        payment.with_user(self.billing_admin).action_stripe_checkout_keep_credit()
        dispute = self.stripe.dispute(payment.stripe_checkout_session_id)
        self.stripe.lose_dispute(dispute['id'])
        self.process()
        self.assertEqual(invoice.amount_residual, 60)
        self.register_payment(invoice)  # The client has paid it otherwise.
        self.stripe.reinstate_dispute(dispute['id'])
        self.run_cron('ir_cron_feed')
        self.process()
        self.assertEqual(self.get_inbox(), payment)
        self.assertIn("100.00", self.get_todos(payment).note)

    def test_what_went_beyond_the_invoice_is_disputed(self):
        """Catches a client who is asked again for an invoice that stays paid."""
        payment = self.pay_twice(amount=40)
        invoice = payment.invoice_ids
        self.assertEqual(self.get_inbox().stripe_checkout_credit, 40)
        dispute = self.stripe.dispute(payment.stripe_checkout_session_id, 4000)
        self.stripe.lose_dispute(dispute['id'])
        self.process()
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertFalse(invoice.activity_ids)
        self.assertFalse(self.get_inbox())
        self.assertNotIn("is open again", ' '.join(invoice.message_ids.mapped('body')))

    def test_applied_to_another_invoice_while_it_is_disputed(self):
        """Catches a reminder of an invoice whose payment is disputed."""
        payment = self.pay_twice()
        former = payment.invoice_ids
        self.stripe.dispute(payment.stripe_checkout_session_id)
        self.process()
        self.assertEqual(former._stripe_checkout_filter_disputed(), former)
        invoice = self.create_invoice(150)
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertEqual(invoice.payment_state, 'partial')
        self.assertEqual((former + invoice)._stripe_checkout_filter_disputed(), invoice)

    def test_refund_failed_once_it_was_applied_to_another_invoice(self):
        payment, invoice = self.apply_to_another()
        refund = self.stripe.refund(payment.stripe_checkout_session_id, 4000)
        self.process()
        self.stripe.fail_refund(refund['id'])
        self.process()
        [todo] = invoice.activity_ids
        self.assertEqual(todo.summary, "Refund failed")
        self.assertIn(invoice.name, todo.note)
        self.assertFalse(payment.invoice_ids.activity_ids)

    def test_refunded_once_it_was_applied_to_another_invoice(self):
        """Catches a credit note of the invoice that was paid which no refund is matched with."""
        payment, invoice = self.apply_to_another()
        self.stripe.refund(payment.stripe_checkout_session_id)
        self.process()
        [todo] = invoice.activity_ids
        self.assertEqual(todo.summary, "Refund without a credit note")
        self.assertIn(invoice.name, todo.note)
        self.assertFalse(payment.invoice_ids.activity_ids)
        note = invoice._reverse_moves([{'invoice_date': invoice.invoice_date}])
        note.action_post()
        self.assertEqual(note.amount_residual, 0)
        self.assertFalse(invoice.activity_ids)

    def test_taken_off_its_invoice(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.run_queue()
        payment = self.assert_booked(invoice, 100)
        [line] = invoice.invoice_payments_widget['content']
        staff = new_test_user(self.env, 'plain', groups='account.group_account_invoice')
        invoice.with_user(staff).js_remove_outstanding_partial(line['partial_id'])
        self.assertEqual(self.get_inbox(), payment)
        self.assertIn("100.00", self.get_todos(payment).note)
        invoice.js_assign_outstanding_line(payment._stripe_checkout_get_credit_lines().id)
        self.assertFalse(self.get_todos(payment))

    # === OUTSIDE OF STRIPE === #

    def test_invoice_edited_after_it_was_paid(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.run_queue()
        payment = invoice.transaction_ids.payment_id
        self.assertFalse(self.get_todos(payment))
        invoice.button_draft()
        invoice.invoice_line_ids.price_unit = 60
        invoice.action_post()
        self.assertEqual(invoice.payment_state, 'not_paid', "Odoo matches nothing by itself")
        self.assertEqual(self.get_inbox(), payment)
        self.assertIn("100.00", self.get_todos(payment).note)

    def test_received_by_is_kept_and_shown(self):
        for edition in ('enterprise', 'community'):
            self.env['ir.config_parameter'].sudo().set_param(
                'payment_stripe_checkout.edition', edition
            )
            for received_by, amount, state in (
                ('check', 40, 'partial'),
                ('wire', 100, 'paid'),
                ('cash', 100, 'paid'),
            ):
                with self.subTest(edition=edition, received_by=received_by):
                    invoice = self.create_invoice(100)
                    wizards = self.env['account.payment.register'].with_user(self.billing_admin)
                    with Form(
                        wizards.with_context(active_model='account.move', active_ids=invoice.ids)
                    ) as form:
                        form.received_by = received_by
                        form.amount = amount
                        form.payment_date = '2026-01-15'
                    form.record.action_create_payments()
                    payment = self.get_payments(invoice)
                    self.assertRecordValues(
                        payment, [{'received_by': received_by, 'amount': amount}]
                    )
                    self.assertEqual(str(payment.date), '2026-01-15')
                    self.assertEqual(invoice.payment_state, state)
                    [line] = invoice.invoice_payments_widget['content']
                    self.assertEqual(line['payment_method_name'].lower(), received_by)

    def test_received_without_an_entry_until_the_bank_shows_it(self):
        """As with Odoo's accounting app. Catches a check that leaves the invoice payable online."""
        moves = type(self.env['account.move'])
        self.patch(moves, '_get_invoice_in_payment_state', lambda _move: 'in_payment')
        journal = self.company_data['default_journal_bank']
        journal.inbound_payment_method_line_ids.payment_account_id = False
        for amount, state, status in ((40, 'payable', 'open'), (100, 'paid', 'expired')):
            with self.subTest(amount):
                invoice = self.create_invoice(100)
                session = self.open_link(invoice)
                payment = self.register_payment(invoice, received_by='check', amount=amount)
                self.run_queue()
                self.assertFalse(payment.move_id)
                self.assertEqual(invoice.amount_residual, 100)
                self.assertEqual(invoice._stripe_checkout_get_state(), state)
                self.assertEqual(self.stripe.session(session['id'])['status'], status)
        self.assertEqual(invoice._stripe_checkout_get_badge_keys(), ['paid'])
        payment.action_cancel()
        self.assertEqual(invoice._stripe_checkout_get_state(), 'payable')

    def test_several_invoices_at_once(self):
        invoices = self.create_invoice(100) + self.create_invoice(50)
        payments = self.register_payment(invoices, received_by='ach', group_payment=False)
        self.assertEqual(payments.mapped('received_by'), ['ach', 'ach'])
        self.assertEqual(invoices.mapped('payment_state'), ['paid', 'paid'])
