from datetime import date, datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import AccessError
from odoo.tests import tagged

from .portal_common import PortalCommon

# In the evening of June 15 in Los Angeles it is the morning of June 16 in Auckland.
EVENING = datetime(2026, 6, 15, 22, 0)
WEST, EAST = 'America/Los_Angeles', 'Pacific/Auckland'


@tagged('post_install', '-at_install')
class TestReminderDays(PortalCommon):
    """Whose day it is: companies remind by theirs, clients read by theirs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.setup_other_company(name="Another company")['company']

    def setUp(self):
        super().setUp()
        self.provider.stripe_checkout_tz = WEST
        self.billing_admin.company_ids += self.other
        self.other_provider = self.connect(
            user=self.billing_admin.with_context(allowed_company_ids=self.other.ids),
            company=self.other,
        )
        self.other_provider.stripe_checkout_tz = EAST
        self.own_invoice = self.create_due(self.company)
        self.other_invoice = self.create_due(self.other)

    def create_due(self, company):
        """Create an invoice that is due on June 15."""
        return self.create_invoice(
            company_id=company.id,
            invoice_date=date(2026, 5, 16),
            invoice_date_due=date(2026, 6, 15),
        )

    def switch_on(self, *providers):
        for provider in providers:
            provider.write({
                'stripe_checkout_reminders': True,
                'stripe_checkout_reminder_before': '',
                'stripe_checkout_reminder_after': '1',
            })

    def remind(self, moment):
        with freeze_time(moment):
            self.run_cron('ir_cron_remind')
        return [letter.subject.partition(':')[0] for letter in self.read_mails()]

    # === ON SCHEDULE === #

    def test_each_company_reminds_on_its_own_day(self):
        self.switch_on(self.provider, self.other_provider)
        self.assertEqual(self.remind(EVENING), ["Another company"])
        both = ["Another company", self.company.name]
        self.assertEqual(self.remind(EVENING + timedelta(hours=10)), both)
        self.assertEqual(self.remind(EVENING + timedelta(hours=12)), both, "Once each")

    def test_a_company_that_does_not_remind_stays_silent(self):
        self.switch_on(self.provider)
        self.assertEqual(self.remind(EVENING + timedelta(hours=12)), [self.company.name])

    # === BY HAND === #

    def send(self, user, invoices):
        action = invoices.with_user(user).action_stripe_checkout_open_remind()
        wizards = self.env['stripe.checkout.remind'].with_user(user)
        wizards.with_context(**action['context']).create({}).action_send()

    def test_words_by_the_day_of_the_company(self):
        with freeze_time(EVENING):
            for time_zone in (EAST, WEST):  # Wherever staff sit.
                self.billing_admin.tz = time_zone
                self.send(self.billing_admin, self.own_invoice + self.other_invoice)
        for letter in self.read_mails():
            is_other = letter.subject.startswith("Another company:")
            self.assertEqual("overdue" in letter.text, is_other, letter.text)
        self.assertEqual(len(self.read_mails()), 4)

    def test_staff_remind_of_invoices_of_their_own_company(self):
        biller = self.create_user('biller', 'account.group_account_invoice')
        for invoices in (self.other_invoice, self.own_invoice + self.other_invoice):
            with self.assertRaises(AccessError):
                self.send(biller, invoices)
        self.assertEqual(self.read_mails(), [])
        with freeze_time(EVENING):
            self.send(biller, self.own_invoice)
        self.assertEqual(len(self.read_mails()), 1)

    # === PORTAL === #

    def test_client_reads_by_the_clients_day(self):
        path = f'/my/invoices/{self.own_invoice.id}'
        with freeze_time(EVENING):
            for time_zone, badge in ((EAST, "Overdue"), (WEST, "Open")):
                self.portal_user.tz = time_zone
                self.env.flush_all()
                self.env.registry.clear_cache()
                self.authenticate('portal_client', 'portal_client')
                page = self.open_page(path)
                badges = self.read_texts(page.xpath("//*[contains(@class, 'badge')]"))
                self.assertIn(badge, badges, time_zone)
