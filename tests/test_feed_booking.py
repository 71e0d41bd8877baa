from datetime import date, datetime, time, timedelta

from freezegun import freeze_time

from odoo.tests import tagged

from .balance_common import BalanceCommon


@tagged('post_install', '-at_install')
class TestFeedBooking(BalanceCommon):
    """Each kind of movement on its accounts, asserted on the journal items."""

    def assert_line(self, row, part, *items):
        """Check the journal items of a part: account, amount in currency, amount."""
        line = row.statement_line_ids.filtered(lambda line: line.stripe_checkout_part == part)
        self.assertEqual(len(line), 1)
        self.assertEqual(
            sorted((item.account_id, item.amount_currency, item.balance) for item in line.line_ids),
            sorted(items),
        )

    # === KINDS === #

    def test_charges_of_stripe_itself(self):
        self.stripe.charge_stripe_fee(1234, "Billing")
        self.feed()
        row = self.get_rows()
        self.assertEqual(row.state, 'booked')
        fees = self.provider.stripe_checkout_fee_account_id
        self.assert_line(row, 'movement', (self.clearing, -12.34, -12.34), (fees, 12.34, 12.34))
        self.assert_ties()

    def test_refund_and_its_failure(self):
        invoice = self.pay(100)
        session = invoice.transaction_ids.stripe_checkout_session_id
        refund = self.stripe.refund(session, 4000)
        self.settle()
        self.feed()
        self.assertEqual(set(self.get_rows().mapped('state')), {'booked'})
        self.assertEqual(self.get_balance(), 56.8)
        self.assert_ties()
        self.stripe.fail_refund(refund['id'])
        self.settle()
        self.feed()
        self.assertEqual(set(self.get_rows().mapped('state')), {'booked'})
        self.assertEqual(self.get_balance(), 96.8)
        self.assertEqual(len(self.get_rows().statement_line_ids), 1, "Nothing but the fee")
        self.assert_ties()

    def test_refund_that_failed_before_it_was_heard_of(self):
        invoice = self.pay(100)
        refund = self.stripe.refund(invoice.transaction_ids.stripe_checkout_session_id, 4000)
        self.stripe.fail_refund(refund['id'])
        self.settle()
        self.feed()
        self.assertEqual(set(self.get_rows().mapped('state')), {'booked'})
        self.assertFalse(self.get_rows().activity_ids)
        self.assertEqual(self.get_balance(), 96.8)
        self.assert_ties()

    def test_refund_and_dispute_before_their_payment(self):
        """Nothing of ours is taken for somebody else's while its payment is on its way here."""
        invoices = [self.create_invoice(amount) for amount in (100, 50)]
        sessions = [self.open_link(invoice)['id'] for invoice in invoices]
        for session in sessions:
            self.stripe.pay(session)
        self.stripe.refund(sessions[0], 4000)
        self.stripe.dispute(sessions[1])
        self.feed()
        self.assertEqual(set(self.get_rows().mapped('state')), {'pending'})
        self.settle()
        self.env['stripe.event'].sudo().search([('state', '=', 'failed')]).action_retry()
        self.run_queue()
        self.feed()
        self.assertEqual(set(self.get_rows().mapped('state')), {'booked'})
        self.assertEqual(self.get_balance(self.provider.stripe_checkout_dispute_account_id), 50)
        self.assertEqual(self.get_balance(self.provider.stripe_checkout_classify_account_id), 0)
        self.assert_ties()

    def test_dispute_won(self):
        invoice = self.pay(100)
        made = self.stripe.dispute(invoice.transaction_ids.stripe_checkout_session_id)
        self.settle()
        self.feed()
        row = self.get_rows(kind='dispute')
        self.assertEqual(row.state, 'booked')
        disputed = self.provider.stripe_checkout_dispute_account_id
        fees = self.provider.stripe_checkout_fee_account_id
        self.assert_line(row, 'movement', (self.clearing, -100, -100), (disputed, 100, 100))
        self.assert_line(row, 'fee', (self.clearing, -15, -15), (fees, 15, 15))
        self.stripe.review_dispute(made['id'])
        self.stripe.win_dispute(made['id'], return_fee=True)
        self.settle()
        self.feed()
        self.assertEqual(self.get_balance(disputed), 0)
        self.assertEqual(self.get_balance(fees), 3.2)
        self.assert_nothing_suspended()
        self.assert_ties()

    def test_dispute_lost(self):
        invoice = self.pay(100)
        made = self.stripe.dispute(invoice.transaction_ids.stripe_checkout_session_id)
        self.stripe.lose_dispute(made['id'])
        self.settle()
        self.feed()
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assertEqual(self.get_balance(self.provider.stripe_checkout_dispute_account_id), 0)
        self.assertEqual(self.get_balance(), -18.2)
        self.assert_ties()

    def lose_dispute(self, amount=None):
        """Have a paid invoice disputed and lost; return invoice and dispute."""
        invoice = self.pay(100)
        made = self.stripe.dispute(invoice.transaction_ids.stripe_checkout_session_id, amount)
        self.stripe.lose_dispute(made['id'])
        return invoice, made

    def assert_paid_again(self, invoice):
        """Check that the payment counts again, and that nothing stays with disputed payments."""
        disputed = self.provider.stripe_checkout_dispute_account_id
        self.assertEqual(self.get_balance(disputed), 0)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertIn(invoice.payment_state, ('paid', 'in_payment'))
        self.assertNotIn("Dispute lost", invoice.activity_ids.mapped('summary'))
        self.assert_ties()

    def test_lost_dispute_whose_money_comes_back(self):
        for event_first, feed_first in ((False, False), (True, False), (False, True)):
            with self.subTest(event_first=event_first, feed_first=feed_first):
                invoice, made = self.lose_dispute()
                if not feed_first:
                    self.settle()
                    self.feed()
                    self.assertEqual(invoice.payment_state, 'not_paid')
                    self.assertIn("Dispute lost", invoice.activity_ids.mapped('summary'))
                self.stripe.reinstate_dispute(made['id'])
                if event_first:
                    self.settle()
                self.feed()
                self.settle()
                self.feed()
                self.assert_paid_again(invoice)

    def test_part_of_a_payment_comes_back_after_a_lost_dispute(self):
        invoice, made = self.lose_dispute(3000)
        self.settle()
        self.feed()
        self.assertEqual(invoice.amount_residual, 30)
        self.stripe.reinstate_dispute(made['id'])
        self.settle()
        self.feed()
        self.assert_paid_again(invoice)

    def test_money_of_a_lost_dispute_comes_back_after_the_client_paid_again(self):
        invoice, made = self.lose_dispute()
        self.settle()
        self.feed()
        payment = invoice.transaction_ids.payment_id
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({})._create_payments()
        self.stripe.reinstate_dispute(made['id'])
        self.settle()
        self.feed()
        self.assert_paid_again(invoice)
        self.assertEqual(payment.stripe_checkout_credit, 100)
        self.assertIn('100.00', payment.activity_ids.note)

    def test_money_of_a_lost_dispute_that_comes_back_in_part_is_a_todo(self):
        invoice, made = self.lose_dispute()
        self.settle()
        self.feed()
        self.stripe.reinstate_dispute(made['id'], 4000)
        self.settle()
        self.feed()
        self.settle()
        self.assertEqual(invoice.payment_state, 'not_paid')
        disputed = self.provider.stripe_checkout_dispute_account_id
        self.assertEqual(self.get_balance(disputed), -40)
        todos = invoice.activity_ids.filtered(lambda todo: "came back" in todo.summary)
        self.assertEqual(len(todos), 1)
        for text in ('40.00', invoice.name, disputed.name):
            self.assertIn(text, todos.note)
        self.assert_ties()

    def test_debit_that_comes_back(self):
        invoice = self.pay(100, method='us_bank_account')
        self.feed()
        self.assertEqual(self.get_balance(), 99.2)
        self.stripe.return_debit(invoice.transaction_ids.stripe_checkout_session_id)
        self.settle()
        self.feed()
        self.assertEqual(invoice.payment_state, 'not_paid')
        self.assertEqual(self.get_balance(self.provider.stripe_checkout_dispute_account_id), 0)
        self.assert_ties()

    def test_what_is_not_ours(self):
        """Payments of other uses of the account, top-ups and reserves: booked, with a to-do."""
        session = self.open_foreign_session(2000)
        self.stripe.pay(session.id)
        self.stripe.make_balance_transactions()
        self.stripe.refund(session.id, 500)
        self.stripe.dispute(session.id, 300)
        self.stripe.add_balance_movement('topup', 5000, description="Top-up")
        self.stripe.add_balance_movement('reserve_transaction', -700)
        self.settle()
        self.feed()
        rows = self.get_rows()
        self.assertEqual(len(rows), 5)
        self.assertEqual(set(rows.mapped('state')), {'classify'})
        classify = self.provider.stripe_checkout_classify_account_id
        self.assertEqual(self.get_balance(classify), -(20 - 5 - 3 + 50 - 7))
        for row in rows:
            [todo] = row.activity_ids
            note = todo.note.replace('&nbsp;', '\N{NO-BREAK SPACE}')
            self.assertIn(row.stripe_id, note)
            self.assertIn(row.currency_id.format(row.amount), note)
        self.assert_nothing_suspended()
        self.assert_ties()
        rows.with_user(self.billing_admin).action_mark_classified()
        self.assertEqual(set(rows.mapped('state')), {'booked'})
        self.assertFalse(rows.activity_ids)

    def test_what_another_company_is_paid_through_the_same_account(self):
        """Catches movements that wait for ever for a payment in the books of another company."""
        ours = self.provider
        company = self.setup_other_company(name="Another company")['company']
        self.billing_admin.company_ids += company
        theirs = self.connect(company=company)
        self.assertEqual(theirs.stripe_checkout_account_id, ours.stripe_checkout_account_id)
        self.feed()  # The first run of the other one.
        session = self.pay(100).transaction_ids.stripe_checkout_session_id
        self.stripe.refund(session, 1000)
        self.stripe.dispute(session, 2000)
        self.settle()
        self.feed()
        for self.provider, states in ((ours, {'booked'}), (theirs, {'classify'})):
            rows = self.get_rows()
            self.assertEqual(len(rows), 3)
            self.assertEqual(set(rows.mapped('state')), states)
            self.assert_ties()

    # === CURRENCIES === #

    def use_currency(self, name, rate):
        currency = (
            self.env['res.currency'].with_context(active_test=False).search([('name', '=', name)])
        )
        currency.active = True
        currency.rate_ids = [
            (5, 0, 0),
            (0, 0, {'name': '2020-01-01', 'rate': rate, 'company_id': self.company.id}),
        ]
        return currency

    def test_currency_that_settles_as_itself(self):
        euro = self.use_currency('EUR', 0.5)
        self.pay(100, currency_id=euro.id)
        self.feed()
        row = self.get_rows()
        fees = self.provider.stripe_checkout_fee_account_id
        self.assert_line(row, 'fee', (self.clearing, -3.2, -6.4), (fees, 3.2, 6.4))
        self.assertEqual(self.get_balance(currency='EUR'), 96.8)
        self.assert_nothing_suspended()
        self.assert_ties()

    def test_currency_that_stripe_converts(self):
        """Odoo booked 100 EUR at 2.00, Stripe puts 185 USD on the balance: 15 USD are lost."""
        euro = self.use_currency('EUR', 0.5)
        self.stripe.account.settlement_currencies = ('usd',)
        self.stripe.account.exchange_rates = {'eur': 1.85}
        self.addCleanup(setattr, self.stripe.account, 'settlement_currencies', None)
        self.addCleanup(setattr, self.stripe.account, 'exchange_rates', {})
        invoice = self.pay(100, currency_id=euro.id)
        self.feed()
        row = self.get_rows()
        self.assertEqual((row.exchange_rate, row.amount, row.source_amount), (1.85, 185, 100))
        classify = self.provider.stripe_checkout_classify_account_id
        loss = self.company.expense_currency_exchange_account_id
        self.assert_line(row, 'conversion_out', (self.clearing, -100, -200), (classify, 100, 200))
        self.assert_line(
            row,
            'conversion_in',
            (self.clearing, 185, 185),
            (classify, -100, -200),
            (loss, 15, 15),
        )
        self.assertTrue(all(self.get_items(classify).mapped('reconciled')))
        self.assertEqual(row.state, 'booked')
        self.assertEqual(self.get_balance(currency='EUR'), 0)
        self.assertEqual(self.get_balance(), row.net)
        self.assert_ties()
        session = invoice.transaction_ids.stripe_checkout_session_id
        self.stripe.account.exchange_rates = {'eur': 1.9}
        self.stripe.refund(session, 2000)
        self.settle()
        self.feed()
        self.assertEqual(self.get_rows(kind='refund').amount, -38)
        gain = self.company.income_currency_exchange_account_id
        self.assertEqual((self.get_balance(loss), self.get_balance(gain)), (15, -2))
        self.assert_ties()
        made = self.stripe.dispute(session, 5000)
        self.settle()
        self.feed()
        disputed = self.provider.stripe_checkout_dispute_account_id
        self.assertEqual(self.get_balance(disputed, 'EUR'), 50)
        self.stripe.lose_dispute(made['id'])
        self.settle()
        self.feed()
        self.assertEqual(self.get_balance(disputed, 'EUR'), 0)
        self.assertEqual(sum(self.get_items(disputed).mapped('balance')), 0)
        self.assert_nothing_suspended()
        self.assert_ties()

    def test_account_that_settles_in_another_currency_than_the_companys(self):
        """The journal is in euros: dollars come in, converted; francs too, as themselves."""
        euro = self.use_currency('EUR', 0.5)
        franc = self.use_currency('CHF', 0.8)
        account = self.stripe.add_account(
            default_currency='eur',
            settlement_currencies=('eur', 'chf'),
            exchange_rates={'usd': 0.55},
        )
        with self.committing(self.provider.with_user(self.billing_admin)) as provider:
            provider._stripe_checkout_connect(
                provider.company_id, account.secret_key, account.publishable_key, switch=True
            )
        self.settle()
        self.assertEqual(self.provider.journal_id.currency_id, euro)
        self.feed()
        invoices = [
            self.pay(100),
            self.pay(100, currency_id=euro.id),
            self.pay(100, currency_id=franc.id),
        ]
        self.feed()
        self.assertEqual({invoice.payment_state for invoice in invoices}, {'paid'})
        self.assertEqual(set(self.get_rows().mapped('state')), {'booked'})
        self.assertEqual(self.get_balance(currency='USD'), 0)
        gain = self.company.income_currency_exchange_account_id
        self.assertEqual(sum(self.get_items(gain).mapped('balance')), -10, "55 EUR are 110 USD")
        self.stripe.charge_stripe_fee(100, account=account)
        self.stripe.charge_stripe_fee(100, currency='chf', account=account)
        self.feed()
        self.assert_nothing_suspended()
        self.assert_ties()

    # === DAYS === #

    def test_fees_of_the_last_day_are_booked_after_disconnecting(self):
        self.provider.stripe_checkout_fee_mode = 'day'
        self.pay(100)
        self.feed()
        self.disconnect(now=True)
        self.stripe.calls.clear()
        with freeze_time(datetime.now() + timedelta(days=1)):
            self.feed()
        self.assertEqual(self.get_rows().fee_line_id.mapped('amount'), [-3.2])
        self.assertEqual(len(self.stripe.calls), 0)

    def test_one_fee_line_a_day(self):
        self.provider.stripe_checkout_fee_mode = 'day'
        for amount in (100, 200):
            self.pay(amount)
        self.feed()
        self.assertFalse(self.get_rows().statement_line_ids, "The day is not over")
        [report] = self.env['stripe.balance.report'].search([
            ('provider_id', '=', self.provider.id)
        ])
        self.assertRecordValues(
            report, [{'stripe': 290.7, 'waiting': -9.3, 'books': 300, 'difference': 0}]
        )
        with freeze_time(datetime.now() + timedelta(days=1)):
            self.feed()
            self.feed()
        rows = self.get_rows()
        line = rows.fee_line_id
        self.assertEqual(len(line), 1)
        self.assertRecordValues(line, [{'amount': -9.3, 'date': rows[0].day}])
        self.assertEqual(self.get_balance(), 290.7)
        self.assert_nothing_suspended()
        self.assert_ties()
        # What shows late gets a line of its own.
        self.pay(50)
        with freeze_time(datetime.now() + timedelta(days=1)):
            self.feed()
        self.assertEqual(len(self.get_rows().fee_line_id), 2)
        self.assert_ties()

    def test_day_of_the_providers_time_zone(self):
        self.provider.stripe_checkout_tz = 'Pacific/Kiritimati'  # 14 hours ahead
        day = date.today() + timedelta(days=1)
        with freeze_time(datetime.combine(day, time(12))):
            self.stripe.charge_stripe_fee(100)
            self.feed()
        row = self.get_rows()
        self.assertEqual(row.booked_day, day + timedelta(days=1))
        self.assertEqual(row.statement_line_ids.date, day + timedelta(days=1))

    def test_locked_day(self):
        """Booked on the first open day, and the report says so."""
        self.pay(100, settle=False)
        self.stripe.charge_stripe_fee(100)
        today = self.provider._stripe_checkout_get_day(datetime.now())
        self.company.fiscalyear_lock_date = today
        self.settle()
        self.feed()
        tomorrow = today + timedelta(days=1)
        rows = self.get_rows()
        self.assertEqual(set(rows.mapped('state')), {'booked'})
        self.assertEqual(set(rows.mapped('moved')), {True})
        self.assertEqual(set(rows.mapped('day')), {today})
        self.assertEqual(set(rows.mapped('booked_day')), {tomorrow})
        self.assertEqual(set(rows.statement_line_ids.mapped('date')), {tomorrow})
        [report] = self.env['stripe.balance.report'].search([
            ('provider_id', '=', self.provider.id)
        ])
        self.assertRecordValues(
            report, [{'day': tomorrow, 'moved_count': 2, 'stripe': 95.8, 'difference': 0}]
        )
        self.assert_ties()

    def test_locked_after_the_payment(self):
        """The payment was booked in time, its fee came after the day was locked."""
        self.pay(100)
        today = self.provider._stripe_checkout_get_day(datetime.now())
        self.company.fiscalyear_lock_date = today
        self.feed()
        tomorrow = today + timedelta(days=1)
        row = self.get_rows()
        self.assertRecordValues(row, [{'booked_day': today, 'fee_day': tomorrow, 'moved': True}])
        self.assertEqual(row.statement_line_ids.date, tomorrow)
        self.assert_ties()

    def test_failure_of_a_refund_on_a_locked_day(self):
        """Catches what a lock date has moved and the report does not list."""
        refund = self.stripe.refund(self.pay(100).transaction_ids.stripe_checkout_session_id, 4000)
        self.settle()
        self.feed()
        today = self.provider._stripe_checkout_get_day(datetime.now())
        self.company.fiscalyear_lock_date = today
        self.stripe.fail_refund(refund['id'])
        self.settle()
        self.feed()
        self.assertRecordValues(
            self.get_rows(kind='refund_failure'),
            [{'day': today, 'booked_day': today + timedelta(days=1), 'moved': True}],
        )
        self.assertFalse(any(self.get_rows(kind='refund').mapped('moved')))
        self.assert_ties()
