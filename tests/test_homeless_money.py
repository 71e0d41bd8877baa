from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import session_facts
from .common import StripeCheckoutCommon

ADDON = 'odoo.addons.payment_stripe_checkout'
QUEUE = f'{ADDON}.models.stripe_event_queue'
BOOKING = f'{ADDON}.models.payment_transaction_booking'


@tagged('post_install', '-at_install')
class TestHomelessMoney(StripeCheckoutCommon):
    """What Stripe captured is booked, whatever became of the invoice; staff have every way out."""

    # === WHAT BECOMES OF THE INVOICE WHILE ITS CLIENT PAYS === #

    def register_payment(self, invoice, amount=None):
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': amount} if amount else {})._create_payments()

    def pay_by_hand(self, invoice):
        self.register_payment(invoice)

    def pay_part_by_hand(self, invoice):
        self.register_payment(invoice, 60)

    def cancel(self, invoice):
        invoice.button_draft()
        invoice.button_cancel()

    def reset_to_draft(self, invoice):
        invoice.button_draft()

    def make_credit_note(self, invoice):
        invoice._reverse_moves(cancel=True)

    def make_credit_note_of_a_part(self, invoice):
        note = invoice._reverse_moves([{'invoice_date': invoice.invoice_date}])
        note.invoice_line_ids.price_unit = 30
        note.action_post()
        (note + invoice).line_ids.filtered(
            lambda line: line.display_type == 'payment_term' and not line.reconciled
        ).reconcile()

    def change_currency(self, invoice):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        invoice.button_draft()
        invoice.currency_id = euro
        invoice.action_post()

    def apply_credit(self, invoice):
        credit = self.env['account.payment'].create({
            'payment_type': 'inbound',
            'partner_type': 'customer',
            'partner_id': self.client.id,
            'amount': 100,
            'journal_id': self.company_data['default_journal_bank'].id,
        })
        credit.action_post()
        invoice.js_assign_outstanding_line(
            credit.move_id.line_ids.filtered(
                lambda line: line.account_id.account_type == 'asset_receivable'
            ).id
        )

    CASES = (
        # What happens, what of the payment no invoice takes, the invoice afterwards.
        (pay_by_hand, 100, ('posted', 'paid')),
        (pay_part_by_hand, 60, ('posted', 'paid')),
        (apply_credit, 100, ('posted', 'paid')),
        (cancel, 100, ('cancel', 'not_paid')),
        (reset_to_draft, 100, ('draft', 'not_paid')),
        (change_currency, 100, ('posted', 'not_paid')),
        (make_credit_note, 100, ('posted', 'reversed')),
        (make_credit_note_of_a_part, 30, ('posted', 'paid')),
    )

    def pay_meanwhile(self, happen):
        """Have something happen to an invoice between the client's payment and its event."""
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        happen(self, invoice)
        self.process()
        return invoice, invoice.sudo().transaction_ids.payment_id

    def process(self):
        self.deliver()
        self.run_queue()

    # === CHECKS === #

    def get_clearing(self):
        """Return what the books say that is on Stripe's balance, fees apart."""
        account = self.provider.journal_id.default_account_id
        items = self.env['account.move.line'].search([
            ('account_id', '=', account.id),
            ('parent_state', '=', 'posted'),
        ])
        return sum(items.mapped('balance'))

    def assert_waits(self, invoice, payment, credit):
        """Check payment, journal items, inbox and to-do of money without a home."""
        self.assertEqual(len(payment), 1)
        self.assertEqual((payment.move_id.state, payment.amount), ('posted', 100))
        self.assertEqual(payment.stripe_checkout_credit, credit)
        receivable = payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable'
        )
        self.assertRecordValues(receivable, [{'balance': -100, 'amount_residual': -credit}])
        self.assertEqual(self.get_inbox(), payment)
        [todo] = self.get_todos(payment)
        self.assertEqual(todo.user_id, self.billing_admin)
        for fact in (f'{credit:.2f}', invoice.name, "Apply it", "refund it", "leave it"):
            self.assertIn(fact, todo.note)

    def assert_left_the_inbox(self, payment, credit):
        payment.invalidate_recordset()
        self.assertFalse(self.get_inbox())
        self.assertFalse(self.get_todos(payment))
        self.assertEqual(payment.stripe_checkout_credit, credit)

    # === IN === #

    def test_booked_with_a_todo(self):
        for happen, credit, states in self.CASES:
            with self.subTest(happen.__name__):
                before = self.get_clearing()
                invoice, payment = self.pay_meanwhile(happen)
                self.assertTrue(payment, "Found from the invoice")
                self.assertEqual((invoice.state, invoice.payment_state), states)
                self.assert_waits(invoice, payment, credit)
                self.assertEqual(self.get_clearing(), before + 100)
                payment.with_user(self.billing_admin).action_stripe_checkout_keep_credit()

    # === OUT === #

    def test_applied(self):
        for happen, credit, _states in self.CASES:
            with self.subTest(happen.__name__):
                invoice, payment = self.pay_meanwhile(happen)
                if invoice.state == 'draft':
                    invoice.unlink()  # Else it is the first that the credit is applied to.
                other = self.create_invoice(credit)
                payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
                self.assertEqual(other.payment_state, 'paid')
                self.assert_left_the_inbox(payment, 0)

    def test_draft_that_is_posted_again_takes_it(self):
        invoice, payment = self.pay_meanwhile(type(self).reset_to_draft)
        invoice.action_post()
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assert_booked(invoice, 100)
        self.assert_left_the_inbox(payment, 0)

    def test_left_as_credit(self):
        for happen, credit, _states in self.CASES:
            with self.subTest(happen.__name__):
                _invoice, payment = self.pay_meanwhile(happen)
                payment.with_user(self.billing_admin).action_stripe_checkout_keep_credit()
                self.assert_left_the_inbox(payment, credit)

    def test_refunded(self):
        for happen, credit, states in self.CASES:
            with self.subTest(happen.__name__):
                before = self.get_clearing()
                self.authenticate(None, None)
                invoice, payment = self.pay_meanwhile(happen)
                self.authenticate('billing_admin', 'billing_admin')
                self.refund(payment)
                self.assert_left_the_inbox(payment, 0)
                self.assertEqual(self.get_clearing(), before + 100 - credit)
                self.assertEqual((invoice.state, invoice.payment_state), states, "As it was")
                if invoice.payment_state == 'paid':
                    self.assertEqual(invoice._stripe_checkout_get_badge_keys(), ['paid'])
                self.process()  # Stripe's events of the refund change nothing.
                self.assertEqual(self.get_clearing(), before + 100 - credit)
                self.assertFalse(
                    invoice.activity_ids.filtered(lambda todo: "credit note" in todo.note)
                )

    def refund(self, payment):
        """Refund what the framework's wizard proposes, over RPC."""
        context = {'active_model': 'account.payment', 'active_id': payment.id}
        values = {'payment_id': payment.id}
        wizard = self.call_kw('payment.refund.wizard', 'create', [values], context=context)
        self.call_kw('payment.refund.wizard', 'action_refund', [wizard])
        self.env.invalidate_all()

    def test_what_is_left_of_an_applied_payment_is_proposed(self):
        _invoice, payment = self.pay_meanwhile(type(self).pay_by_hand)
        other = self.create_invoice(70)
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertEqual(other.payment_state, 'paid')
        self.authenticate('billing_admin', 'billing_admin')
        self.refund(payment)
        self.assert_left_the_inbox(payment, 0)
        self.assertEqual(payment.amount_available_for_refund, 70)
        self.assertEqual(other.payment_state, 'paid')

    def call_kw(self, model, method, args, **kwargs):
        return self.make_jsonrpc_request(
            '/web/dataset/call_kw',
            {'model': model, 'method': method, 'args': args, 'kwargs': kwargs},
        )

    # === WHAT STRIPE SAYS DIFFERS FROM WHAT WAS ASKED === #

    def test_another_currency_or_amount_than_asked(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        for currency, minor, amount, residual, credit in (
            ('usd', 4000, 40, 60, 0),
            ('usd', 13000, 130, 0, 30),
            ('eur', 10000, 100, 100, 100),
        ):
            with self.subTest(currency=currency, amount=amount):
                invoice = self.create_invoice(100)
                session = self.open_link(invoice)
                self.stripe.pay(session['id'])
                self.stripe.deliveries.pop_all()
                current = self.provider._stripe_checkout_retrieve_session(session['id'])
                facts = session_facts.from_session({
                    **current,
                    'currency': currency,
                    'amount_total': minor,
                })
                transactions = self.env['payment.transaction'].sudo()
                payment = transactions._stripe_checkout_settle(self.provider, [facts]).payment_id
                expected = euro if currency == 'eur' else self.company.currency_id
                self.assertEqual((payment.amount, payment.currency_id), (amount, expected))
                self.assertEqual(payment.move_id.state, 'posted')
                self.assertEqual(invoice.amount_residual, residual)
                self.assertEqual(payment.stripe_checkout_credit, credit)
                self.assertEqual(len(self.get_todos(payment)), 1 if credit else 0)

    # === ACCOUNTING REFUSES === #

    def pay_refused(self, invoice):
        """Have an invoice paid whose reconciliation Odoo refuses; return the payment."""
        self.stripe.pay(self.open_link(invoice)['id'])
        with self.assertLogs(BOOKING, 'ERROR'):
            self.process()
        return invoice.sudo().transaction_ids.payment_id

    def test_no_cash_basis_journal(self):
        tax = self.create_tax_on_payment()
        invoice = self.create_invoice(
            invoice_line_ids=[
                Command.create({
                    'name': "Services",
                    'price_unit': 1000 / 11,
                    'tax_ids': [Command.set(tax.ids)],
                })
            ]
        )
        self.assertEqual(invoice.amount_total, 100)
        journal = self.company.tax_cash_basis_journal_id
        self.company.sudo().tax_cash_basis_journal_id = False
        payment = self.pay_refused(invoice)
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assert_waits(invoice, payment, 100)
        self.company.sudo().tax_cash_basis_journal_id = journal
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assert_booked(invoice, 100)
        self.assert_left_the_inbox(payment, 0)

    def test_no_exchange_journal(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        invoice = self.create_invoice(100, currency_id=euro.id, invoice_date='2020-06-01')
        self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0), ('2021-01-01', 4.0)])
        journal = self.company.currency_exchange_journal_id
        self.company.currency_exchange_journal_id = False
        payment = self.pay_refused(invoice)
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assertEqual(self.get_inbox(), payment)
        self.assertEqual(payment.stripe_checkout_credit, 100)
        self.company.currency_exchange_journal_id = journal
        payment.with_user(self.billing_admin).action_stripe_checkout_apply_credit()
        self.assertEqual(invoice.payment_state, 'paid')
        self.assert_left_the_inbox(payment, 0)

    @mute_logger(QUEUE)
    def test_no_journal_is_a_todo_that_cannot_be_lost(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        # Odoo lets nobody take the journal of a provider that is on.
        self.provider.state = 'disabled'
        self.provider.journal_id.sudo().unlink()
        self.assertFalse(self.provider.journal_id)
        self.process()
        self.assertEqual(invoice.payment_state, 'not_paid')
        event = self.env['stripe.event'].search([('type', '=', 'checkout.session.completed')])
        self.assertEqual(event.state, 'failed')
        self.assertIn("no journal", event.error)
        admins_event = event.with_user(self.billing_admin)
        for _attempt in range(2):
            admins_event.action_retry()
            self.run_queue()
        [todo] = event.sudo().activity_ids
        for fact in ("100.0 USD", invoice.name, "no journal", "press Retry"):
            self.assertIn(fact, todo.note)
        with self.assertRaises(AccessError):
            admins_event.unlink()
        with freeze_time(datetime.now() + timedelta(days=400)):
            self.env['stripe.event'].sudo()._gc_events()
        self.assertTrue(event.exists(), "What failed is kept")
        self.connect()
        admins_event.action_retry()
        self.run_queue()
        self.assert_booked(invoice, 100)
        self.assertEqual(event.state, 'done')
        self.assertFalse(event.sudo().activity_ids)
