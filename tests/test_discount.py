from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged
from odoo.tools import format_date, mute_logger

from .common import StripeCheckoutCommon

FIRST_DAY = datetime(2031, 3, 1, 12, 0)


@tagged('post_install', '-at_install')
class TestDiscount(StripeCheckoutCommon):
    """An early-payment discount is booked as Odoo's own Register Payment books it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.taxes = cls.create_taxes(7, 19)

    def create_discounted(self, computation='included', **values):
        """Create an invoice with two taxes and a line that has both."""
        lines = ((100, self.taxes[0]), (333.33, self.taxes[1]), (50, self.taxes))
        return self.create_invoice(
            invoice_payment_term_id=self.create_discount_term(computation).id,
            invoice_line_ids=self.prepare_taxed_lines(*lines),
            **{'invoice_date': fields.Date.today(), **values},
        )

    def process(self, deliveries=None):
        """Deliver events and work them off; by the database's clock the future is not due yet."""
        self.deliver(deliveries)
        self.env['stripe.event'].sudo().search([]).next_attempt_at = datetime(2026, 1, 1)
        self.run_queue()

    def describe(self, payment):
        """Return the journal items of a payment but for that of the money, in any order."""
        return sorted(
            (
                item.account_id.code,
                item.amount_currency,
                item.balance,
                item.tax_line_id.name or '',
                item.tax_ids.mapped('name'),
                item.tax_tag_ids.ids,
                item.reconciled,
            )
            for item in payment.move_id.line_ids
            if item.account_id.account_type not in ('asset_cash', 'asset_current')
        )

    def test_as_odoo_books_it(self):
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0)])
        for computation in ('included', 'excluded', 'mixed'):
            for currency in (self.company.currency_id, euro):
                with self.subTest(computation, currency=currency.name):
                    values = {'computation': computation, 'currency_id': currency.id}
                    invoice, twin = (self.create_discounted(**values) for _twin in range(2))
                    self.stripe.pay(self.open_link(invoice)['id'])
                    self.process()
                    self.env['account.payment.register'].with_context(
                        active_model='account.move', active_ids=twin.ids
                    ).create({})._create_payments()
                    self.assertEqual((invoice + twin).mapped('payment_state'), ['paid', 'paid'])
                    ours, odoos = map(self.get_payments, (invoice, twin))
                    self.assertEqual(ours.amount, odoos.amount)
                    self.assertEqual(self.describe(ours), self.describe(odoos))
                    self.assertGreater(len(ours.move_id.line_ids), 2)

    def test_day_of_the_client_at_the_border(self):
        """The last day of the discount is over when it is over where payments are booked."""
        end = datetime(2031, 3, 11, 23, 0)  # The tenth day, an hour before midnight.
        for time_zone in ('UTC', 'America/Los_Angeles'):
            with self.subTest(time_zone):
                self.provider.stripe_checkout_tz = time_zone
                with freeze_time(end):
                    invoice = self.create_discounted(invoice_date=FIRST_DAY.date())
                    session = self.open_link(invoice)
                    discounted = invoice._stripe_checkout_get_due()
                    self.assertLess(session['amount_total'], round(invoice.amount_total * 100))
                    self.stripe.pay(session['id'])
                    deliveries = self.stripe.deliveries.pop_all()
                with freeze_time(end + timedelta(days=3)):  # The event comes late.
                    self.process(deliveries)
                self.assertEqual(self.get_payments(invoice).amount, discounted)
                self.assertEqual(invoice.payment_state, 'paid')
        self.provider.stripe_checkout_tz = 'Asia/Tokyo'  # Where it is the eleventh day already.
        with freeze_time(end):
            invoice = self.create_discounted(invoice_date=FIRST_DAY.date())
            session = self.open_link(invoice)
            self.assertEqual(session['amount_total'], round(invoice.amount_total * 100))

    def test_paid_a_minute_too_late(self):
        """Asked for in time, paid after midnight: the invoice stays open by the discount."""
        self.provider.stripe_checkout_tz = 'UTC'
        with freeze_time(datetime(2031, 3, 11, 23, 30)):
            invoice = self.create_discounted(invoice_date=FIRST_DAY.date())
            session = self.open_link(invoice)
            discount = invoice._stripe_checkout_get_discount()
        with freeze_time(datetime(2031, 3, 12, 0, 1)):
            self.stripe.pay(session['id'])
            self.process()
        self.assertRecordValues(
            invoice, [{'payment_state': 'partial', 'amount_residual': discount}]
        )
        self.assertEqual(len(self.get_payments(invoice).move_id.line_ids), 2)

    def test_bank_debit_by_the_day_on_which_the_client_let_it_go(self):
        """The client is in time, whatever days the banks take, and however we hear of it."""
        self.provider.stripe_checkout_tz = 'UTC'
        euro = self.setup_other_currency('EUR', rates=[('2020-01-01', 2.0), ('2031-03-13', 4.0)])
        last_day = datetime(2031, 3, 11, 12, 0)
        arrival = last_day + timedelta(days=3)
        for road in ('webhook', 'webhook late', 'sweep', 'sweep late'):
            with self.subTest(road):
                with freeze_time(last_day):
                    invoice = self.create_discounted(
                        invoice_date=FIRST_DAY.date(), currency_id=euro.id
                    )
                    due = invoice._stripe_checkout_get_due()
                    session = self.open_link(invoice)
                    self.stripe.pay(session['id'], 'sepa_debit')
                    self.stripe.make_balance_transactions()
                    held = self.stripe.deliveries.pop_all()
                    if road == 'webhook':
                        self.process(held)
                if road == 'sweep':
                    with freeze_time(last_day + timedelta(hours=1)):
                        self.run_cron('ir_cron_sweep')
                with freeze_time(arrival):
                    self.stripe.settle_debit(session['id'])
                    arrived = self.stripe.deliveries.pop_all()
                    if road == 'webhook':
                        self.process(arrived)
                with freeze_time(arrival + timedelta(days=1)):
                    if road == 'webhook late':
                        self.process([*arrived, *held])
                    self.run_cron('ir_cron_sweep')
                payment = self.get_payments(invoice)
                self.assertRecordValues(payment, [{'amount': due, 'date': arrival.date()}])
                self.assertEqual(invoice.payment_state, 'paid')
                [credit] = payment.move_id.line_ids.filtered(
                    lambda item: item.account_id.account_type == 'asset_receivable'
                )
                self.assertAlmostEqual(credit.amount_currency, -invoice.amount_total)
                rate = 4  # That of the day on which the money arrived, for the discount too.
                self.assertAlmostEqual(credit.balance, credit.amount_currency / rate, delta=0.01)

    def test_bank_debit_that_began_too_late(self):
        self.provider.stripe_checkout_tz = 'UTC'
        with freeze_time(datetime(2031, 3, 11, 23, 30)):
            invoice = self.create_discounted(invoice_date=FIRST_DAY.date())
            session = self.open_link(invoice)
            discount = invoice._stripe_checkout_get_discount()
        with freeze_time(datetime(2031, 3, 12, 0, 1)):
            self.stripe.pay(session['id'], 'us_bank_account')
            self.process()
            self.stripe.settle_debit(session['id'])
            self.process()
        self.assertRecordValues(
            invoice, [{'payment_state': 'partial', 'amount_residual': discount}]
        )

    @mute_logger('odoo.addons.payment_stripe_checkout.models.stripe_event_queue')
    def test_without_an_account_it_waits_and_says_why(self):
        invoice = self.create_discounted()
        self.stripe.pay(self.open_link(invoice)['id'])
        account = self.company.account_journal_early_pay_discount_loss_account_id
        self.company.account_journal_early_pay_discount_loss_account_id = False
        self.process()
        event = self.env['stripe.event'].search([('type', '=', 'checkout.session.completed')])
        self.assertIn("no account for early-payment discounts", event.error)
        for _attempt in range(2):
            event.with_user(self.billing_admin).action_retry()
            self.run_queue()
        self.assertIn("no account for early-payment discounts", event.sudo().activity_ids.note)
        self.company.account_journal_early_pay_discount_loss_account_id = account
        event.with_user(self.billing_admin).action_retry()
        self.run_queue()
        self.assertEqual(invoice.payment_state, 'paid')

    def test_lost_dispute_leaves_it_granted(self):
        invoice = self.create_discounted()
        discount = invoice._stripe_checkout_get_discount()
        session = self.open_link(invoice)
        self.stripe.pay(session['id'])
        self.process()
        self.stripe.lose_dispute(self.stripe.dispute(session['id'])['id'])
        self.process()
        self.assertEqual(invoice.amount_residual, session['amount_total'] / 100)
        [todo] = invoice.activity_ids
        self.assertIn(f'{discount:.2f} stays granted', todo.note)

    def test_one_of_several_invoices(self):
        discounted, plain = self.create_discounted(), self.create_invoice(40)
        link = self.env['stripe.payment.link']._get_or_create_for_all(discounted + plain)
        expected = discounted._stripe_checkout_get_due() + 40
        response = self.url_open(link._get_path(), allow_redirects=False)
        session = self.get_session(response.headers['Location'])
        self.assertEqual(session['amount_total'], round(expected * 100))
        self.stripe.pay(session['id'])
        self.process()
        self.assertEqual((discounted + plain).mapped('payment_state'), ['paid', 'paid'])
        payment = self.get_payments(plain)
        self.assertEqual(payment, self.get_payments(discounted))
        taxes = payment.move_id.line_ids.tax_line_id
        self.assertEqual(taxes, self.taxes, "Every tax of it")
        self.assertFalse(payment.stripe_checkout_credit)

    def test_page_of_a_part_names_none(self):
        """Catches a page whose lines do not add up to what the link asks for."""
        self.provider.stripe_checkout_allow_partial = True
        invoice = self.create_discounted()
        links = self.env['stripe.payment.link']
        for amount, count in ((0, 1), (40, 0)):
            with self.subTest(amount):
                path = links._get_or_create_for_amount(invoice, amount)._get_path()
                page = self.get_page(self.url_open(f'{path}/cancelled'), 'cancelled_at_stripe')
                shown = page.xpath("//dd[@name='o_stripe_checkout_discount']")
                self.assertEqual(len(shown), count)
                expected = f'{amount or invoice._stripe_checkout_get_due():.2f}'
                asked = page.get_element_by_id('o_stripe_checkout_to_pay').text_content()
                self.assertIn(expected, asked)

    # === MAILS === #

    def read_amounts(self):
        """Return the lines of the latest mail that name an amount, and what its link asks for."""
        letter = self.read_mails()[-1]
        rows = [
            ' '.join(row.text_content().replace('\N{ZERO WIDTH NO-BREAK SPACE}', '').split())
            for row in letter.html.xpath('//tr')
        ]
        _label, url = letter.get_button()
        path = url.removeprefix(self.base_url())
        location = self.url_open(path, allow_redirects=False).headers['Location']
        return [row for row in rows if '.' in row], self.get_session(location)

    def test_mails_say_what_their_link_asks_for(self):
        """Catches a mail that names all that is left where the link asks for less."""
        term = self.create_discount_term('included')
        invoice = self.create_invoice(100, invoice_payment_term_id=term.id)
        today = self.provider._stripe_checkout_get_today()
        due, until = (
            format_date(self.env, today + timedelta(days=days), lang_code='en_US')
            for days in (30, 10)
        )
        expected = [
            f"{invoice.name} {due} $ 100.00",
            f"Early-payment discount {until} $ -2.00",
            "To pay now $ 98.00",
        ]
        self.env['stripe.checkout.remind'].create({'move_ids': invoice.ids}).action_send()
        rows, session = self.read_amounts()
        self.assertEqual(rows, expected)
        self.assertEqual(session['amount_total'], 9800)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()
        self.stripe.fail_debit(session['id'])
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')
        rows, session = self.read_amounts()
        self.assertEqual(rows, expected)
        self.assertEqual(session['amount_total'], 9800)
        with freeze_time(fields.Datetime.now() + timedelta(days=11)):
            self.env['stripe.checkout.remind'].create({'move_ids': invoice.ids}).action_send()
            rows, session = self.read_amounts()
            self.assertEqual(rows, expected[:1])
            self.assertEqual(session['amount_total'], 10000)
