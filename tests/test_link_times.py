from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged

from .common import StripeCheckoutCommon

LIFETIMES = (1, 24, 48, 720)
# When each link is visited, in hours after it was handed out.
VISITS = (0, 23 + 50 / 60, 24 + 1 / 60, 47 + 50 / 60, 719, 721)


@tagged('post_install', '-at_install')
class TestLinkTimes(StripeCheckoutCommon):
    """A link works exactly while its setting says, although a session lives 24 hours at most."""

    def hand_out(self, hours):
        """Hand a link out that lives for some hours; return its path."""
        self.provider.with_user(self.billing_admin).write({
            'stripe_checkout_link_expiration': 'custom',
            'stripe_checkout_link_custom_hours': hours,
        })
        invoice = self.create_invoice(100)
        link = self.env['stripe.payment.link']._hand_out(invoice, self.client)
        return link._get_path()

    def is_payable(self, path):
        """Visit a link; tell whether it leads to a session that is open at that very time."""
        response = self.url_open(path, allow_redirects=False)
        if response.status_code == 303:
            self.assertEqual(self.get_session(response.headers['Location'])['status'], 'open')
            return True
        self.get_page(response, 'expired')
        return False

    def assert_lives(self, hours):
        start = fields.Datetime.now()
        with freeze_time(start):
            path = self.hand_out(hours)
        for visit in VISITS:
            with freeze_time(start + timedelta(hours=visit)):
                self.assertEqual(self.is_payable(path), visit < hours, f"{visit} h of {hours} h")
        return path

    def test_one_hour(self):
        self.assert_lives(1)

    def test_a_day(self):
        self.assert_lives(24)

    def test_two_days(self):
        self.assert_lives(48)

    def test_thirty_days(self):
        self.assert_lives(720)

    def test_every_choice_of_the_setting(self):
        start = fields.Datetime.now()
        for choice, days in (('24', 1), ('48', 2), ('72', 3), ('168', 7), ('336', 14), ('720', 30)):
            with self.subTest(choice), freeze_time(start):
                settings = {'stripe_checkout_link_expiration': choice}
                self.provider.with_user(self.billing_admin).write(settings)
                link = self.env['stripe.payment.link']._hand_out(
                    self.create_invoice(100), self.client
                )
                self.assertEqual(link.expires_at, start + timedelta(days=days))

    def test_three_days_unless_somebody_chooses(self):
        company = self.env['res.company'].create({'name': "New"})
        provider = self.env['payment.provider']._stripe_checkout_ensure_provider(company)
        self.assertEqual(provider._stripe_checkout_get_link_hours(), 72)

    def test_to_the_minute(self):
        for hours in LIFETIMES:
            start = fields.Datetime.now()
            with freeze_time(start):
                path = self.hand_out(hours)
            with freeze_time(start + timedelta(hours=hours, seconds=-1)):
                self.assertTrue(self.is_payable(path))
            with freeze_time(start + timedelta(hours=hours)):
                self.assertFalse(self.is_payable(path))

    def test_session_ends_with_its_link(self):
        """The sweep ends what Stripe would keep open longer than the link lives."""
        start = fields.Datetime.now()
        with freeze_time(start):
            path = self.hand_out(1)
        with freeze_time(start + timedelta(minutes=59)):
            location = self.url_open(path, allow_redirects=False).headers['Location']
        with freeze_time(start + timedelta(minutes=70)):
            self.run_cron('ir_cron_sweep')
            self.assertEqual(self.get_session(location)['status'], 'expired')

    def test_former_link_lives_on_as_set_when_another_is_sent(self):
        self.provider.with_user(self.billing_admin).stripe_checkout_link_expiration = '24'
        invoice = self.create_invoice(100)
        links = self.env['stripe.payment.link']
        start = fields.Datetime.now()
        with freeze_time(start):
            former = links._hand_out(invoice, self.client)._get_path()
        with freeze_time(start + timedelta(hours=23)):
            latter = links._hand_out(invoice, self.client)._get_path()
            self.assertNotEqual(former, latter)
            self.assertTrue(self.is_payable(former))
            self.assertTrue(self.is_payable(latter))
        with freeze_time(start + timedelta(hours=25)):
            self.run_cron('ir_cron_sweep')
            self.assertFalse(self.is_payable(former))
            self.assertTrue(self.is_payable(latter))

    def test_waiting_in_a_drawer_costs_no_time(self):
        """The expiry runs from the handing out, not from the posting."""
        self.provider.with_user(self.billing_admin).stripe_checkout_link_expiration = '24'
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        with freeze_time(fields.Datetime.now() + timedelta(days=40)):
            self.assertTrue(self.is_payable(path))
