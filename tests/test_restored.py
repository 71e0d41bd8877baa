from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.tests import tagged

from .balance_common import BalanceCommon
from .common import StripeCheckoutCommon


class RestoredCommon(StripeCheckoutCommon):
    def setUp(self):
        super().setUp()
        self.invoice = self.create_invoice(100)
        self.session = self.open_link(self.invoice)

    def restore(self):
        """Do what Odoo does with a backup that is restored, see `odoo.service.db.restore_db`."""
        parameters = self.env['ir.config_parameter'].sudo()
        uuid = parameters.get_param('database.uuid')
        parameters.init(force=True)
        self.assertNotEqual(parameters.get_param('database.uuid'), uuid)
        parameters.set_param('web.base.url', self.base_url())


@tagged('post_install', '-at_install')
class TestRestored(RestoredCommon):
    """A backup that was restored in place of its database knows what it has stored.

    Odoo gives it another identity unless whoever restores it says that it was moved.
    """

    def process(self):
        self.deliver()
        self.run_queue()

    def start_debit(self):
        self.stripe.pay(self.session['id'], 'us_bank_account')
        self.process()
        self.assertEqual(self.invoice.transaction_ids.state, 'pending')

    def test_open_session_is_settled(self):
        self.restore()
        self.stripe.pay(self.session['id'])
        self.process()
        self.assert_booked(self.invoice, 100)

    def test_debit_is_settled(self):
        self.start_debit()
        self.restore()
        self.stripe.settle_debit(self.session['id'])
        self.process()
        self.assert_booked(self.invoice, 100)

    def test_debit_is_settled_without_webhooks(self):
        self.start_debit()
        self.restore()
        self.stripe.settle_debit(self.session['id'])
        self.stripe.deliveries.pop_all()
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.run_cron('ir_cron_sweep')
        self.run_queue()
        self.assert_booked(self.invoice, 100)

    def test_refund_and_dispute_from_the_dashboard(self):
        self.stripe.pay(self.session['id'])
        self.process()
        payment = self.assert_booked(self.invoice, 100)
        self.restore()
        self.stripe.refund(self.session['id'], 4000)
        self.stripe.dispute(self.session['id'])
        self.process()
        self.assertEqual(payment.amount_available_for_refund, 60)
        disputes = self.invoice.with_user(self.billing_admin).stripe_checkout_dispute_ids
        self.assertEqual(disputes.status, 'needs_response')


@tagged('post_install', '-at_install')
class TestRestoredBalance(RestoredCommon, BalanceCommon):
    def test_balance_is_read_before_the_event_of_a_payment_comes(self):
        """Catches a payment that is on the clearing account twice: as what is to be classified."""
        self.restore()
        self.stripe.pay(self.session['id'])
        self.stripe.make_balance_transactions()
        self.feed()
        self.assertEqual(self.get_rows().mapped('state'), ['pending'])
        self.settle()
        self.feed()
        self.assert_booked(self.invoice, 100)
        self.assert_ties()
        self.assertFalse(self.get_items(self.provider.stripe_checkout_classify_account_id))
