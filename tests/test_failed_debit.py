from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestFailedDebit(StripeCheckoutCommon):
    """Who is told what when a payment does not go through."""

    def work(self):
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')

    def follow(self, letter):
        _label, url = letter.get_button()
        return self.url_open(url.removeprefix(self.base_url()), allow_redirects=False)

    def fail_debit(self, invoice):
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        self.assertEqual(self.read_mails(), [])
        self.stripe.fail_debit(session['id'])
        self.work()
        return session

    def test_client_is_told_how_to_try_again(self):
        invoice = self.create_invoice(100)
        first = self.fail_debit(invoice)
        [letter] = self.read_mails()
        self.assertIn("did not carry out the debit", letter.text)
        self.assertIn(invoice.name, letter.text)
        self.assertIn('$ 100.00', letter.plain)
        self.assertEqual(letter.get_colors(), [])
        session = self.get_session(self.follow(letter).headers['Location'])
        self.assertNotEqual(session['id'], first['id'])
        self.assertEqual(session['amount_total'], 10000)

    def test_staff_have_a_to_do(self):
        self.provider.with_user(self.billing_admin).stripe_checkout_user_id = self.billing_admin
        invoice = self.create_invoice(100)
        self.fail_debit(invoice)
        self.assertEqual(invoice.activity_ids.user_id, self.billing_admin)
        self.assertIn("Bank debit failed", invoice.activity_ids.summary)

    def fail_debit_where(self, change):
        """Let a debit fail of an invoice of which something else changed after it was started."""
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        change(invoice)
        self.stripe.fail_debit(session['id'])
        self.work()
        return invoice

    def test_client_is_told_where_nothing_can_be_tried_again(self):
        def disable(_invoice):
            self.provider.state = 'disabled'

        def revoke(invoice):
            invoice.with_user(self.billing_admin).action_stripe_checkout_revoke_link()

        def block(invoice):
            invoice.action_toggle_block_payment()

        for number, change in enumerate((block, revoke, disable), start=1):
            with self.subTest(change=change.__name__):
                invoice = self.fail_debit_where(change)
                letters = self.read_mails()
                self.assertEqual(len(letters), number)
                self.assertIn("did not carry out the debit", letters[-1].text)
                self.assertIn("not possible at the moment", letters[-1].text)
                self.assertIn(invoice.name, letters[-1].text)
                self.assertEqual(letters[-1].get_links('/pay/'), [])
                self.assertIn("is told by e-mail", str(invoice.activity_ids.note))
                self.assertFalse(invoice.with_user(self.billing_admin).stripe_checkout_url)

    def test_client_who_has_paid_otherwise_is_asked_for_nothing(self):
        self.fail_debit_where(
            lambda invoice: (
                self
                .env['account.payment.register']
                .with_context(active_model='account.move', active_ids=invoice.ids)
                .create({})
                ._create_payments()
            )
        )
        [letter] = self.read_mails()
        self.assertIn("nothing was paid by it", letter.text)
        self.assertNotIn("contact us", letter.text)
        self.assertEqual(letter.get_links('/pay/'), [])

    def test_client_who_owes_nothing_any_more_is_sent_nowhere(self):
        def cancel(invoice):
            invoice.button_draft()
            invoice.button_cancel()

        def credit(invoice):
            invoice._reverse_moves(cancel=True)

        for change in (cancel, credit):
            with self.subTest(change=change.__name__):
                self.fail_debit_where(change)
                letter = self.read_mails()[-1]
                self.assertIn("nothing was paid by it", letter.text)
                self.assertIn("There is nothing left to pay", letter.text)
                self.assertIn("$ 0.00", letter.plain)
                self.assertNotIn("100.00", letter.plain)
                self.assertNotIn("contact us", letter.text)
                self.assertEqual(letter.get_links('/pay/'), [])

    def test_client_without_an_address_is_left_to_staff(self):
        self.client.email = False
        invoice = self.create_invoice(100)
        self.fail_debit(invoice)
        self.assertEqual(self.read_mails(), [])
        self.assertIn("cannot be told by e-mail", str(invoice.activity_ids.note))

    def test_a_part_is_asked_for_again_as_a_part(self):
        invoice = self.create_invoice(100)
        link = self.env['stripe.payment.link']._get_or_create_for_amount(invoice, 40.0)
        response = self.url_open(link._get_path(), allow_redirects=False)
        session = self.get_session(response.headers['Location'])
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        self.stripe.fail_debit(session['id'])
        self.work()
        [letter] = self.read_mails()
        self.assertIn('$ 100.00', letter.plain)
        self.assertIn("To pay now $ 40.00", letter.text.replace('\N{NO-BREAK SPACE}', ' '))
        session = self.get_session(self.follow(letter).headers['Location'])
        self.assertEqual(session['amount_total'], 4000)

    # === THROUGH ODOO'S PAYMENT FORM === #

    def fail_debit_of_form(self, invoice, amount=None):
        session = self.open_form(invoice, amount)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        self.stripe.fail_debit(session['id'])
        self.work()

    def assert_asked_again(self, invoice, minor_amount):
        """Check that the client, and staff, were told once, and what the mail's link asks for."""
        letter = self.read_mails()[-1]
        self.assertIn("did not carry out the debit", letter.text)
        session = self.get_session(self.follow(letter).headers['Location'])
        self.assertEqual(session['amount_total'], minor_amount)
        self.assertEqual(invoice.activity_ids.mapped('summary'), ["Bank debit failed"])

    def test_client_who_paid_by_the_form_is_told_too(self):
        invoice = self.create_invoice(100)
        self.fail_debit_of_form(invoice)
        self.assertEqual(len(self.read_mails()), 1)
        self.assert_asked_again(invoice, 10000)

    def test_a_part_paid_by_the_form_is_asked_for_again_as_a_part(self):
        self.provider.stripe_checkout_allow_partial = True
        invoice = self.create_invoice(100)
        self.fail_debit_of_form(invoice, 40)
        self.assert_asked_again(invoice, 4000)

    def test_all_of_it_paid_by_the_form_with_a_discount_is_asked_for_as_it_is_then(self):
        term = self.create_discount_term()
        invoice = self.create_invoice(100, invoice_payment_term_id=term.id)
        self.fail_debit_of_form(invoice, 98)
        self.env['stripe.payment.link'].sudo().search([]).expires_at = False  # Read days later.
        with freeze_time(datetime.now() + timedelta(days=11)):
            self.assert_asked_again(invoice, 10000)

    def test_client_is_told_of_a_debit_that_an_older_copy_did_not_know(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        invoice.sudo().transaction_ids.unlink()
        self.work()
        self.stripe.fail_debit(session['id'])
        self.work()
        self.assert_asked_again(invoice, 10000)

    def test_declined_by_the_form_is_told_if_the_session_ends_unpaid(self):
        invoice = self.create_invoice(100)
        session = self.open_form(invoice)
        self.stripe.pay(session['id'], outcome='insufficient_funds')
        self.work()
        self.assertEqual(self.read_mails(), [])
        self.end_session(session)
        self.work()
        [letter] = self.read_mails()
        self.assertIn("declined", letter.text)
        session = self.get_session(self.follow(letter).headers['Location'])
        self.assertEqual(session['amount_total'], 10000)

    def test_told_once(self):
        invoice = self.create_invoice(100)
        session = self.fail_debit(invoice)
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.run_cron('ir_cron_sweep')
        self.url_open(session['success_url'].removeprefix(self.base_url()).replace(
            '{CHECKOUT_SESSION_ID}', session['id']))  # fmt: skip
        self.run_cron('ir_cron_send_mails')
        self.assertEqual(len(self.read_mails()), 1)
        self.assertEqual(len(invoice.activity_ids), 1)

    def test_late_failure_of_the_first_attempt_undoes_no_success(self):
        """Catches a debit, freed by staff, whose failure reopens what a card has paid since."""
        invoice = self.create_invoice(100)
        first = self.open_link(invoice)
        self.stripe.pay(first['id'], 'us_bank_account')
        self.work()
        invoice.with_user(self.billing_admin).action_stripe_checkout_free()
        second = self.open_link(invoice)
        self.stripe.pay(second['id'], outcome='decline')
        declined = self.stripe.deliveries.pop_all()
        self.stripe.pay(second['id'])
        self.work()
        self.stripe.fail_debit(first['id'])
        self.work()
        self.deliver(declined)
        self.run_queue()
        self.assert_booked(invoice, 100)
        states = {tx.stripe_checkout_session_id: tx.state for tx in invoice.transaction_ids}
        self.assertEqual(states[second['id']], 'done')
        self.assertIn(states[first['id']], ('cancel', 'error'))

    # === DECLINED === #

    def decline(self, invoice):
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], outcome='insufficient_funds')
        self.work()
        return session

    def test_declined_attempt_is_for_staff_while_the_session_is_open(self):
        invoice = self.create_invoice(100)
        self.decline(invoice)
        self.assertEqual(self.read_mails(), [])
        said = "declined: not enough money on the account (insufficient_funds)."
        self.assertTrue(
            any(said in str(m.body) for m in invoice.message_ids),
            invoice.message_ids.mapped('body'),
        )

    def test_reasons_in_words(self):
        describe = self.env['payment.transaction']._stripe_checkout_describe_decline
        self.assertEqual(describe('generic_decline'), "no reason given (generic_decline)")
        self.assertEqual(describe('a_new_code'), "a new code (a_new_code)", "Not in our table")
        self.assertEqual(describe(''), "no reason given")

    def test_somebody_is_notified_of_the_first_decline(self):
        self.provider.with_user(self.billing_admin).stripe_checkout_user_id = self.billing_admin
        invoice = self.create_invoice(100)
        session = self.decline(invoice)
        self.stripe.advance(1)  # Of two attempts, one is always later.
        self.stripe.pay(session['id'], outcome='insufficient_funds')
        self.work()
        told = invoice.message_ids.filtered(lambda m: 'insufficient_funds' in str(m.body))
        self.assertEqual(len(told), 2)
        self.assertEqual(
            told.notification_ids.res_partner_id, self.billing_admin.partner_id, "Nobody else"
        )
        self.assertEqual(len(told.notification_ids), 1)
        self.assertTrue(all(message.subtype_id.internal for message in told), "No client reads it")

    def test_client_is_told_if_the_session_ends_unpaid(self):
        self.provider.with_user(self.billing_admin).stripe_checkout_link_expiration = '720'
        invoice = self.create_invoice(100)
        session = self.decline(invoice)
        with freeze_time(datetime.now() + timedelta(hours=25)):
            self.stripe.expire_due()
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')
        self.work()
        [letter] = self.read_mails()
        self.assertIn("declined", letter.text)
        self.assertEqual(self.follow(letter).status_code, 303)

    def test_nobody_is_told_after_a_success(self):
        invoice = self.create_invoice(100)
        session = self.decline(invoice)
        self.stripe.pay(session['id'])
        self.work()
        [letter] = self.read_mails()
        self.assertIn("Thank you", letter.text)

    def test_session_that_was_only_left_alone_mails_nothing(self):
        invoice = self.create_invoice(100)
        self.open_link(invoice)
        with freeze_time(datetime.now() + timedelta(hours=25)):
            self.stripe.expire_due()
        self.work()
        self.assertEqual(invoice.transaction_ids.state, 'cancel')
        self.assertEqual(self.read_mails(), [])

    def test_nobody_is_told_who_is_paying_already(self):
        invoice = self.create_invoice(100)
        self.provider.with_user(self.billing_admin).stripe_checkout_link_expiration = '720'
        self.decline(invoice)
        with freeze_time(datetime.now() + timedelta(hours=25)):
            self.stripe.expire_due()
        self.deliver()
        self.run_queue()
        self.open_link(invoice)
        self.run_cron('ir_cron_send_mails')
        self.assertEqual(self.read_mails(), [])
        self.assertIn('skipped', invoice.transaction_ids.mapped('stripe_checkout_mail_state'))

    def end_session(self, session):
        """Let a session run out at Stripe, without telling us yet."""
        client = self.provider._stripe_checkout_get_client()
        client.v1.checkout.sessions.expire(session['id'])

    def test_told_after_another_look_that_led_to_nothing(self):
        self.provider.with_user(self.billing_admin).stripe_checkout_link_expiration = '720'
        invoice = self.create_invoice(100)
        self.end_session(self.decline(invoice))
        self.deliver()
        self.run_queue()
        second = self.open_link(invoice)
        self.run_cron('ir_cron_send_mails')
        self.assertEqual(self.read_mails(), [], "The client is paying right now")
        self.end_session(second)
        self.work()
        [letter] = self.read_mails()
        self.assertIn("declined", letter.text)
        self.end_session(self.open_link(invoice))
        self.work()
        self.assertEqual(len(self.read_mails()), 1, "Told once")

    def test_told_although_a_later_session_has_ended_too(self):
        invoice = self.create_invoice(100)
        self.end_session(self.decline(invoice))
        with freeze_time(datetime.now() + timedelta(hours=25)):
            # Opened before we heard that the first had ended.
            self.end_session(self.open_link(invoice))
        self.work()
        self.assertEqual(invoice.transaction_ids.mapped('state'), ['cancel', 'cancel'])
        [letter] = self.read_mails()
        self.assertIn("declined", letter.text)

    def test_nobody_is_told_who_has_paid_otherwise(self):
        invoice = self.create_invoice(100)
        self.decline(invoice)
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': 60})._create_payments()
        self.work()
        self.assertEqual(invoice.transaction_ids.state, 'cancel')
        self.assertEqual(self.read_mails(), [])
