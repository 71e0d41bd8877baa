from datetime import timedelta

from lxml import html

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from .common import StripeCheckoutCommon

CONNECTED = "Stripe is connected and the webhook is confirmed"
LINK_LIFE = "Payment links live as long as clients take to pay"
IN_MAILS = "Invoice e-mails carry a payment link"
CONFIRMATIONS = "Clients receive a payment confirmation"
TESTED = "Events have arrived since the address or the keys were changed"
OVERDUE = "No invoice is overdue"


@tagged('post_install', '-at_install')
class TestChecklist(StripeCheckoutCommon):
    """Each line of the checklist ticks itself when it is done, and only then."""

    def read_checklist(self):
        """Return the lines as a billing admin sees them: whether each is ticked, and its hint."""
        self.env.flush_all()
        self.env.invalidate_all()
        page = html.fromstring(
            self.provider.with_user(self.billing_admin).stripe_checkout_checklist
        )
        return {
            line.xpath('string(span/text()[normalize-space()])').strip(): (
                line.xpath('string(i/@aria-label)') == 'Done',
                line.xpath('string(span/small)'),
            )
            for line in page.xpath('//li')
        }

    def assert_line(self, line, ticked, hint=None):
        lines = self.read_checklist()
        self.assertEqual(lines[line][0], ticked, lines)
        if hint is not None:
            self.assertEqual(lines[line][1], hint)

    def pay(self, days):
        """Let a client pay an invoice that is as many days old."""
        day = fields.Date.today() - timedelta(days=days)
        invoice = self.create_invoice(100, invoice_date=day)
        self.stripe.pay(self.open_link(invoice)['id'])
        self.deliver()
        self.run_queue()
        return invoice

    def test_there_is_no_other_line(self):
        self.assertEqual(
            list(self.read_checklist()),
            [CONNECTED, LINK_LIFE, IN_MAILS, CONFIRMATIONS, TESTED, OVERDUE],
        )

    def test_connected(self):
        self.assert_line(CONNECTED, True)
        self.stripe.disable_endpoint(self.provider.stripe_checkout_endpoint_id)
        self.provider.with_user(self.billing_admin).action_stripe_checkout_test_connection()
        self.assert_line(CONNECTED, False)
        self.disconnect()
        self.assert_line(CONNECTED, False)

    def test_links_live_as_long_as_clients_take(self):
        self.assert_line(LINK_LIFE, False, "72 hours; nobody has paid online lately")
        self.pay(2)
        self.assert_line(LINK_LIFE, True, "72 hours; clients took 2.0 days on average")
        self.pay(5)
        self.assert_line(LINK_LIFE, False, "72 hours; clients took 3.5 days on average")
        self.provider.with_user(self.billing_admin).stripe_checkout_link_expiration = '168'
        self.assert_line(LINK_LIFE, True, "168 hours; clients took 3.5 days on average")

    def test_switches(self):
        for line, name in (
            (IN_MAILS, 'stripe_checkout_links_in_emails'),
            (CONFIRMATIONS, 'stripe_checkout_send_confirmations'),
        ):
            self.assert_line(line, True)
            self.provider.with_user(self.billing_admin)[name] = False
            self.assert_line(line, False)

    def test_tested_after_a_change_of_address(self):
        self.assert_line(TESTED, True, self.base_url())
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://new.example.com')
        self.assert_line(TESTED, False, self.base_url())

    def test_tested_after_a_change_of_keys(self):
        self.connect(secret_key=self.stripe.add_restricted_key())
        self.assert_line(TESTED, False)
        self.deliver()
        self.assert_line(TESTED, True)

    def test_overdue(self):
        self.assert_line(OVERDUE, True, '')
        day = fields.Date.today() - timedelta(days=10)
        values = {'invoice_date': day, 'invoice_date_due': day, 'invoice_payment_term_id': False}
        self.create_invoice(100, **values)
        self.create_invoice(100, post=False, **values)
        self.assert_line(OVERDUE, False, "1 to remind of")

    def test_overdue_at_a_branch(self):
        self.company.child_ids = [Command.create({'name': "Branch"})]
        self.env.cr.precommit.run()  # The branch gets its parent's chart of accounts.
        branch = self.company.child_ids
        self.billing_admin.company_ids += branch
        day = fields.Date.today() - timedelta(days=10)
        self.create_invoice(
            100,
            company_id=branch.id,
            invoice_date=day,
            invoice_date_due=day,
            invoice_payment_term_id=False,
        )
        self.provider = self.provider.with_context(allowed_company_ids=(self.company + branch).ids)
        self.assert_line(OVERDUE, False, "1 to remind of")
