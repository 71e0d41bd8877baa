from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import StripeCheckoutCommon

QUEUE = 'odoo.addons.payment_stripe_checkout.models.stripe_event_queue'
SWEEP = 'odoo.addons.payment_stripe_checkout.models.payment_transaction_sweep'


@tagged('post_install', '-at_install')
class TestLeftAccount(StripeCheckoutCommon):
    """What waits when an account or mode is left is neither lost nor tried for ever."""

    def leave(self, live=False):
        """Leave the account for another one; return that."""
        other = self.stripe.add_account()
        if live:
            self.provider._stripe_checkout_leave_account()
            self.go_live(other)
        else:
            wizard = self.fill_in_keys(other.secret_key, other.publishable_key)
            self.leave_account(wizard)
        return other

    def pay(self, method='card'):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], method)
        self.process()
        return invoice, session

    def process(self):
        self.deliver()
        self.run_queue()

    def get_event(self, event_type):
        return self.env['stripe.event'].sudo().search([('type', '=', event_type)])

    # === EVENTS === #

    def test_event_of_the_former_mode_whose_payment_is_booked_is_done(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.leave(live=True)
        self.assertEqual(invoice.payment_state, 'paid')
        self.run_queue()
        event = self.get_event('checkout.session.completed')
        self.assertRecordValues(event, [{'state': 'done', 'attempts': 1, 'error': False}])
        self.assertEqual(event.transaction_id, invoice.transaction_ids)

    def test_other_events_of_the_former_mode_are_ignored(self):
        _invoice, session = self.pay()
        self.stripe.refund(session['id'])
        self.deliver()
        self.leave(live=True)
        self.run_queue()
        event = self.get_event('refund.created')
        self.assertRecordValues(event, [{'state': 'ignored', 'attempts': 1}])
        self.assertIn("other mode", event.error)

    def test_debit_that_has_just_settled_is_booked_before_the_account_is_left(self):
        invoice, session = self.pay('us_bank_account')
        self.stripe.settle_debit(session['id'])
        self.leave(live=True)
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertFalse(invoice.activity_ids)

    @mute_logger(QUEUE)
    def test_event_that_can_never_succeed_is_given_up_by_staff(self):
        _invoice, session = self.pay()
        self.stripe.refund(session['id'])
        self.deliver()
        self.leave()
        event = self.get_event('refund.created')
        for attempt in (1, 2, 3):
            event.next_attempt_at = datetime.now() - timedelta(minutes=1)
            self.run_queue()
            self.assertEqual(event.attempts, attempt)
        self.assertEqual(event.state, 'failed')
        self.assertTrue(event.activity_ids)
        clerk = self.create_user('clerk', 'account.group_account_invoice')
        with self.assertRaises(AccessError):
            event.with_user(clerk).action_ignore()
        event.with_user(self.billing_admin).action_ignore()
        self.assertEqual(event.state, 'ignored')
        self.assertFalse(event.activity_ids)
        self.assertIn(event.event_id, self.provider.message_ids[:1].body)

    # === REFUNDS === #

    def start_refund(self):
        """Refund in Odoo what Stripe does not refund at once; return the transaction."""
        invoice, _session = self.pay()
        self.stripe.account.refund_status = 'requires_action'
        refund = invoice.transaction_ids._create_child_transaction(40, is_refund=True)
        facts = refund._stripe_checkout_request_refund()
        refund._stripe_checkout_settle_refunds(self.provider, [facts])
        self.assertEqual(refund.state, 'pending')
        return refund

    def test_refund_under_way_becomes_a_todo(self):
        refund = self.start_refund()
        self.process()
        self.leave()
        self.assertEqual(refund.state, 'cancel')
        [todo] = refund.source_transaction_id.invoice_ids.activity_ids
        self.assertIn("Refund", todo.summary)
        self.assertIn('40.00', todo.note)
        self.assertIn(refund.stripe_checkout_refund_id, todo.note)
        self.stripe.calls.clear()
        with freeze_time(datetime.now() + timedelta(minutes=20)):
            self.run_cron('ir_cron_sweep')
        self.assertFalse([c for c in self.stripe.calls if 'refund' in c.path])

    def test_refund_that_was_made_meanwhile_is_booked(self):
        refund = self.start_refund()
        self.stripe.settle_refund(refund.stripe_checkout_refund_id)
        self.leave()
        self.assertEqual(refund.state, 'done')
        todos = refund.source_transaction_id.invoice_ids.activity_ids
        self.assertNotIn("Refund to follow up in Stripe", todos.mapped('summary'))
        self.assertEqual(refund.payment_id.amount, 40)

    def get_refund_todos(self, refund):
        """Return the to-dos of a refund that was given up."""
        names = [f'({name})' for name in (refund.reference, refund.stripe_checkout_refund_id)]
        return refund.source_transaction_id.invoice_ids.activity_ids.filtered(
            lambda todo: (
                todo.summary == "Refund to follow up in Stripe"
                and any(name in todo.note for name in names)
            )
        )

    def come_back(self):
        self.leave_account(self.fill_in_keys())
        self.stripe.deliveries.pop_all()
        self.stripe.calls.clear()

    def sweep_later(self):
        with freeze_time(datetime.now() + timedelta(minutes=20)):
            self.run_cron('ir_cron_sweep')

    def test_refund_is_followed_again_with_its_account(self):
        """Catches a to-do that stays for ever, and makes staff book the refund a second time."""
        refund = self.start_refund()
        self.leave()
        self.assertTrue(self.get_refund_todos(refund))
        self.come_back()
        self.assertEqual(refund.state, 'pending')
        self.assertFalse(self.get_refund_todos(refund))
        self.stripe.settle_refund(refund.stripe_checkout_refund_id)
        self.stripe.deliveries.pop_all()
        self.sweep_later()
        self.assertEqual(refund.state, 'done')
        self.assertEqual(refund.payment_id.amount, 40)

    @mute_logger('odoo.addons.payment_stripe_checkout.models.payment_provider_endpoints')
    def test_refund_without_an_answer_stays_with_staff_until_its_event_comes(self):
        """Catches a refund that is asked for once more although staff have made it otherwise."""
        invoice, _session = self.pay()
        self.stripe.account.refund_status = 'requires_action'
        refund = invoice.transaction_ids._create_child_transaction(40, is_refund=True)
        facts = refund._stripe_checkout_request_refund()
        other = invoice.transaction_ids._create_child_transaction(30, is_refund=True)
        self.assertIn(refund.reference, other.reference, "Or none can be taken for the other")
        other._stripe_checkout_request_refund()
        (refund + other)._set_pending()
        account, key = self.stripe.account, self.stripe.account.secret_key
        self.addCleanup(setattr, account, 'secret_key', key)
        account.secret_key = 'sk_test_rotated'
        self.leave()
        account.secret_key = key
        self.come_back()
        self.sweep_later()
        self.assertFalse([c for c in self.stripe.calls if 'refund' in c.path])
        self.assertTrue(self.get_refund_todos(refund))
        self.stripe.settle_refund(facts.refund_id)
        self.process()
        self.assertFalse(self.get_refund_todos(refund))
        self.assertTrue(self.get_refund_todos(other))
        self.assertEqual(refund.payment_id.amount, 40)
