from .common import StripeCheckoutCommon


class TestPaymentFlow(StripeCheckoutCommon):
    """The main job: a posted invoice, its link, Stripe, the webhook, the books."""

    def test_invoice_is_paid_through_the_link(self):
        invoice = self.create_invoice(123.45)
        session = self.open_link(invoice)
        self.assertEqual(session['amount_total'], 12345)
        self.assertEqual(session['currency'], 'usd')
        self.stripe.pay(session['id'])
        self.deliver()
        self.assertEqual(invoice.payment_state, 'not_paid', "The webhook stores, the queue books")
        self.run_queue()
        payment = self.assert_booked(invoice, 123.45)
        paid = self.stripe.session(session['id'])
        self.assertEqual(payment.stripe_checkout_payment_intent, paid['payment_intent'])
        self.assertEqual(payment.payment_transaction_id.state, 'done')
        self.assertFalse(payment.activity_ids)

    def test_success_page_settles_its_own_session(self):
        invoice = self.create_invoice(80)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        url = session['success_url'].replace('{CHECKOUT_SESSION_ID}', session['id'])
        page = self.get_page(self.url_open(url.removeprefix(self.base_url())), 'done')
        received = page.xpath("//*[@id='o_stripe_checkout_received']")[0].text_content()
        self.assertIn('80.00', received)
        payment = self.assert_booked(invoice, 80)
        # The webhook that comes after finds it booked.
        self.deliver()
        self.run_queue()
        self.assertEqual(self.get_payments(invoice), payment)
