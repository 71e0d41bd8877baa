from odoo import models


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    def _stripe_checkout_can_print(self):
        """Tell whether this server can make a PDF.

        :rtype: bool
        """
        return self.env['ir.actions.report'].get_wkhtmltopdf_state() in ('ok', 'upgrade')

    def _stripe_checkout_get_receipt_url(self):
        """Return where the client finds the receipt, through the link that was paid by.

        :return: The address; False for a payment that no link led to.
        :rtype: str|bool
        """
        self.ensure_one()
        link = self.payment_transaction_id.stripe_checkout_link_id
        if not link or self not in link._get_receipts():
            return False
        return f'{link._get_url()}/receipt/{self.id}'
