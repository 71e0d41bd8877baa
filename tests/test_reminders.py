from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from .common import StripeCheckoutCommon

REMINDERS = 'odoo.addons.payment_stripe_checkout.models.account_move_reminder'


@tagged('post_install', '-at_install')
class TestReminders(StripeCheckoutCommon):
    """Clients are reminded of what they owe, of nothing else, and once for each stage."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.biller = cls.create_user('biller', 'account.group_account_invoice')

    def create_due(self, days, **values):
        """Create an invoice that is due some days from today; negative for days ago."""
        due = self.provider._stripe_checkout_get_today() + timedelta(days=days)
        return self.create_invoice(
            100, invoice_date=due - timedelta(days=30), invoice_date_due=due, **values
        )

    def pay_otherwise(self, invoice, amount=None):
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({'amount': amount} if amount else {})._create_payments()

    def start_debit(self, invoice):
        self.stripe.pay(self.open_link(invoice)['id'], 'us_bank_account')
        self.deliver()
        self.run_queue()

    # === BY HAND === #

    def open_wizard(self, invoices):
        """Choose the action in the list of invoices."""
        server_action = self.env.ref('payment_stripe_checkout.action_server_stripe_checkout_remind')
        action = (
            server_action
            .with_user(self.biller)
            .with_context(active_model='account.move', active_ids=invoices.ids)
            .run()
        )
        wizards = self.env[action['res_model']].with_user(self.biller)
        return Form(wizards.with_context(**action['context'])).save()

    def test_reminder_has_a_fresh_link(self):
        invoice = self.create_due(-5)
        former = self.get_path(invoice)
        self.open_link(invoice)
        self.stripe.calls.clear()
        self.open_wizard(invoice).action_send()
        self.assertEqual(len(self.stripe.calls), 0)
        [letter] = self.read_mails()
        self.assertIn("overdue", letter.text)
        self.assertIn(invoice.name, letter.subject)
        self.assertIn('$ 100.00', letter.plain)
        self.assertEqual(letter.get_colors(), [])
        label, url = letter.get_button()
        self.assertEqual(label, "Pay online")
        self.assertNotEqual(url.removeprefix(self.base_url()), former)
        response = self.url_open(url.removeprefix(self.base_url()), allow_redirects=False)
        self.assertEqual(response.status_code, 303)

    def test_reminder_shows_the_invoice(self):
        invoice = self.create_due(5)
        self.open_wizard(invoice).action_send()
        [letter] = self.read_mails()
        [url] = letter.get_links(f'/my/invoices/{invoice.id}')
        response = self.url_open(url.removeprefix(self.base_url()))
        self.assertIn(invoice.name, response.text)
        self.assertIn("o_download_pdf", response.text)

    def test_before_the_due_date_nothing_is_overdue(self):
        self.open_wizard(self.create_due(5)).action_send()
        [letter] = self.read_mails()
        self.assertNotIn("overdue", letter.text)

    def test_many_at_once_less_those_that_owe_nothing(self):
        due = self.create_due(-1) + self.create_due(1)
        paid, disputed, debited, draft = (self.create_due(-1) for _ in range(4))
        self.pay_otherwise(paid)
        disputed.action_toggle_block_payment()
        self.start_debit(debited)
        draft.button_draft()
        nobody = self.env['res.partner'].create({'name': "Nobody"})
        silent = self.create_due(-1, partner_id=nobody.id)
        wizard = self.open_wizard(due + paid + disputed + debited + draft + silent)
        self.assertEqual(wizard.sendable_count, 2)
        for text in ("disputed", "on its way", "paid", "not posted", "no e-mail address"):
            self.assertIn(text, wizard.left_out)
        wizard.action_send()
        letters = self.read_mails()
        self.assertEqual(len(letters), 2)
        for invoice in due:
            self.assertEqual(sum(invoice.name in letter.text for letter in letters), 1)

    def test_nobody_to_remind(self):
        paid = self.create_due(-1)
        self.pay_otherwise(paid)
        wizard = self.open_wizard(paid)
        with self.assertRaises(UserError):
            wizard.action_send()

    def give_credit(self, amount):
        """Book a payment of the client for no invoice."""
        self.env['account.payment'].create({
            'payment_type': 'inbound',
            'partner_type': 'customer',
            'partner_id': self.client.id,
            'amount': amount,
            'journal_id': self.company_data['default_journal_bank'].id,
        }).action_post()

    def test_staff_hear_of_credit_before_they_send(self):
        invoice = self.create_due(-1)
        self.assertFalse(self.open_wizard(invoice).credit_notice)
        self.give_credit(30)
        wizard = self.open_wizard(invoice)
        self.assertIn(invoice.name, wizard.credit_notice)
        self.assertIn('30.00', wizard.credit_notice)
        wizard.action_send()
        self.assertEqual(len(self.read_mails()), 1, "It is for them to decide")

    def test_for_billing_staff_only(self):
        stranger = new_test_user(self.env, login='stranger', groups='base.group_user')
        with self.assertRaises(AccessError):
            self.create_due(1).with_user(stranger).action_stripe_checkout_open_remind()

    # === ON SCHEDULE === #

    def switch_on(self, before='3', after='1, 7'):
        self.provider.with_user(self.billing_admin).write({
            'stripe_checkout_reminders': True,
            'stripe_checkout_reminder_before': before,
            'stripe_checkout_reminder_after': after,
        })

    def remind(self):
        self.run_cron('ir_cron_remind')

    def test_off_by_default(self):
        self.create_due(-1)
        self.remind()
        self.assertEqual(self.read_mails(), [])

    def travel(self, days):
        """Move some days into the future."""
        return freeze_time(fields.Datetime.now() + timedelta(days=days))

    def assert_reminders(self, expected):
        """Check on which days from today the schedule mails.

        :param dict expected: How many reminders are out after the cron ran on each day.
        """
        for day, count in expected.items():
            with self.travel(day):
                self.remind()
                self.remind()
            self.assertEqual(len(self.read_mails()), count, f"On day {day}")

    def test_each_stage_once(self):
        self.switch_on()
        self.create_due(3)
        self.assert_reminders({0: 1, 1: 1, 3: 1, 4: 2, 5: 2, 9: 2, 10: 3, 11: 3, 30: 3})

    def create_in_installments(self, *days):
        """Create an invoice of 100 that is due in equal parts, some days from today each."""
        term = self.env['account.payment.term'].create({
            'name': "In parts",
            'line_ids': [
                fields.Command.create({
                    'value': 'percent',
                    'value_amount': 100 / len(days),
                    'nb_days': 30 + day,
                })
                for day in days
            ],
        })
        today = self.provider._stripe_checkout_get_today()
        return self.create_invoice(
            100, invoice_date=today - timedelta(days=30), invoice_payment_term_id=term.id
        )

    def test_each_installment_has_its_reminders(self):
        self.switch_on()
        self.create_in_installments(-1, 20)
        self.assert_reminders({0: 1, 6: 2, 16: 2, 17: 3, 20: 3, 21: 4, 27: 5, 28: 5})
        first, *_others, last = self.read_mails()
        self.assertIn("overdue", first.text)
        self.assertIn("To pay now $ 50.00", first.text.replace('\N{NO-BREAK SPACE}', ' '))
        self.assertEqual(first.text.count("50.00"), 3, "What is left of each, and what is asked")
        url = first.get_button()[1].removeprefix(self.base_url())
        location = self.url_open(url, allow_redirects=False).headers['Location']
        self.assertEqual(self.get_session(location)['amount_total'], 5000)
        with self.travel(27):
            url = last.get_button()[1].removeprefix(self.base_url())
            location = self.url_open(url, allow_redirects=False).headers['Location']
            self.assertEqual(self.get_session(location)['amount_total'], 10000, "Both are overdue")

    def test_installment_that_is_paid_reminds_of_nothing(self):
        self.switch_on()
        invoice = self.create_in_installments(-1, 20)
        self.pay_otherwise(invoice, 50)
        self.assert_reminders({0: 0, 6: 0, 17: 1})
        [letter] = self.read_mails()
        self.assertNotIn("overdue", letter.text)

    def test_an_extended_due_date_has_stages_of_its_own(self):
        self.switch_on()
        invoice = self.create_due(-7)
        self.assert_reminders({0: 1})
        due = self.provider._stripe_checkout_get_today() + timedelta(days=10)
        invoice.line_ids.filtered('date_maturity').date_maturity = due
        invoice.invoice_date_due = due
        self.assert_reminders({0: 1, 6: 1, 7: 2, 11: 3, 17: 4})

    def test_not_on_the_day_of_the_invoice(self):
        self.switch_on()
        today = self.provider._stripe_checkout_get_today()
        soon = today + timedelta(days=2)
        self.create_invoice(100, invoice_date=today, invoice_date_due=soon)
        self.assert_reminders({0: 0, 1: 0, 2: 0, 3: 1})

    def test_not_on_the_day_the_invoice_was_mailed(self):
        self.switch_on()
        invoice = self.create_due(2)
        self.env['stripe.payment.link']._hand_out(invoice, self.client)
        self.assert_reminders({0: 0, 1: 0, 3: 1})

    def test_a_reminder_by_hand_holds_back_that_of_the_day(self):
        self.switch_on()
        invoice = self.create_due(-1)
        self.open_wizard(invoice).action_send()
        self.assert_reminders({0: 1, 1: 1, 6: 2})

    def test_stages_of_one_day_apart_are_sent_on_their_days(self):
        self.switch_on(before='', after='1, 2')
        self.create_due(-2)
        self.remind()
        self.remind()
        self.assertEqual(len(self.read_mails()), 1, "The latest stage alone")

    def test_debtors_of_the_past_are_left_in_peace(self):
        self.switch_on()
        self.create_due(-60)
        self.remind()
        self.assertEqual(self.read_mails(), [])

    def test_a_missed_day_is_made_up_for(self):
        self.switch_on()
        self.create_due(-2)
        self.remind()
        self.assertEqual(len(self.read_mails()), 1)

    @mute_logger('odoo.sql_db')
    def test_lasting_database_error_is_logged(self):
        """Catches a statement that times out each time and passes for a conflict."""
        self.switch_on()
        self.create_due(3)
        self.refuse_in_database('57014', 'INSERT ON stripe_checkout_reminder')
        with self.assertLogs(REMINDERS, 'ERROR') as logs:
            self.remind()
        self.assertIn('refused by the database', logs.output[0])

    def test_never_for_what_is_not_owed(self):
        self.switch_on()
        paid, disputed, debited, cancelled = (self.create_due(-1) for _ in range(4))
        self.pay_otherwise(paid)
        disputed.action_toggle_block_payment()
        self.start_debit(debited)
        cancelled.button_draft()
        cancelled.button_cancel()
        self.create_due(-1, move_type='out_refund')
        self.remind()
        self.assertEqual(self.read_mails(), [])

    def test_pauses_while_a_dispute_runs(self):
        self.switch_on()
        invoice = self.create_due(-1)
        link = self.env['stripe.payment.link']._get_or_create_for_amount(invoice, 60.0)
        response = self.url_open(link._get_path(), allow_redirects=False)
        checkout = self.get_session(response.headers['Location'])
        self.stripe.pay(checkout['id'])
        dispute = self.stripe.dispute(checkout['id'])
        self.deliver()
        self.run_queue()
        self.assertEqual(invoice.amount_residual, 40)
        self.remind()
        self.assertEqual(self.read_mails(), [])
        self.assertIn("disputed", self.open_wizard(invoice).left_out)
        self.stripe.win_dispute(dispute['id'])
        self.deliver()
        self.run_queue()
        self.remind()
        [letter] = self.read_mails()
        self.assertIn("40.00", letter.text)

    def test_stops_when_paid(self):
        self.switch_on()
        invoice = self.create_due(-1)
        self.remind()
        self.assertEqual(len(self.read_mails()), 1)
        self.pay_otherwise(invoice)
        self.assert_reminders({6: 1, 7: 1})

    def test_whose_credit_covers_it_is_left_to_staff(self):
        self.switch_on()
        covered = self.create_due(-1)
        self.give_credit(100)
        self.assert_reminders({0: 0, 1: 0, 7: 0})
        self.assertEqual(len(covered.activity_ids), 1)
        self.assertIn("credit", covered.activity_ids.summary)

    def test_whose_credit_covers_a_part_is_reminded(self):
        self.switch_on()
        self.create_due(-1)
        self.give_credit(60)
        self.assert_reminders({0: 1})

    def test_schedule_that_is_none_is_refused(self):
        for days in ('soon', '-1', '1.5', '400'):
            with self.assertRaises(ValidationError):
                self.switch_on(after=days)
