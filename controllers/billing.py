from odoo.http import request, route

from odoo.addons.portal.controllers.portal import CustomerPortal


class BillingController(CustomerPortal):
    """The billing overview of a client, and the receipts it leads to."""

    def _prepare_home_portal_values(self, counters):
        """Override of `portal` to show the card of the overview to who has invoices."""
        values = super()._prepare_home_portal_values(counters)
        if 'stripe_checkout_billing_count' in counters:
            moves = request.env['account.move']
            domain = [('move_type', 'in', ('out_invoice', 'out_refund')), ('state', '=', 'posted')]
            values['stripe_checkout_billing_count'] = (
                moves.search_count(domain, limit=1) if moves.has_access('read') else 0
            )
        return values

    @route('/my/billing', type='http', auth='user', methods=['GET'], website=True, sitemap=False)
    def portal_my_billing(self):
        """Show the client what is owed, under way, credited and paid."""
        if not request.env['account.move'].has_access('read'):
            return request.redirect('/my')
        values = self._prepare_portal_layout_values()
        values.update(request.env['stripe.checkout.billing']._get_overview())
        values['page_name'] = 'billing'
        return request.render('payment_stripe_checkout.portal_my_billing', values)

    @route(
        '/my/billing/receipt/<int:payment_id>',
        type='http',
        auth='user',
        methods=['GET'],
        sitemap=False,
    )
    def portal_billing_receipt(self, payment_id):
        """Show the receipt of a payment of the client's company.

        :param int payment_id: The payment.
        """
        payment_sudo = request.env['stripe.checkout.billing']._find_payment(payment_id)
        if not payment_sudo:
            return request.redirect('/my/billing')
        return self._show_payment_receipt(payment_sudo)

    def _show_payment_receipt(self, payment_sudo):
        """Show Odoo's receipt of a payment; as a page where the server cannot print.

        :param account.payment payment_sudo: The payment, in sudo mode: clients cannot read it.
        """
        reports_sudo = request.env['ir.actions.report'].sudo()
        can_print = reports_sudo.get_wkhtmltopdf_state() in ('ok', 'upgrade')
        return self._show_report(
            payment_sudo,
            'pdf' if can_print else 'html',
            'account.action_report_payment_receipt',
        )
