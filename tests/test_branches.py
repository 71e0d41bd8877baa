from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged

from .balance_common import BalanceCommon

DAY = 24 * 3600


@tagged('post_install', '-at_install')
class BranchCommon(BalanceCommon):
    """A branch that uses the connection of its parent, with contacts of both kinds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.branch = cls.env['res.company'].create({
            'name': "Branch",
            'parent_id': cls.company.id,
        })
        cls.cr.precommit.run()  # Loads the chart of accounts.
        cls.billing_admin.company_ids += cls.branch
        cls.branch_client = cls.client.copy({
            'name': "Client of the branch",
            'email': 'branch-client@example.com',
            'company_id': cls.branch.id,
        })
        cls.contacts = {'shared': cls.client, 'of the branch': cls.branch_client}
        cls.parent_staff = cls.new_staff('parent_staff', cls.company)
        cls.branch_staff = cls.new_staff('branch_staff', cls.branch)

    @classmethod
    def new_staff(cls, login, company, groups='account.group_account_manager'):
        return new_test_user(
            cls.env,
            login=login,
            password=f'{login}-password',
            groups=groups,
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )

    def each_contact(self):
        """Run the rest of a test for both kinds of contact."""
        for kind, contact in self.contacts.items():
            with self.subTest(kind):
                yield contact

    def pay(self, *args, **values):
        return super().pay(*args, **{'company_id': self.branch.id, **values})

    def get_session_id(self, invoice):
        transactions = invoice.transaction_ids.filtered(lambda tx: tx.operation != 'refund')
        return transactions.stripe_checkout_session_id

    def assert_of_branch(self, invoice, amount=100, **kwargs):
        """Check that an invoice of the branch is paid, once, in the books of the branch."""
        payment = self.assert_booked(invoice, amount, **kwargs)
        self.assertEqual(payment.company_id, self.branch)
        self.assertEqual(payment.move_id.line_ids.company_id, self.branch)
        self.assertEqual(payment.payment_transaction_id.company_id, self.branch)
        self.assertEqual(payment.journal_id.company_id, self.company, "The parent's journal")
        return payment


@tagged('post_install', '-at_install')
class TestBranches(BranchCommon):
    """What clients of a branch pay is booked in the branch, through its parent's connection."""

    # === PAID === #

    def test_card(self):
        for contact in self.each_contact():
            invoice = self.pay(partner_id=contact.id)
            payment = self.assert_of_branch(invoice)
            self.assertEqual(payment.partner_id, contact)
            self.feed()
            [fee] = self.get_rows(payment_id=payment.id).statement_line_ids
            self.assertRecordValues(
                fee,
                [{'company_id': self.branch.id, 'amount': -3.2, 'partner_id': contact.id}],
            )
            self.assert_ties()
            self.assert_nothing_suspended()

    def test_bank_debit(self):
        for contact in self.each_contact():
            invoice = self.pay(partner_id=contact.id, method='us_bank_account')
            self.assert_of_branch(invoice)
            self.feed()
            self.assert_ties()

    def test_parent_and_branch_in_one_batch(self):
        invoices = [
            self.pay(settle=False, partner_id=self.branch_client.id),
            self.pay(settle=False, company_id=self.company.id),
        ]
        self.settle()
        self.assert_of_branch(invoices[0])
        self.assertEqual(self.assert_booked(invoices[1], 100).company_id, self.company)
        self.feed()
        self.assert_ties()

    def test_through_the_payment_form(self):
        """Odoo's own form makes its transaction itself."""
        for contact in self.each_contact():
            invoice = self.create_invoice(company_id=self.branch.id, partner_id=contact.id)
            values = self.make_jsonrpc_request(
                f'/invoice/transaction/{invoice.id}',
                self.get_form_values(invoice),
            )
            self.assertTrue(values['redirect_form_html'])
            self.stripe.pay(self.get_session_id(invoice))
            self.settle()
            self.assert_of_branch(invoice)

    def test_foreign_currency_makes_its_exchange_entry(self):
        today = fields.Date.today()
        euro = self.setup_other_currency(
            'EUR', rates=[(today - timedelta(days=40), 0.5), (today, 0.4)]
        )
        invoice = self.pay(
            partner_id=self.branch_client.id,
            currency_id=euro.id,
            invoice_date=today - timedelta(days=30),
        )
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertEqual(self.get_payments(invoice).company_id, self.branch)
        # Odoo books it in the company of the exchange journal.
        exchange = invoice.line_ids.matched_credit_ids.exchange_move_id
        self.assertEqual(sum(exchange.line_ids.filtered('debit').mapped('debit')), 50)
        self.feed()
        self.assert_ties()

    def test_fees_of_the_day(self):
        """One line for the branch and one for its parent."""
        self.provider.stripe_checkout_fee_mode = 'day'
        self.pay(partner_id=self.branch_client.id)
        self.pay(200, company_id=self.company.id)
        self.feed()
        with freeze_time(datetime.now() + timedelta(days=1)):
            self.feed()
        self.assertRecordValues(
            self.get_rows().fee_line_id.sorted('amount'),
            [
                {'amount': -6.1, 'company_id': self.company.id},
                {'amount': -3.2, 'company_id': self.branch.id},
            ],
        )
        self.assert_ties()

    # === LOCKED === #

    def test_lock_date_of_the_branch_moves_payment_and_fee(self):
        self.check_moved(self.branch)

    def test_lock_date_of_the_parent_moves_payment_and_fee(self):
        self.check_moved(self.company)

    def check_moved(self, locked):
        """Check that a payment made before a company locks its books is booked after the lock."""
        invoice = self.create_invoice(company_id=self.branch.id, partner_id=self.branch_client.id)
        self.stripe.pay(self.open_link(invoice)['id'])
        day = fields.Date.today() + timedelta(days=10)
        locked.sudo().fiscalyear_lock_date = day - timedelta(days=1)
        self.stripe.make_balance_transactions()
        self.settle()
        payment = self.assert_of_branch(invoice)
        self.assertEqual((payment.date, payment.move_id.date), (day, day))
        self.feed()
        [row] = self.get_rows(payment_id=payment.id)
        self.assertTrue(row.moved)
        self.assertEqual(row.statement_line_ids.date, day)
        self.assert_ties()

    # === GIVEN BACK === #

    def test_refund_from_odoo_by_staff_of_the_branch(self):
        for contact in self.each_contact():
            self.authenticate(None, None)
            payment = self.assert_of_branch(self.pay(partner_id=contact.id))
            self.feed()
            self.authenticate('branch_staff', 'branch_staff-password')
            wizard = self.call_kw(
                'payment.refund.wizard',
                'create',
                [{'payment_id': payment.id, 'amount_to_refund': 40}],
                context={'active_model': 'account.payment', 'active_id': payment.id},
            )
            self.call_kw('payment.refund.wizard', 'action_refund', [wizard])
            self.env.invalidate_all()
            self.assert_refunded(payment, 40)

    def test_refund_from_the_dashboard(self):
        for contact in self.each_contact():
            invoice = self.pay(partner_id=contact.id)
            payment = self.assert_of_branch(invoice)
            self.feed()
            refund = self.stripe.refund(self.get_session_id(invoice), 4000)
            self.settle()
            self.assert_refunded(payment, 40)
            self.stripe.fail_refund(refund['id'])
            self.settle()
            self.feed()
            self.assertEqual(payment.amount_available_for_refund, 100)
            self.assert_ties()

    def call_kw(self, model, method, args, **kwargs):
        """Call a method over RPC, as the web client does."""
        return self.make_jsonrpc_request(
            '/web/dataset/call_kw',
            {'model': model, 'method': method, 'args': args, 'kwargs': kwargs},
        )

    def assert_refunded(self, payment, amount):
        refund = self.env['account.payment'].search([('source_payment_id', '=', payment.id)])
        self.assertRecordValues(
            refund, [{'amount': amount, 'company_id': self.branch.id, 'payment_type': 'outbound'}]
        )
        self.assertEqual(refund.payment_transaction_id.company_id, self.branch)
        self.assertEqual(payment.amount_available_for_refund, 100 - amount)
        self.stripe.make_balance_transactions()
        self.feed()
        self.assert_ties()

    def test_dispute(self):
        for contact in self.each_contact():
            invoice = self.pay(partner_id=contact.id)
            made = self.stripe.dispute(self.get_session_id(invoice))
            self.settle()
            self.feed()
            [dispute] = invoice.with_user(self.branch_staff).stripe_checkout_dispute_ids
            self.assertRecordValues(
                dispute, [{'company_id': self.branch.id, 'status': 'needs_response'}]
            )
            self.assert_ties()
            self.stripe.lose_dispute(made['id'])
            self.settle()
            self.feed()
            self.assertEqual(invoice.payment_state, 'not_paid')
            disputed = self.get_items(self.provider.stripe_checkout_dispute_account_id)
            self.assertEqual(disputed.company_id, self.branch)
            self.assertEqual(sum(disputed.mapped('balance')), 0)
            self.assert_ties()
            self.assert_nothing_suspended()

    # === PAID OUT === #

    def test_payout_of_both(self):
        self.pay(partner_id=self.branch_client.id)
        self.pay(200, company_id=self.company.id)
        self.stripe.advance(2 * DAY + 1)
        [payout] = self.stripe.pay_out()
        self.stripe.settle_payout(payout['id'])
        self.settle()
        self.feed()
        row = self.get_rows(kind='payout')
        self.assertEqual(row.statement_line_ids.company_id, self.company)
        self.assertEqual(self.get_balance(self.provider.stripe_checkout_payout_account_id), 290.7)
        self.assertEqual(self.get_balance(), 0)
        self.assertEqual(len(row.payout_content_ids), 2)
        self.assert_ties()

    # === WITHOUT A HOME === #

    def test_paid_twice_is_applied_within_the_branch(self):
        for contact in self.each_contact():
            invoice = self.create_invoice(company_id=self.branch.id, partner_id=contact.id)
            self.stripe.pay(self.open_link(invoice)['id'])
            self.register_payment(invoice)
            self.settle()
            payment = invoice.transaction_ids.payment_id
            self.assertRecordValues(
                payment, [{'company_id': self.branch.id, 'stripe_checkout_credit': 100}]
            )
            self.assertTrue(payment.activity_ids)
            self.create_invoice(partner_id=self.client.id)  # Of the parent: not its money.
            other = self.create_invoice(company_id=self.branch.id, partner_id=contact.id)
            payment.with_user(self.branch_staff).action_stripe_checkout_apply_credit()
            self.assertEqual(other.payment_state, 'paid')

    def test_todo_is_for_who_may_see_it(self):
        self.provider.stripe_checkout_user_id = self.parent_staff
        for user in (self.env.ref('base.user_admin'), self.branch_staff):
            invoice = self.create_invoice(company_id=self.branch.id)
            self.stripe.pay(self.open_link(invoice)['id'])
            self.register_payment(invoice)
            self.settle()
            self.assertEqual(invoice.transaction_ids.payment_id.activity_ids.user_id, user)
            self.provider.stripe_checkout_user_id = self.branch_staff

    def test_paid_after_reset_to_draft_stays_in_the_branch(self):
        for contact in self.each_contact():
            invoice = self.create_invoice(company_id=self.branch.id, partner_id=contact.id)
            checkout = self.open_link(invoice)
            self.stripe.pay(checkout['id'])
            invoice.button_draft()
            self.settle()
            self.assertEqual(invoice.state, 'draft')
            transaction = self.env['payment.transaction'].search([
                ('stripe_checkout_session_id', '=', checkout['id'])
            ])
            self.assertEqual(transaction.company_id, self.branch)
            self.assertRecordValues(
                transaction.payment_id,
                [{'company_id': self.branch.id, 'stripe_checkout_credit': 100}],
            )

    def test_transaction_without_invoices(self):
        """Of a shop or a payment page: the branch of the contact, else the parent."""
        for contact, company in (
            (self.client, self.company),
            (self.branch_client, self.branch),
        ):
            transaction = self.env['payment.transaction'].create({
                'provider_id': self.provider.id,
                'payment_method_id': self.provider.payment_method_ids.id,
                'reference': f'SHOP-{contact.id}',
                'amount': 10,
                'currency_id': self.company.currency_id.id,
                'partner_id': contact.id,
            })
            self.assertEqual(transaction.company_id, company)

    # === BESIDE STRIPE === #

    def register_payment(self, invoice, **values):
        wizards = self.env['account.payment.register'].with_user(self.branch_staff)
        wizards = wizards.with_context(active_model='account.move', active_ids=invoice.ids)
        with Form(wizards) as form:
            for name, value in values.items():
                form[name] = value
        form.record._create_payments()

    def test_registered_payment_closes_the_session(self):
        for contact in self.each_contact():
            invoice = self.create_invoice(company_id=self.branch.id, partner_id=contact.id)
            checkout = self.open_link(invoice)
            self.register_payment(invoice, received_by='check')
            self.run_queue()
            self.assertEqual(invoice.payment_state, 'paid')
            payment = self.get_payments(invoice)
            self.assertRecordValues(
                payment, [{'company_id': self.branch.id, 'received_by': 'check'}]
            )
            self.assertEqual(self.stripe.session(checkout['id'])['status'], 'expired')

    # === CLIENT === #

    def test_mails(self):
        self.provider.stripe_checkout_reminders = True
        due = fields.Date.today() - timedelta(days=3)
        for contact in self.each_contact():
            invoice = self.create_invoice(
                company_id=self.branch.id,
                partner_id=contact.id,
                invoice_date=due - timedelta(days=30),
                invoice_date_due=due,
            )
            self.run_cron('ir_cron_remind')
            [reminder] = self.read_mails(contact)
            self.assertTrue(reminder.subject.startswith("Branch: "), reminder.subject)
            _label, url = reminder.get_button()
            response = self.url_open(url.removeprefix(self.base_url()), allow_redirects=False)
            self.stripe.pay(self.get_session(response.headers['Location'])['id'])
            self.settle()
            self.run_cron('ir_cron_send_mails')
            [_reminder, confirmation] = self.read_mails(contact)
            self.assertTrue(confirmation.subject.startswith("Branch: "), confirmation.subject)
            self.assert_of_branch(invoice)

    def test_portal(self):
        for contact in self.each_contact():
            login = f'portal_{contact.id}'
            user = new_test_user(
                self.env,
                login=login,
                groups='base.group_portal',
                company_id=self.branch.id,
                company_ids=[Command.set(self.branch.ids)],
            )
            user.partner_id.parent_id = contact
            invoice = self.create_invoice(company_id=self.branch.id, partner_id=contact.id)
            self.authenticate(login, login)
            for path in ('/my/invoices', f'/my/invoices/{invoice.id}', '/my/billing'):
                page = self.url_open(path)
                self.assertEqual(page.status_code, 200)
                self.assertIn(invoice.name, page.text)
            response = self.url_open(
                invoice._stripe_checkout_get_portal_pay_url(), allow_redirects=True
            )
            self.stripe.pay(self.get_session(response.url)['id'])
            self.settle()
            payment = self.assert_of_branch(invoice)
            self.assertIn(payment.name, self.url_open('/my/billing').text)


@tagged('post_install', '-at_install')
class TestBranchAccess(BranchCommon):
    """The branch sees what is its own; the connection is its parent's."""

    def test_who_sees_what(self):
        invoice = self.pay(partner_id=self.branch_client.id)
        self.pay(200, company_id=self.company.id)
        self.stripe.dispute(self.get_session_id(invoice))
        self.settle()
        self.feed()
        self.env.flush_all()
        both = self.billing_admin
        for model, domain in (
            ('account.payment', [('stripe_checkout_payment_intent', '!=', False)]),
            ('payment.transaction', [('provider_id', '=', self.provider.id)]),
            ('stripe.checkout.report', []),
            ('stripe.payment.link', []),
        ):
            with self.subTest(model):
                seen = {
                    user.login: self.env[model].with_user(user).search(domain).company_id
                    for user in (self.parent_staff, self.branch_staff, both)
                }
                self.assertEqual(
                    seen,
                    {
                        'parent_staff': self.company,
                        'branch_staff': self.branch,
                        'billing_admin': self.company + self.branch,
                    },
                )
        Dispute = self.env['stripe.dispute']
        self.assertFalse(Dispute.with_user(self.parent_staff).search([]))
        self.assertTrue(Dispute.with_user(self.branch_staff).search([]))
        # The account at Stripe and its balance are the parent's.
        for model in ('stripe.event', 'stripe.balance.transaction', 'stripe.balance.report'):
            with self.subTest(model):
                self.assertTrue(self.env[model].with_user(self.parent_staff).search([]))
                self.assertFalse(self.env[model].with_user(self.branch_staff).search([]))

    def test_invoice_and_payment_open_for_staff_of_the_branch(self):
        invoice = self.pay(partner_id=self.branch_client.id)
        self.stripe.refund(self.get_session_id(invoice), 1000)
        self.settle()
        self.feed()
        invoice = invoice.with_user(self.branch_staff)
        with Form(invoice) as form:
            self.assertEqual(form.stripe_checkout_status, 'paid')
            self.assertIn("Paid: $\N{NO-BREAK SPACE}100.00", form.stripe_checkout_timeline)
        payment = self.get_payments(invoice).with_user(self.branch_staff)
        with Form(payment) as form:
            self.assertTrue(form.stripe_checkout_payment_intent)

    def test_only_the_parent_manages_the_connection(self):
        provider = self.provider.with_user(self.branch_staff)
        self.assertEqual(provider.search([]), self.provider, "It may be looked at")
        self.assertTrue(provider.action_stripe_checkout_open_settings())
        self.stripe.calls.clear()
        for manage in (
            lambda: self.connect(user=self.branch_staff, company=self.branch),
            lambda: provider.write({'stripe_checkout_link_expiration': '24'}),
            provider.action_stripe_checkout_disconnect,
            provider.action_stripe_checkout_test_connection,
            provider.action_stripe_checkout_retry_webhook,
            provider.action_stripe_checkout_open_connect,
        ):
            with self.assertRaises(AccessError):
                manage()
        self.assertEqual(len(self.stripe.calls), 0)
        self.assertEqual(self.get_provider(self.branch), self.env['payment.provider'])

    def test_connecting_a_branch_connects_its_parent(self):
        self.connect(user=self.billing_admin, company=self.branch)
        self.assertFalse(self.get_provider(self.branch))
        self.assertTrue(self.provider._stripe_checkout_is_connected())
