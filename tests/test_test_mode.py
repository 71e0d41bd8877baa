from datetime import timedelta

from freezegun import freeze_time
from lxml import html

from odoo.exceptions import UserError
from odoo.modules.neutralize import get_neutralization_queries
from odoo.tests import Form, new_test_user, tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestTestMode(StripeCheckoutCommon):
    """Test payments cannot be mistaken for real ones, and leave the books again."""

    def pay(self, amount=100):
        invoice = self.create_invoice(amount)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.run_queue()
        self.assert_booked(invoice, amount)
        return invoice

    def test_marked_everywhere(self):
        invoice = self.create_invoice(100)
        self.assertTrue(invoice.with_user(self.billing_admin).stripe_checkout_test_mode)
        page = self.get_page(self.url_open(f'{self.get_path(invoice)}/cancelled'))
        self.assertEqual(len(page.xpath("//*[@name='o_stripe_checkout_test_mode']")), 1)
        portal_user = new_test_user(self.env, login='marked_client', groups='base.group_portal')
        portal_user.partner_id.parent_id = self.client
        self.authenticate('marked_client', 'marked_client')
        for path in ('/my/invoices', '/my/billing', invoice.get_portal_url()):
            page = html.fromstring(self.url_open(path).content)
            self.assertEqual(len(page.xpath("//*[@name='o_stripe_checkout_test_mode']")), 1, path)
        payment = self.get_payments(self.pay())
        self.assertEqual(payment.stripe_checkout_mode, 'test')
        self.assertNotIn('test', (self.company_data['default_journal_bank'].name or '').lower())
        self.assertIn("(test)", payment.journal_id.name)

    def test_debit_under_way_is_marked(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'], method='us_bank_account')
        self.deliver()
        self.run_queue()
        portal_user = new_test_user(self.env, login='marked_client', groups='base.group_portal')
        portal_user.partner_id.parent_id = self.client
        self.authenticate('marked_client', 'marked_client')
        for live in (False, True):
            if live:
                self.go_live()
            invoice.invalidate_recordset()
            self.assertTrue(invoice.with_user(self.billing_admin).stripe_checkout_test_mode)
            for path in ('/my/billing', invoice.get_portal_url()):
                page = html.fromstring(self.url_open(path).content)
                marks = page.xpath("//*[@name='o_stripe_checkout_test_mode']")
                self.assertEqual(len(marks), 1, path)

    def test_live_pages_carry_no_mark(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.go_live()
        page = self.get_page(self.url_open(f'{path}/cancelled'))
        self.assertEqual(page.xpath("//*[@name='o_stripe_checkout_test_mode']"), [])
        self.assertFalse(invoice.with_user(self.billing_admin).stripe_checkout_test_mode)

    def test_a_test_payment_keeps_its_mark_in_live_mode(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        done = session['success_url'].replace('{CHECKOUT_SESSION_ID}', session['id'])
        self.url_open(done)
        self.assert_booked(invoice, 100)
        portal_user = new_test_user(self.env, login='marked_client', groups='base.group_portal')
        portal_user.partner_id.parent_id = self.client
        self.authenticate('marked_client', 'marked_client')
        mark = "//*[@name='o_stripe_checkout_test_mode' or @name='o_stripe_checkout_test_payment']"

        def assert_marked(paths, count):
            for each in paths:
                page = html.fromstring(self.url_open(each).content)
                self.assertEqual(len(page.xpath(mark)), count, each)
            as_staff = invoice.with_user(self.billing_admin)
            as_staff.invalidate_recordset()
            self.assertEqual(as_staff.stripe_checkout_test_mode, bool(count))

        done = done.removeprefix(self.base_url())
        assert_marked((path, done, invoice.get_portal_url()), 1)
        self.go_live()
        assert_marked((path, done, invoice.get_portal_url()), 1)
        # The list has the mark twice, as the badges: once for phones.
        assert_marked(('/my/invoices',), 2)
        assert_marked(('/my/billing',), 1)
        self.get_payments(invoice).move_id.line_ids.remove_move_reconcile()
        assert_marked((path, invoice.get_portal_url(), '/my/invoices'), 0)

    def reverse(self):
        """Reverse through the wizard, as a billing admin; return the wizard."""
        action = self.provider.with_user(
            self.billing_admin
        ).action_stripe_checkout_open_reverse_tests()
        wizards = self.env[action['res_model']].with_user(self.billing_admin)
        with Form(wizards.with_context(**action['context'])) as form:
            pass
        return form.record

    def test_test_payments_are_listed_and_reversed(self):
        first, second = self.pay(100), self.pay(50)
        wizard = self.reverse()
        self.assertEqual(wizard.payment_ids, self.get_payments(first) + self.get_payments(second))
        self.assertEqual(wizard.invoice_ids, first + second)
        payments = wizard.payment_ids
        wizard.action_reverse()
        for invoice, amount in ((first, 100), (second, 50)):
            self.assertRecordValues(
                invoice, [{'payment_state': 'not_paid', 'amount_residual': amount}]
            )
        clearing = payments.journal_id.default_account_id
        lines = self.env['account.move.line'].search([('account_id', '=', clearing.id)])
        self.assertEqual(sum(lines.mapped('balance')), 0)
        self.assertEqual(self.provider.stripe_checkout_test_entry_count, 0)
        with self.assertRaises(UserError):
            wizard.invalidate_recordset()
            wizard.action_reverse()

    def get_balances(self):
        """Return the balances of all accounts that anything of test mode is booked on."""
        items = self.env['account.move.line'].search([
            ('company_id', '=', self.company.id),
            ('parent_state', '=', 'posted'),
        ])
        balances = {
            account: sum(of_account.mapped('balance'))
            for account, of_account in items.grouped('account_id').items()
        }
        return {account: round(total, 2) for account, total in balances.items() if round(total, 2)}

    def test_everything_of_test_mode_is_reversed(self):
        """Catches fees, refunds, disputes and payouts of test mode that stay in the books."""
        invoices = [self.create_invoice(amount) for amount in (100, 50, 20, 10)]
        before = self.get_balances()
        sessions = [self.open_link(invoice)['id'] for invoice in invoices]
        for session in sessions:
            self.stripe.pay(session)
        self.stripe.make_balance_transactions()
        self.deliver()
        self.run_queue()
        self.stripe.refund(sessions[0], 40)
        failed = self.stripe.refund(sessions[0], 70)
        self.stripe.fail_refund(failed['id'])
        self.stripe.lose_dispute(self.stripe.dispute(sessions[1])['id'])
        self.stripe.dispute(sessions[2])
        self.stripe.add_balance_movement('topup', 30000)
        self.stripe.pay_out()
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_feed')
        self.assertGreater(len(self.get_balances()), len(before) + 3)
        self.assertTrue(invoices[2]._stripe_checkout_filter_disputed())
        disputes = self.env['stripe.dispute'].sudo().search([])
        self.assertEqual(disputes.activity_ids.mapped('summary'), ["Answer the dispute in Stripe"])
        self.assertIn("Dispute lost", invoices[1].activity_ids.mapped('summary'))

        wizard = self.reverse()
        self.assertEqual(
            set(wizard.payment_ids.mapped('stripe_checkout_session_id')), set(sessions)
        )
        self.assertGreater(len(wizard.move_ids), 8)
        wizard.action_reverse()
        self.assertEqual(self.get_balances(), before)
        for invoice in invoices:
            self.assertEqual(invoice.payment_state, 'not_paid')
            self.assertEqual(invoice.amount_residual, invoice.amount_total)
        self.assertEqual(self.provider.stripe_checkout_test_entry_count, 0)
        self.assertFalse(invoices[2]._stripe_checkout_filter_disputed())
        self.assertFalse(disputes.activity_ids)
        self.assertNotIn("Dispute lost", invoices[1].activity_ids.mapped('summary'))

    def test_dispute_of_a_reversed_payment_asks_for_no_answer(self):
        """Catches a to-do that stays for ever, or comes back with the next event of its dispute."""
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)['id']
        self.stripe.pay(session)
        dispute_id = self.stripe.dispute(session, inquiry=True)['id']
        self.deliver()
        self.run_queue()
        dispute = self.env['stripe.dispute'].sudo().search([('dispute_id', '=', dispute_id)])
        self.assertTrue(dispute.activity_ids)
        self.reverse().action_reverse()
        self.assertFalse(dispute.activity_ids)
        self.stripe.escalate_dispute(dispute_id)
        self.deliver()
        self.run_queue()
        self.assertEqual(dispute.status, 'needs_response')
        self.assertFalse(dispute.activity_ids)

    def test_invoice_that_was_paid_otherwise_stays_paid(self):
        """Catches a list of what opens again that names what a payment without a home was for."""
        invoice = self.pay(100)
        twice = self.create_invoice(100)
        self.stripe.pay(self.open_link(twice)['id'])
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=twice.ids
        ).create({})._create_payments()
        self.deliver()
        self.run_queue()
        wizard = self.reverse()
        self.assertEqual(len(wizard.payment_ids), 2)
        self.assertEqual(wizard.invoice_ids, invoice)
        action = wizard.action_reverse()
        self.assertEqual(action['domain'], [('id', 'in', invoice.ids)])
        self.assertEqual(twice.payment_state, 'paid')

    def test_reversal_works_in_locked_periods(self):
        invoice = self.pay(100)
        payment = self.get_payments(invoice)
        later = payment.date + timedelta(days=400)
        self.company.sudo().fiscalyear_lock_date = later - timedelta(days=30)
        with freeze_time(later):
            self.reverse().action_reverse()
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assertEqual(payment.move_id.reversal_move_ids.date, later)

    def test_reversed_test_payment_is_not_booked_again(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        [delivery] = self.stripe.deliveries.pop_all()
        self.deliver([delivery])
        self.run_queue()
        self.reverse().action_reverse()
        self.env['stripe.event'].sudo().search([]).unlink()
        self.deliver([delivery])
        self.run_queue()
        self.assertEqual(invoice.payment_state, 'not_paid')

    def neutralize(self):
        self.env.flush_all()
        for query in get_neutralization_queries(['payment_stripe_checkout']):
            self.env.cr.execute(query)
        self.env.invalidate_all()

    def test_neutralized_copy_is_connected_to_another_account(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        debited = self.create_invoice(50)
        self.stripe.pay(self.open_link(debited)['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        self.neutralize()
        other = self.stripe.add_account()
        wizards = self.env['stripe.checkout.connect'].with_user(self.billing_admin)
        wizard = wizards.create({
            'company_id': self.company.id,
            'secret_key': other.secret_key,
            'publishable_key': other.publishable_key,
        })
        wizard.action_connect()
        self.assertTrue(wizard.question)
        self.leave_account(wizard)
        self.assertEqual(self.stripe.session(session['id'])['status'], 'open', "The original's")
        self.assertNotEqual(self.open_link(invoice)['id'], session['id'])
        self.assertEqual(debited.transaction_ids.state, 'cancel')

    def test_neutralize(self):
        wizards = self.env['stripe.checkout.connect'].with_user(self.billing_admin)
        wizards.create({'secret_key': 'sk_test_typed_and_never_used'})
        self.neutralize()
        provider = self.provider
        self.assertEqual(provider.state, 'disabled')
        for field in (
            'stripe_checkout_secret_key',
            'stripe_checkout_publishable_key',
            'stripe_checkout_webhook_secret',
            'stripe_checkout_previous_webhook_secret',
            'stripe_checkout_endpoint_id',
            'stripe_checkout_base_url',
            'is_published',
        ):
            self.assertFalse(provider[field], field)
        self.assertFalse(wizards.sudo().search([]))
        self.assertEqual(self.create_invoice(10)._stripe_checkout_get_state(), 'unavailable')

    def test_report(self):
        invoice = self.pay(100)
        declined = self.create_invoice(30)
        self.stripe.pay(self.open_link(declined)['id'], outcome='decline')
        self.deliver()
        self.run_queue()
        report = self.env['stripe.checkout.report'].with_user(self.billing_admin)
        [paid] = report.search([('transaction_id', 'in', invoice.transaction_ids.ids)])
        self.assertRecordValues(
            paid,
            [
                {
                    'state': 'done',
                    'amount': 100,
                    'partner_id': self.client.id,
                    'declines': 0,
                    'days_to_paid': (self.get_payments(invoice).date - invoice.invoice_date).days,
                    'is_live': False,
                }
            ],
        )
        [lost] = report.search([('transaction_id', 'in', declined.transaction_ids.ids)])
        self.assertRecordValues(lost, [{'state': 'draft', 'declines': 1}])
        [(client, total)] = report._read_group([], ['partner_id'], ['amount:sum'])
        self.assertEqual((client, total), (self.client, 100))
