"""The payment link in the invoice mail and on the PDF."""

from odoo import models

# Whose button leads to the payment; colleagues keep the one that opens the invoice.
CLIENT_GROUPS = ('additional_intended_recipient', 'portal_customer')


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _stripe_checkout_mails_link(self):
        """Tell whether the mail that sends the invoice carries a payment link.

        :rtype: bool
        """
        self.ensure_one()
        if self.move_type != 'out_invoice' or self._stripe_checkout_get_state() != 'payable':
            return False
        return self._stripe_checkout_get_provider().stripe_checkout_links_in_emails

    def _notify_get_recipients_groups(self, message, model_description, msg_vals=False):
        """Override of `account` to let the client pay with the button of the invoice mail."""
        groups = super()._notify_get_recipients_groups(
            message, model_description, msg_vals=msg_vals
        )
        # In sudo mode: whoever sends invoices reads no tokens. Whoever calls names any link.
        links_sudo = self.sudo().stripe_payment_link_ids
        link_id = self.env.context.get('stripe_checkout_mailed_link')
        if link_sudo := links_sudo.filtered(lambda link: link.id == link_id):
            url, title = link_sudo._get_url(), self.env._("Pay online")
            if link_sudo._stripe_checkout_is_test_mode():
                # Not within the braces: what is read there is not exported for translation.
                mark = self.env._("Test mode: no money moves")
                title = f'{title} ({mark})'
            for name, _function, data in groups:
                if name in CLIENT_GROUPS:
                    data['has_button_access'] = True
                    data['button_access'] = {'url': url, 'title': title}
        return groups

    def _get_portal_payment_link(self):
        """Override of `account_payment` to print the payment link, and its QR code, on the PDF.

        The PDF of an invoice is made once and kept, so that it shows the invoice's first link; the
        page of an expired link leads on. A link that staff have revoked is not made anew by a mere
        print: Odoo's own stands there.
        """
        self.ensure_one()
        newest = self.sudo().stripe_payment_link_ids[:1]  # Whoever prints reads no links.
        if (
            self.move_type != 'out_invoice'
            or newest.revoked
            or self._stripe_checkout_get_state() != 'payable'
        ):
            return super()._get_portal_payment_link()
        return self.env['stripe.payment.link']._get_or_create_current(self)._get_url()
