from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestLinkParts(PortalCommon):
    """A link that asks for a part of an invoice asks for this part and for nothing else."""

    def create_in_halves(self, *days):
        """Create an invoice of 100 that is due in two halves, some days from today each."""
        term = self.env['account.payment.term'].create({
            'name': "In halves",
            'line_ids': [
                Command.create({'value': 'percent', 'value_amount': 50, 'nb_days': 30 + day})
                for day in days
            ],
        })
        today = self.provider._stripe_checkout_get_today()
        return self.create_invoice(
            100, invoice_date=today - timedelta(days=30), invoice_payment_term_id=term.id
        )

    def remind(self, invoice):
        """Send a reminder by hand; return the path of its link."""
        self.env['stripe.checkout.remind'].create({'move_ids': invoice.ids}).action_send()
        return self.get_mailed_path()

    def get_mailed_path(self):
        """Return the path of the link in the latest mail."""
        _label, url = self.read_mails()[-1].get_button()
        return url.removeprefix(self.base_url())

    def visit(self, path):
        """Visit a link; return the amount that Stripe asks for."""
        response = self.url_open(path, allow_redirects=False)
        self.assertEqual(response.status_code, 303, response.text)
        return self.get_session(response.headers['Location'])['amount_total']

    # === A NEW LINK === #

    def test_new_link_in_place_of_an_installments(self):
        """Catches a request that turns what is due into the whole invoice."""
        path = self.remind(self.create_in_halves(-1, 20))
        with freeze_time(fields.Datetime.now() + timedelta(days=5)):
            page = self.get_page(self.url_open(path), 'expired')
            [form] = page.xpath("//form[@name='o_stripe_checkout_renew']")
            self.submit(form)
            letter = self.read_mails()[-1]
            self.assertIn("You asked for a new payment link", letter.text)
            self.assertIn("To pay now $ 50.00", letter.text.replace('\N{NO-BREAK SPACE}', ' '))
            self.assertEqual(self.visit(self.get_mailed_path()), 5000)
