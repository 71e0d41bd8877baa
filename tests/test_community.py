from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestCommunity(PortalCommon):
    """On the community edition no page, mail or PDF offers to pay online."""

    def setUp(self):
        super().setUp()
        self.company.link_qr_code = True
        self.provider.stripe_checkout_reminders = True
        self.invoice = self.create_overdue()
        self.path = self.get_path(self.invoice)
        self.expired = self.create_overdue()
        self.expired_path = self.get_path(self.expired)
        self.expired.sudo().stripe_payment_link_ids.expires_at = fields.Datetime.now()

    def create_overdue(self):
        return self.create_invoice(100, invoice_date='2026-01-01', invoice_date_due='2026-01-31')

    # === PLACES === #

    def open_text(self, path):
        return self.url_open(path).text

    def get_places(self):
        """Return what can be read, each with a function that returns it."""
        portal_path = self.invoice.get_portal_url()
        return {
            'list': lambda: self.open_text('/my/invoices'),
            'invoice': lambda: self.open_text(portal_path),
            'form': lambda: self.open_text(f'{portal_path}&payment=True'),
            'overview': lambda: self.open_text('/my/billing'),
            'link': lambda: self.open_text(f'{self.path}/cancelled'),
            'expired link': lambda: self.open_text(self.expired_path),
            'mail': self.send_mail,
            'pdf': self.render_pdf,
            'reminder': self.remind,
            'scheduled reminder': self.remind_by_schedule,
            'failed debit': self.fail_debit,
        }

    def send_mail(self):
        wizards = self.env['account.move.send.wizard'].with_context(
            active_model='account.move', active_ids=self.invoice.ids, discard_logo_check=True
        )
        wizard = wizards.create({'move_id': self.invoice.id, 'sending_methods': ['email']})
        wizard.action_send_and_print(allow_fallback_pdf=True)
        return self.read_newest_mail()

    def render_pdf(self):
        reports = self.env['ir.actions.report']
        content, _type = reports._render_qweb_html('account.account_invoices', self.invoice.ids)
        return content.decode()

    def remind(self):
        wizards = self.env['stripe.checkout.remind']
        wizard = wizards.create({'move_ids': [fields.Command.set(self.create_overdue().ids)]})
        if wizard.sendable_count:
            wizard.action_send()
        return self.read_newest_mail()

    def remind_by_schedule(self):
        yesterday = fields.Date.today() - timedelta(days=1)
        self.create_invoice(
            100, invoice_date='2026-01-01', invoice_date_due=yesterday, is_move_sent=True
        )
        self.run_cron('ir_cron_remind')
        return self.read_newest_mail()

    def fail_debit(self):
        self.stripe.fail_debit(self.debit['id'])
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')
        return self.read_newest_mail()

    def read_newest_mail(self):
        """Return the newest mail, and forget all."""
        bodies = [str(letter.mail.body_html) for letter in self.read_mails()]
        self.env['mail.mail'].sudo().search([]).unlink()
        return bodies[-1] if bodies else ''

    # === TEST === #

    def is_offer(self, text):
        return any(
            part in text
            for part in (
                f'{self.base_url()}/pay/',
                'name="o_stripe_checkout_pay',
                'name="o_stripe_checkout_again',
                'name="o_stripe_checkout_renew',
                '/pay_online',
                'data-provider-code="stripe_checkout"',
            )
        )

    def test_nothing_is_offered_anywhere(self):
        for edition in ('enterprise', 'community'):
            self.set_edition('enterprise')
            self.debit = self.start_debit(self.create_overdue())
            self.set_edition(edition)
            for place, read in self.get_places().items():
                with self.subTest(edition=edition, place=place):
                    self.assertEqual(self.is_offer(read()), edition == 'enterprise')

    def set_edition(self, edition):
        self.env['ir.config_parameter'].sudo().set_param('payment_stripe_checkout.edition', edition)
        self.env.invalidate_all()
