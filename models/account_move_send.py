from odoo import api, models


class AccountMoveSend(models.AbstractModel):
    _inherit = 'account.move.send'

    @api.model
    def _send_mail(self, move, mail_template, **kwargs):
        """Override of `account` to lead the button of the invoice mail to the payment link.

        Sending again makes a fresh link; the former ones live on as they were meant to.
        """
        if move._stripe_checkout_mails_link():
            recipients = self.env['res.partner'].browse(kwargs.get('partner_ids') or [])
            link = self.env['stripe.payment.link']._hand_out(move, recipients)
            move = move.with_context(stripe_checkout_mailed_link=link.id)
        return super()._send_mail(move, mail_template, **kwargs)
