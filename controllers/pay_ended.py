from odoo import http
from odoo.http import request

from .billing import BillingController
from .pay import PAGE, PayController


class PayEndedController(PayController):
    """What a link that leads to no payment offers instead: a new link, or the receipts."""

    @http.route('/pay/<string:token>/renew', **{**PAGE, 'methods': ['GET', 'POST']})
    def renew(self, token):
        """Mail a fresh link to the invoices' own contact, whoever asks; the holder sees none.

        :param str token: The token of a link that has ended.
        """
        link = request.env['stripe.payment.link']._find(token)
        if not link:
            return self._render_unknown()
        if request.httprequest.method != 'POST':
            return self._lead_to_link(link)
        self._use_language_of(link)
        state = link._get_state()
        if state in ('expired', 'replaced') and link._get_contact().email:
            state = 'renewed' if link._renew() else 'renewed_enough'
        return self._render('state', {'link': link, 'state': state})

    @http.route('/pay/<string:token>/receipt/<int:payment_id>', **PAGE)
    def payment_receipt(self, token, payment_id):
        """Give the holder of a link the receipt of a payment of its invoices.

        :param str token: The token of the link.
        :param int payment_id: The payment.
        """
        link = request.env['stripe.payment.link']._find(token)
        payment = link._get_receipts().filtered(lambda p: p.id == payment_id) if link else None
        if not payment:
            return self._render_unknown()
        self._use_language_of(link)
        return self._protect(BillingController()._show_payment_receipt(payment))
