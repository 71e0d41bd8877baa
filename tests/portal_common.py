"""What the tests of the portal share: a client who is logged in, and how pages are read."""

from lxml import html

from odoo.http import Request
from odoo.tests import new_test_user, tagged

from .common import StripeCheckoutCommon


@tagged('post_install', '-at_install')
class PortalCommon(StripeCheckoutCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.portal_user = new_test_user(cls.env, login='portal_client', groups='base.group_portal')
        cls.portal_user.partner_id.parent_id = cls.client
        cls.other_client = cls.env['res.partner'].create({'name': "Client B"})
        cls.other_user = new_test_user(cls.env, login='portal_other', groups='base.group_portal')
        cls.other_user.partner_id.parent_id = cls.other_client
        for user in cls.portal_user + cls.other_user:
            user.write({'company_ids': [(6, 0, cls.company.ids)], 'company_id': cls.company.id})

    def setUp(self):
        super().setUp()
        self.authenticate('portal_client', 'portal_client')

    # === PAGES === #

    def open_page(self, path):
        """Open a page of the portal as the client; return it parsed."""
        response = self.url_open(path)
        self.assertEqual(response.status_code, 200, response.text[-2000:])
        return html.fromstring(response.content)

    def read_texts(self, nodes):
        """Return the text of nodes as a person reads it."""
        return [' '.join(node.text_content().split()) for node in nodes]

    def submit(self, form, allow_redirects=True, **fields):
        """Send a form of a page, as a browser without JavaScript does.

        :param form: The form, of a page parsed.
        :param fields: Fields to fill in.
        :return: The answer.
        """
        data = [(name, value) for name, value in form.form_values() if name not in fields]
        data += fields.items()
        return self.url_open(form.action, data=data, allow_redirects=allow_redirects)

    def pay_ticked(self, *invoices, **kwargs):
        """Tick invoices in the list and press the button."""
        page = self.open_page('/my/invoices')
        form = page.get_element_by_id('o_stripe_checkout_pay_ticked')
        # The ticks stand in the table and name their form.
        ticks = page.xpath(f"//input[@name='invoice_ids' and @form='{form.get('id')}']/@value")
        for invoice in invoices:
            self.assertIn(str(invoice.id), ticks)
        data = [('csrf_token', form.fields['csrf_token'])]
        data += [('invoice_ids', invoice.id) for invoice in invoices]
        return self.url_open(form.action, data=data, **kwargs)

    def forge_ticked(self, *invoices):
        """Send ticks that no page has offered, with a good CSRF token."""
        data = [('csrf_token', Request.csrf_token(self))]
        data += [('invoice_ids', invoice.id) for invoice in invoices]
        return self.url_open('/my/invoices/pay_online', data=data)

    # === BOOKS === #

    def pay_otherwise(self, invoices, amount=None):
        """Register a payment that came another way, as staff does."""
        wizards = self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoices.ids
        )
        wizards.create({'amount': amount} if amount else {})._create_payments()

    def give_credit(self, amount, partner=None, **values):
        """Book a payment of a client for no invoice."""
        payment = self.env['account.payment'].create({
            'payment_type': 'inbound',
            'partner_type': 'customer',
            'partner_id': (partner or self.client).id,
            'amount': amount,
            'journal_id': self.company_data['default_journal_bank'].id,
            **values,
        })
        payment.action_post()
        return payment

    def start_debit(self, invoice):
        """Pay an invoice with a bank debit that takes some days."""
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], method='us_bank_account')
        self.deliver()
        self.run_queue()
        return session
