from datetime import datetime, timedelta, timezone

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import const
from .common import StripeCheckoutCommon

CONTROLLER = 'odoo.addons.payment_stripe_checkout.controllers.pay'


@tagged('post_install', '-at_install')
class TestPaymentLink(StripeCheckoutCommon):
    """A link lives as long as the setting says, and leads to the one payable session."""

    def visit(self, path, **kwargs):
        return self.url_open(path, allow_redirects=False, **kwargs)

    def get_creations(self):
        return self.stripe.calls.matching('POST', '/v1/checkout/sessions')

    def get_open_sessions(self):
        return [session for session in self.get_sessions() if session['status'] == 'open']

    def assert_state(self, path, state, status=200):
        response = self.visit(path)
        self.assertEqual(response.status_code, status)
        return self.get_page(response, state)

    # === MADE AND READ === #

    def test_posting_makes_a_link_and_calls_nobody(self):
        invoice = self.create_invoice(100)
        self.assertEqual(len(invoice.stripe_payment_link_ids), 1)
        self.assertRegex(self.get_path(invoice), r'^/pay/[\w-]{32}$')
        self.assertEqual(len(self.stripe.calls), 0)

    def test_only_posted_customer_invoices_have_one(self):
        draft = self.create_invoice(100, post=False)
        bill = self.create_invoice(100, move_type='in_invoice', invoice_date='2026-01-01')
        credit_note = self.create_invoice(100, move_type='out_refund')
        for move in draft + bill + credit_note:
            self.assertFalse(move.stripe_payment_link_ids)
            self.assertFalse(move.stripe_checkout_url)

    def test_posting_again_keeps_the_link(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        invoice.button_draft()
        self.assertFalse(invoice.stripe_checkout_url)
        invoice.action_post()
        self.assertEqual(self.get_path(invoice), path)

    def test_a_copied_invoice_does_not_share_the_link(self):
        invoice = self.create_invoice(100)
        self.assertFalse(invoice.copy().stripe_payment_link_ids)

    def test_many_invoices_are_given_links_in_constant_queries(self):
        def count(number):
            invoices = self.env['account.move'].browse()
            for _invoice in range(number):
                invoices += self.create_invoice(10, post=False)
            invoices.flush_recordset()
            before = self.cr.sql_log_count
            self.env['stripe.payment.link']._create_for_each(invoices)
            self.env.flush_all()
            return self.cr.sql_log_count - before

        count(1)  # Warms the caches.
        self.assertEqual(count(2), count(20))

    def test_url_is_empty_when_it_cannot_be_paid_online(self):
        too_small = self.create_invoice(0.2)
        self.assertFalse(too_small.stripe_checkout_url)
        invoice = self.create_invoice(100)
        self.provider.state = 'disabled'
        invoice.invalidate_recordset()
        self.assertFalse(invoice.stripe_checkout_url)

    # === VISITED === #

    def test_first_visit_opens_a_session_and_a_repeat_calls_nobody(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        first = self.visit(path).headers['Location']
        self.assertEqual(len(self.stripe.calls), 1)
        self.assertEqual(len(self.get_creations()), 1)
        for _visit in range(3):
            self.assertEqual(self.visit(path).headers['Location'], first)
        self.assertEqual(len(self.stripe.calls), 1)

    def test_what_stripe_is_asked(self):
        invoice = self.create_invoice(123.45)
        self.open_link(invoice)
        [call] = self.get_creations()
        params = call.params
        self.assertEqual(call.stripe_version, const.API_VERSION)
        self.assertTrue(call.idempotency_key)
        self.assertEqual(params['customer_email'], 'client@example.com')
        self.assertEqual(params['payment_intent_data']['metadata'], params['metadata'])
        self.assertEqual(params['metadata']['odoo_invoices'], str(invoice.id))
        self.assertNotIn('payment_method_types', params)
        [line] = params['line_items']
        self.assertIn(invoice.name, line['price_data']['product_data']['name'])

    def test_clients_of_one_address_share_nothing_at_stripe(self):
        """No customer is made at Stripe, so none is shared and none is made again and again."""
        other = self.client.copy({'email': self.client.email})
        for client in (self.client, other):
            self.stripe.pay(self.open_link(self.create_invoice(10, partner_id=client.id))['id'])
        for call in self.get_creations():
            self.assertFalse({'customer', 'customer_creation'} & set(call.params))
            self.assertNotIn('setup_future_usage', str(call.params))
        self.assertFalse(self.stripe.calls.matching('POST', '/v1/customers'))

    def test_pages_and_redirects_are_private(self):
        path = self.get_path(self.create_invoice(100))
        for response in (self.visit(path), self.visit('/pay/unknown'), self.visit(f'{path}/done')):
            self.assertEqual(response.headers['Referrer-Policy'], 'no-referrer')
            self.assertEqual(response.headers['Cache-Control'], 'no-store')
            self.assertIn('noindex', response.headers['X-Robots-Tag'])

    def test_unknown_tokens_answer_alike(self):
        invoice = self.create_invoice(100)
        token = self.get_path(invoice).rpartition('/')[2]
        pages = {
            self.assert_state(path, 'unknown', 404).xpath('string(//main)')
            for path in ('/pay/x', f'/pay/{token[:-1]}', f'/pay/{"a" * 32}', '/pay/x/done',
                         '/pay/x/cancelled', f'/pay/{token}/done?session_id=cs_guess',
                         f'/pay/{token}/done?session_id=%00', '/pay/%00')
        }  # fmt: skip
        self.assertEqual(len(pages), 1)
        response = self.visit('/payment/stripe_checkout/return?session_id=%00')
        self.assertEqual(response.headers['Location'], '/payment/status')
        self.assertEqual(len(self.stripe.calls), 0)

    def test_link_scanners_open_nothing(self):
        path = self.get_path(self.create_invoice(100))
        response = self.url_open(path, method='HEAD', allow_redirects=False)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(len(self.stripe.calls), 0)

    def test_cancelled_at_stripe_leads_back_to_paying(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        page = self.assert_state(
            session['cancel_url'].removeprefix(self.base_url()), 'cancelled_at_stripe'
        )
        [again] = page.xpath("//a[@name='o_stripe_checkout_again']/@href")
        self.assertEqual(self.get_session(self.visit(again).headers['Location']), session)

    # === ONE PAYABLE SESSION === #

    def test_another_amount_retires_the_open_session(self):
        invoice = self.create_invoice(100)
        first = self.open_link(invoice)
        self.pay_otherwise(invoice, 40)
        second = self.open_link(invoice)
        self.assertEqual(second['amount_total'], 6000)
        self.assertEqual([s['id'] for s in self.get_open_sessions()], [second['id']])
        self.assertEqual(self.stripe.session(first['id'])['status'], 'expired')

    def pay_otherwise(self, invoice, amount):
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': amount})._create_payments()

    def test_session_that_was_just_paid_is_settled_in_place_of_another(self):
        invoice = self.create_invoice(100)
        first = self.open_link(invoice)
        self.stripe.pay(first['id'])
        self.pay_otherwise(invoice, 40)  # Staff did not know yet.
        self.assert_state(self.get_path(invoice), 'paid')
        self.assertEqual(len(self.get_creations()), 1)
        self.assertEqual(invoice.amount_residual, 0)

    def test_two_links_share_the_session(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        other = self.env['stripe.payment.link']._create_for_each(invoice)
        location = self.visit(other._get_path()).headers['Location']
        self.assertEqual(self.get_session(location), session)
        self.assertEqual(len(self.get_creations()), 1)

    def test_session_of_a_link_that_has_ended_is_not_shared(self):
        """Whoever came by the newest link must not read, back from Stripe, that it was replaced."""
        for how in ('replaced', 'expired', 'form'):
            with self.subTest(how):
                invoice = self.create_invoice(100)
                first = self.open_form(invoice) if how == 'form' else self.open_link(invoice)
                if how == 'replaced':
                    invoice.with_user(self.billing_admin).action_stripe_checkout_new_link()
                elif how == 'expired':
                    invoice.sudo().stripe_payment_link_ids.expires_at = fields.Datetime.now()
                self.env['stripe.payment.link']._get_or_create_current(invoice)
                invoice.invalidate_recordset(['stripe_checkout_url'])
                second = self.open_link(invoice)
                self.assert_state(
                    second['cancel_url'].removeprefix(self.base_url()), 'cancelled_at_stripe'
                )
                self.assertEqual(self.stripe.session(first['id'])['status'], 'expired')
                self.assertEqual([s['id'] for s in self.get_open_sessions()], [second['id']])
                self.stripe.pay(second['id'])

    def test_expired_session_is_replaced(self):
        self.set_expiration(720)
        invoice = self.create_invoice(100)
        first = self.open_link(invoice)
        with freeze_time(datetime.now() + timedelta(days=1)):
            second = self.open_link(invoice)
        self.assertNotEqual(first['id'], second['id'])
        self.assertEqual([s['id'] for s in self.get_open_sessions()], [second['id']])

    # === FAULTS === #

    @mute_logger(CONTROLLER)
    def test_refusal_by_stripe_is_kept_and_the_next_visit_has_a_new_key(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        # The SDK itself repeats a call that ended in a 500, under the same key.
        self.stripe.faults.next(1, '500', path='/v1/checkout/sessions')
        self.assert_state(path, 'unavailable')
        self.assertEqual(invoice.transaction_ids.mapped('state'), ['error'])
        self.assertEqual(self.visit(path).status_code, 303)
        keys = [call.idempotency_key for call in self.get_creations()]
        self.assertNotEqual(keys[0], keys[-1])
        self.assertEqual(len(self.get_open_sessions()), 1)

    @mute_logger(CONTROLLER)
    def test_no_answer_is_repeated_with_the_same_key(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.stripe.faults.next(3, 'lost_answer', path='/v1/checkout/sessions')
        self.assert_state(path, 'unavailable')
        self.assertEqual(self.visit(path).status_code, 303)
        self.assertEqual(len({call.idempotency_key for call in self.get_creations()}), 1)
        self.assertEqual(len(self.get_sessions()), 1)
        self.assertEqual(len(invoice.transaction_ids), 1)

    @mute_logger(CONTROLLER)
    def test_no_key_reaches_the_page_or_the_log(self):
        invoice = self.create_invoice(100)
        self.provider.stripe_checkout_secret_key = 'sk_test_revoked_12345678'
        response = self.visit(self.get_path(invoice))
        self.get_page(response, 'unavailable')
        self.assertNotIn('sk_test_revoked', response.text)
        self.assertNotIn('sk_test_revoked', str(invoice.transaction_ids.mapped('state_message')))

    # === LIFETIME === #

    def set_expiration(self, hours):
        self.provider.with_user(self.billing_admin).write({
            'stripe_checkout_link_expiration': 'custom',
            'stripe_checkout_link_custom_hours': hours,
        })

    def test_the_whole_range_of_the_setting_works(self):
        for hours in (1, 24, 72, 720):
            with self.subTest(hours=hours):
                self.set_expiration(hours)
                invoice = self.create_invoice(100)
                path = self.get_path(invoice)
                session = self.open_link(invoice)
                link_end = invoice.stripe_payment_link_ids.expires_at
                now = fields.Datetime.now()
                self.assertAlmostEqual((link_end - now).total_seconds(), hours * 3600, delta=60)
                session_end = datetime.fromtimestamp(session["expires_at"], timezone.utc).replace(
                    tzinfo=None
                )
                self.assertLessEqual(session_end, link_end)
                self.assertLessEqual(session_end, now + timedelta(hours=24))
                with freeze_time(link_end - timedelta(minutes=1)):
                    self.assertEqual(self.visit(path).status_code, 303)
                with freeze_time(link_end + timedelta(minutes=1)):
                    self.assert_state(path, 'expired')
                self.stripe.reset()
                self.provider = self.connect()

    def test_hours_out_of_range_are_refused(self):
        for hours in (0, -1, 721):
            with self.assertRaises(ValidationError):
                self.set_expiration(hours)

    def test_expiry_runs_from_the_first_visit(self):
        invoice = self.create_invoice(100)
        self.assertFalse(invoice.stripe_payment_link_ids.expires_at)
        self.open_link(invoice)
        end = invoice.stripe_payment_link_ids.expires_at
        self.assertTrue(end)
        self.set_expiration(720)
        self.open_link(invoice)
        self.assertEqual(invoice.stripe_payment_link_ids.expires_at, end, "It lives as set")

    def create_intent(self, invoice):
        """Make what a visitor stores before the call to Stripe."""
        link = invoice.sudo().stripe_payment_link_ids
        transactions_sudo = self.env['payment.transaction'].sudo()
        return transactions_sudo._stripe_checkout_create_transaction(
            self.provider, invoice, 100, link
        )

    def assert_opens_nothing(self, intent):
        self.env.flush_all()
        self.assertFalse(intent._stripe_checkout_request_session())
        self.assertEqual(intent.state, 'cancel')
        self.assertEqual(len(self.get_creations()), 0)

    def test_an_intent_that_was_retired_opens_no_session(self):
        intent = self.create_intent(self.create_invoice(100))
        intent._stripe_checkout_retire()
        self.assert_opens_nothing(intent)

    def test_an_intent_whose_invoice_was_paid_meanwhile_opens_no_session(self):
        invoice = self.create_invoice(100)
        intent = self.create_intent(invoice)
        self.pay_otherwise(invoice, 40)
        self.assert_opens_nothing(intent)

    def test_debit_on_a_session_that_counted_as_cancelled_hides_pay(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        invoice.transaction_ids._set_canceled()
        self.stripe.pay(session['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        self.assertEqual(invoice.transaction_ids.state, 'pending')
        self.assert_state(invoice.sudo().stripe_payment_link_ids._get_path(), 'processing')

    def test_states_of_a_link(self):
        paid = self.create_invoice(100)
        path = self.get_path(paid)
        self.pay_otherwise(paid, 100)
        self.assert_state(path, 'paid')

        draft = self.create_invoice(100)
        path = self.get_path(draft)
        draft.button_draft()
        self.assert_state(path, 'draft')
        draft.button_cancel()
        self.assert_state(path, 'cancelled')

        revoked = self.create_invoice(100)
        path = self.get_path(revoked)
        revoked.sudo().stripe_payment_link_ids.revoked = True
        self.assert_state(path, 'revoked')

        unavailable = self.create_invoice(100)
        path = self.get_path(unavailable)
        self.provider.state = 'disabled'
        self.assert_state(path, 'unavailable')
        self.assertEqual(len(self.get_creations()), 0)
