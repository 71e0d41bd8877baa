from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, new_test_user, tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class TestReminders(StripeCheckoutCommon):
    """Clients are reminded of what they owe, of nothing else, and once for each stage."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.biller = new_test_user(
            cls.env,
            login='biller',
            groups='account.group_account_invoice',
            company_id=cls.company.id,
            company_ids=[fields.Command.set(cls.company.ids)],
        )

    def create_due(self, days, **values):
        """Create an invoice that is due some days from today; negative for days ago."""
        due = self.provider._stripe_checkout_get_today() + timedelta(days=days)
        return self.create_invoice(
            100, invoice_date=due - timedelta(days=30), invoice_date_due=due, **values
        )

    def pay_otherwise(self, invoice):
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        ).create({})._create_payments()

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

    def test_each_stage_once(self):
        self.switch_on()
        invoice = self.create_due(3)
        expected = 0
        for days, sent in ((3, 1), (3, 0), (2, 0), (-1, 1), (-1, 0), (-6, 0), (-7, 1), (-8, 0)):
            due = self.provider._stripe_checkout_get_today() + timedelta(days=days)
            invoice.line_ids.filtered('date_maturity').date_maturity = due
            invoice.invoice_date_due = due
            self.remind()
            expected += sent
            self.assertEqual(len(self.read_mails()), expected, f"{days} days before it is due")

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

    def test_stops_when_paid(self):
        self.switch_on()
        invoice = self.create_due(-1)
        self.remind()
        self.assertEqual(len(self.read_mails()), 1)
        self.pay_otherwise(invoice)
        due = self.provider._stripe_checkout_get_today() - timedelta(days=7)
        invoice.invoice_date_due = due
        self.remind()
        self.assertEqual(len(self.read_mails()), 1)

    def test_schedule_that_is_none_is_refused(self):
        for days in ('soon', '-1', '1.5', '400'):
            with self.assertRaises(ValidationError):
                self.switch_on(after=days)
