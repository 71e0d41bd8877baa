from datetime import datetime, timedelta

from freezegun import freeze_time
from psycopg2.errors import UniqueViolation

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..models import payment_provider_feed as feed
from .balance_common import BalanceCommon

FEED = 'odoo.addons.payment_stripe_checkout.models.payment_provider_feed'
BOOKING = 'odoo.addons.payment_stripe_checkout.models.stripe_balance_transaction_booking'

LIST = ('GET', '/v1/balance_transactions')


@tagged('post_install', '-at_install')
class TestFeed(BalanceCommon):
    """Every movement of Stripe's balance is read and booked once, by its id."""

    # === READING === #

    def test_fee_of_a_payment(self):
        invoice = self.pay(100)
        self.feed()
        row = self.get_rows()
        payment = self.get_payments(invoice)
        self.assertRecordValues(
            row,
            [
                {
                    'kind': 'capture',
                    'amount': 100,
                    'fee': 3.2,
                    'net': 96.8,
                    'state': 'booked',
                    'payment_id': payment.id,
                    'is_ours': True,
                }
            ],
        )
        [line] = row.statement_line_ids
        self.assertRecordValues(
            line.line_ids.sorted('balance'),
            [
                {'account_id': self.clearing.id, 'balance': -3.2, 'amount_currency': -3.2},
                {
                    'account_id': self.provider.stripe_checkout_fee_account_id.id,
                    'balance': 3.2,
                    'amount_currency': 3.2,
                },
            ],
        )
        self.assertEqual(line.date, payment.date)
        self.assertEqual(payment.stripe_checkout_charge_id, row.source_id)
        self.assertEqual(invoice.transaction_ids.stripe_checkout_method, 'card')
        self.assert_nothing_suspended()
        self.assert_ties()

    def test_however_often_it_runs(self):
        self.pay(100)
        for _run in range(3):
            self.feed()
        self.assertEqual(len(self.get_rows()), 1)
        self.assertEqual(self.get_balance(), 96.8)
        self.assertEqual(len(self.stripe.calls.matching(*LIST)), 3, "One call in each run")

    def test_movement_before_its_payment(self):
        """The feed is faster than the event: the movement waits for its payment."""
        invoice = self.pay(100, settle=False)
        self.feed()
        self.assertRecordValues(self.get_rows(), [{'state': 'pending', 'is_ours': True}])
        self.assertFalse(self.get_rows().statement_line_ids)
        self.assert_report(waiting=96.8, books=0)
        self.settle()
        self.feed()
        self.assertEqual(self.get_rows().state, 'booked')
        self.assertEqual(invoice.payment_state, 'paid')
        self.assert_ties()

    def test_event_wakes_the_feed(self):
        self.pay(100)
        cron = self.env.ref('payment_stripe_checkout.ir_cron_feed')
        triggers = self.env['ir.cron.trigger'].sudo().search([('cron_id', '=', cron.id)])
        self.assertTrue(triggers)
        event = self.env['stripe.event'].search([('type', '=', 'charge.updated')])
        self.assertEqual(event.state, 'done')

    def test_pages_with_bounded_calls(self):
        """A backlog is read page by page, run by run, and each movement once."""
        for _number in range(250):
            self.stripe.charge_stripe_fee(1)
        self.patch(feed, 'PAGES_PER_RUN', 2)
        self.feed()
        self.assertEqual(len(self.get_rows()), 200)
        self.assertEqual(len(self.stripe.calls.matching(*LIST)), 2)
        self.stripe.charge_stripe_fee(1)  # Comes in between, and is read in the following round.
        self.feed()
        self.assertEqual(len(self.get_rows()), 250)
        self.assertEqual(len(self.stripe.calls.matching(*LIST)), 3)
        self.patch(feed, 'PAGES_PER_RUN', 5)
        self.feed()
        self.assertEqual(len(self.get_rows()), 251)
        self.assertEqual(len(self.stripe.calls.matching(*LIST)), 6)
        self.feed_to_the_end()
        self.assertEqual(self.get_balance(), -2.51)
        self.assertEqual(len(self.get_items(self.provider.stripe_checkout_fee_account_id)), 251)
        self.assert_ties()

    def test_old_movements_are_not_read_again(self):
        self.stripe.charge_stripe_fee(100)
        self.feed()
        self.stripe.advance(2 * 3600)
        self.stripe.charge_stripe_fee(100)
        self.feed()
        self.stripe.calls.clear()
        self.feed()
        [call] = self.stripe.calls.matching(*LIST)
        since = datetime.fromtimestamp(call.params['created']['gte'])
        self.assertGreater(since, datetime.now())
        self.assertEqual(self.get_balance(), -2)

    def test_stripe_out_of_reach(self):
        self.pay(100)
        self.stripe.faults.next(9, 'reset', path='/v1/balance_transactions')
        with mute_logger('odoo.addons.payment_stripe_checkout.models.payment_provider_feed'):
            self.feed()
        self.assertTrue(self.provider.stripe_checkout_feed_error)
        self.assertFalse(self.get_rows())
        self.stripe.faults.clear()
        self.feed()
        self.assertFalse(self.provider.stripe_checkout_feed_error)
        self.assert_ties()

    # === DATABASE === #

    @mute_logger(FEED, BOOKING, 'odoo.sql_db')
    def test_lasting_database_error_is_told(self):
        """Catches a statement that times out each time and passes for a conflict."""
        self.pay(100)
        self.refuse_in_database('57014', 'INSERT ON stripe_balance_transaction')
        self.feed()
        self.assertIn('refused by the database', self.provider.stripe_checkout_feed_error)
        self.accept_in_database()
        self.refuse_in_database('57014', 'INSERT ON account_bank_statement_line')
        self.feed()
        self.assertIn('refused by the database', self.get_rows().error)
        self.accept_in_database()
        self.feed()
        self.assertFalse(self.provider.stripe_checkout_feed_error)
        self.assert_ties()

    @mute_logger(FEED, 'odoo.sql_db')
    def test_connection_that_is_written_meanwhile_does_not_end_the_run(self):
        """Catches a conflict that ends the scheduled action for the companies after this one."""
        self.pay(100)
        self.provider.stripe_checkout_fed_at = False  # Else it may be written within its second.
        self.env.flush_all()
        for column in ('stripe_checkout_fed_at', 'stripe_checkout_feed_error'):
            self.refuse_in_database('40001', f'UPDATE OF {column} ON payment_provider')
            self.feed()
            self.accept_in_database()
            self.assertFalse(self.get_rows())
            self.stripe.faults.next(9, 'reset', path='/v1/balance_transactions')
        self.stripe.faults.clear()
        self.feed()
        self.assert_ties()

    # === ONCE === #

    @mute_logger('odoo.sql_db')
    def test_the_database_takes_each_once(self):
        """Whatever two concurrent runs both believe, the unique indexes let one pass."""
        self.pay(100)
        self.feed()
        row = self.get_rows()
        lines_sudo = self.env['account.bank.statement.line'].sudo()
        for repeat in (
            lambda: row.copy({'stripe_id': row.stripe_id}),
            lambda: lines_sudo.create(row._prepare_fee(row.day)),
        ):
            with self.assertRaises(UniqueViolation), self.env.cr.savepoint():
                repeat()
                self.env.flush_all()
        self.assertEqual(self.get_balance(), 96.8)

    def test_lines_cannot_be_deleted(self):
        self.pay(100)
        self.feed()
        with self.assertRaises(UserError):
            self.get_rows().statement_line_ids.unlink()

    def test_one_refused_holds_up_no_other(self):
        """Accounting refuses one movement: the others are booked, it stays, and staff are told."""
        self.pay(100)
        self.stripe.add_balance_movement('topup', 5000)
        classify = self.provider.stripe_checkout_classify_account_id
        classify.active = False
        with mute_logger(
            'odoo.addons.payment_stripe_checkout.models.stripe_balance_transaction_booking'
        ):
            self.feed()
        refused = self.get_rows(kind='other')
        self.assertEqual(refused.state, 'pending')
        self.assertIn('archived', refused.error)
        self.assertEqual(self.get_balance(), 96.8)
        with (
            freeze_time(datetime.now() + timedelta(days=2)),
            mute_logger(
                'odoo.addons.payment_stripe_checkout.models.stripe_balance_transaction_booking'
            ),
        ):
            self.feed()
            self.feed()
        self.assertEqual(len(refused.activity_ids), 1)
        self.assertIn('50.00', refused.activity_ids.note)
        classify.active = True
        self.feed()
        self.assertEqual(refused.state, 'classify')
        self.assertFalse(refused.error)
        self.assert_ties()

    # === AT CONNECT === #

    def test_balance_at_connect(self):
        """What was on the balance before is one opening line; nothing before is booked."""
        self.env['account.payment'].create({
            'amount': 70,
            'partner_id': self.client.id,
            'journal_id': self.company_data['default_journal_bank'].id,
        }).action_post()  # Of the time before; none of Stripe's.
        account = self.stripe.add_account()
        self.stripe.add_balance_movement('topup', 12345, account=account)
        self.stripe.add_balance_movement('topup', 500, currency='eur', account=account)
        self.stripe.advance(10)
        with freeze_time(datetime.now() + timedelta(seconds=5)):
            self.provider._stripe_checkout_leave_account()
            self.provider.write({'stripe_checkout_account_id': account.id})
            self.provider.stripe_checkout_secret_key = account.secret_key
            self.provider.stripe_checkout_connected_at = datetime.now()
            self.stripe.advance(10)
            self.stripe.charge_stripe_fee(1000, account=account)
            self.feed()
            self.stripe.charge_stripe_fee(100, account=account)
            self.feed()
        rows = self.get_rows()
        self.assertEqual(
            sorted(rows.mapped(lambda row: (row.kind, row.currency_id.name, row.net))),
            [
                ('fee', 'USD', -10.0),
                ('fee', 'USD', -1.0),
                ('opening', 'EUR', 5.0),
                ('opening', 'USD', 123.45),
            ],
        )
        opening = rows.filtered(lambda row: row.kind == 'opening')
        self.assertEqual(set(opening.mapped('state')), {'classify'})
        self.assertEqual(len(opening.activity_ids), 2)
        self.assertFalse(rows.payment_id)
        self.assertFalse(rows.statement_line_ids.partner_id)
        self.assert_ties()

    def connect_with_clock_ahead(self):
        self.stripe.advance(10)
        self.provider.stripe_checkout_feed = False
        self.provider.stripe_checkout_connected_at = datetime.now() + timedelta(minutes=3)
        self.feed()

    def assert_read(self):
        """Check that the next payment is found on the balance."""
        invoice = self.pay(100)
        self.feed()
        payment = self.get_payments(invoice)
        self.assertEqual(payment.stripe_checkout_balance_ids.mapped('amount'), [100])
        self.assert_ties()

    def test_clock_that_is_ahead_at_connect(self):
        """Catches what moves in the first minutes by Stripe's clock, and is never read."""
        self.connect_with_clock_ahead()
        self.assert_read()

    def test_clock_that_is_ahead_with_a_balance(self):
        self.stripe.add_balance_movement('topup', 5000)
        self.connect_with_clock_ahead()
        self.assertEqual(self.get_rows().mapped('kind'), ['opening'])
        self.assert_read()

    # === MISSING === #

    def test_payment_that_stripe_does_not_show(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.settle()
        payment = self.get_payments(invoice)
        self.feed()
        self.assertFalse(payment.activity_ids)
        self.assert_report(ahead=100, books=100)
        with freeze_time(datetime.now() + timedelta(days=2)):
            self.feed()
            self.feed()
        [todo] = payment.activity_ids
        for text in ('100.00', invoice.name, payment.stripe_checkout_payment_intent, 'reverse'):
            self.assertIn(text, todo.note)
        self.stripe.make_balance_transactions()
        self.feed()
        self.feed()
        self.assertFalse(payment.activity_ids)
        self.assert_ties()

    # === WHO === #

    def test_staff_read_and_nobody_writes(self):
        self.pay(100)
        self.feed()
        row = self.get_rows()
        staff = self.create_user('invoicing', 'account.group_account_invoice')
        self.assertEqual(row.with_user(staff).net, 96.8)
        with self.assertRaises(AccessError):
            row.with_user(self.billing_admin).write({'amount': 1})
        clerk = new_test_user(self.env, login='clerk', groups='base.group_user')
        with self.assertRaises(AccessError):
            row.with_user(clerk).read(['net'])
        admin = self.provider.with_user(self.billing_admin)
        admin.stripe_checkout_fee_mode = 'day'
        admin.stripe_checkout_fee_account_id = self.company_data['default_account_expense']
        with self.assertRaises(AccessError):
            admin.stripe_checkout_feed = {}
        with self.assertRaises(AccessError):
            self.provider.with_user(staff).action_stripe_checkout_compare_balance()

    def assert_report(self, **values):
        [day] = self.env['stripe.balance.report'].search([('provider_id', '=', self.provider.id)])
        self.assertRecordValues(day, [{'difference': 0, **values}])

    # === THE SAME ACCOUNT UNDER ANOTHER NAME === #

    def connect_without_name(self):
        key = self.stripe.add_restricted_key(without={'rak_accounts_kyc_basic_read'})
        self.connect(secret_key=key)
        self.assertFalse(self.provider.stripe_checkout_account_id)

    def test_account_that_is_told_later_or_no_longer_is_read_on(self):
        self.stripe.add_balance_movement('topup', 5000)
        for is_named in (True, False, True):
            self.disconnect()
            self.stripe.advance(10)
            self.connect() if is_named else self.connect_without_name()
            self.feed()
            self.pay(100)
            self.feed()
            self.assert_ties()
        self.assertEqual(
            set(self.get_rows().mapped('account_ref')), {f'test:{self.stripe.account.id}'}
        )

    def test_balance_without_a_movement_since_is_read_on(self):
        self.disconnect()
        self.stripe.add_balance_movement('topup', 5000)
        self.provider.stripe_checkout_feed = False
        self.stripe.advance(10)
        with freeze_time(datetime.now() + timedelta(seconds=5)):
            self.connect_without_name()
            self.feed()
            self.connect()
            self.feed()
        self.assertEqual(self.get_rows().mapped('kind'), ['opening'])
        self.assert_ties()

    def test_another_account_begins_anew(self):
        self.disconnect()
        self.connect_without_name()
        self.pay(100)
        self.feed()
        known = self.get_rows(account_ref='test:')
        self.assertTrue(known)
        other = self.stripe.add_account()
        self.disconnect()
        self.connect(secret_key=other.secret_key, publishable_key=other.publishable_key)
        self.feed()
        self.assertEqual(set(known.mapped('account_ref')), {'test:'})
        self.assertLess({'test:', f'test:{other.id}'}, set(self.provider.stripe_checkout_feed))
