from odoo.exceptions import AccessError, MissingError
from odoo.fields import Domain
from odoo.http import request, route

from odoo.addons.account_payment.controllers.portal import PortalAccount

from .. import utils
from .pay import CAME_FROM

CAME_FROM_LIMIT = 20


class PortalAccountStripeCheckout(PortalAccount):
    """The invoices of the portal, and the ways from there to Stripe."""

    # === LIST === #

    def _get_account_searchbar_filters(self):
        """Override of `account` to find what is open and what is paid."""
        invoices = Domain('move_type', '=', 'out_invoice')
        is_open = Domain('payment_state', 'in', ('not_paid', 'partial', 'blocked'))
        is_paid = Domain('payment_state', 'in', ('in_payment', 'paid'))
        filters = super()._get_account_searchbar_filters()
        # Odoo's finds what is made out to the very user, by the day of the last installment.
        filters['overdue_invoices']['domain'] = request.env[
            'account.move'
        ]._stripe_checkout_get_overdue_domain()
        return {
            **filters,
            'invoices_open': {
                'label': request.env._("Open invoices"),
                'domain': invoices & is_open,
            },
            'invoices_paid': {
                'label': request.env._("Paid invoices"),
                'domain': invoices & is_paid,
            },
        }

    def _get_overdue_invoices_domain(self, partner_id=None):
        """Override of `account`, whose "Pay overdue" would ask again for what is on its way."""
        domain = Domain(super()._get_overdue_invoices_domain(partner_id))
        return domain & request.env['account.move']._stripe_checkout_get_waited_for_domain()

    def _prepare_my_invoices_values(self, *args, **kwargs):
        """Override of `account` to say of each row of a page what its state is, all in one go."""
        values = super()._prepare_my_invoices_values(*args, **kwargs)
        get_rows = values['invoices']
        values['invoices'] = lambda offset: self._stripe_checkout_extend_rows(get_rows(offset))
        return values

    def _stripe_checkout_extend_rows(self, rows):
        """Add to the rows of a page their badges and whether they can be paid online.

        :param list[dict] rows: The values of the invoices, as `account` prepares them.
        :rtype: list[dict]
        """
        invoices = request.env['account.move'].concat(*(row['invoice'] for row in rows))
        invoices._stripe_checkout_ensure_tokens()
        states = invoices._stripe_checkout_get_states()
        badges = invoices._stripe_checkout_get_badges()
        tested = invoices._stripe_checkout_filter_paid_in_test_mode()
        # In sudo mode: clients cannot read the transactions that Odoo looks at.
        otherwise = invoices.filtered(
            lambda invoice: states[invoice] != 'payable' and invoice.sudo()._has_to_be_paid()
        )._stripe_checkout_filter_other_ways()
        for row in rows:
            invoice = row['invoice']
            row['pay_online'] = states[invoice] == 'payable'
            row['pay_otherwise'] = invoice in otherwise
            row['badges'] = badges[invoice]
            row['paid_in_test_mode'] = invoice in tested
        return rows

    # === PAGE OF AN INVOICE === #

    def _invoice_get_page_view_values(self, invoice, access_token, pay_error=None, **kwargs):
        """Override of `account` to add what the client can pay online, or why not."""
        values = super()._invoice_get_page_view_values(invoice, access_token, **kwargs)
        state = invoice._stripe_checkout_get_state()
        pay_online = state == 'payable'
        return {
            **values,
            'pay_online': pay_online,
            'pay_not_awaited': state in ('processing', 'draft', 'cancelled'),
            'pay_other_ways': invoice._has_to_be_paid()
            and bool(invoice._stripe_checkout_filter_other_ways()),
            'pay_due': invoice._stripe_checkout_get_due(),
            'pay_discount': invoice._stripe_checkout_get_discount(),
            'pay_reason': invoice._stripe_checkout_get_reason(),
            'pay_choices': invoice._stripe_checkout_get_choices() if pay_online else [],
            'pay_credit': self._stripe_checkout_get_credit(invoice),
            'pay_error': pay_error,
            'badges': invoice._stripe_checkout_get_badges()[invoice],
            'paid_in_test_mode': bool(invoice._stripe_checkout_filter_paid_in_test_mode()),
        }

    def _stripe_checkout_get_credit(self, invoice):
        """Return the client's credit that could be applied to an invoice.

        Only for a client who is logged in: whoever holds the link of one invoice need not know.

        :param account.move invoice: The invoice.
        :return: The amount in the currency of the invoice.
        :rtype: float
        """
        user = request.env.user
        if user.commercial_partner_id != invoice.commercial_partner_id or user._is_public():
            return 0.0
        return invoice._stripe_checkout_get_credit()

    def _document_check_access(self, model_name, document_id, access_token=None):
        """Override of `portal`, which compares tokens in a way that takes none but ASCII."""
        if access_token and not access_token.isascii():
            access_token = None
        return super()._document_check_access(model_name, document_id, access_token=access_token)

    # === TO STRIPE === #

    @route(
        '/my/invoices/<int:invoice_id>/pay_online',
        type='http',
        auth='public',
        methods=['GET', 'POST'],
        sitemap=False,
    )
    def portal_invoice_pay_online(
        self, invoice_id, access_token=None, choice='all', amount=None, until=None
    ):
        """Lead a client from the portal to the invoice's payment link; back where it cannot be
        paid.

        :param int invoice_id: The invoice.
        :param str access_token: What lets a client in who is not logged in.
        :param str choice: Which amount the client has chosen.
        :param str amount: The amount of the client's own.
        :param str until: The day up to which the installments are due that the client has chosen.
        """
        try:
            invoice_sudo = self._document_check_access('account.move', invoice_id, access_token)
        except (AccessError, MissingError):
            return request.redirect('/my')
        came_from = request.session.get(CAME_FROM, [])
        if invoice_id not in came_from:
            request.session[CAME_FROM] = [*came_from, invoice_id][-CAME_FROM_LIMIT:]
        if invoice_sudo._stripe_checkout_get_state() != 'payable':
            return request.redirect(invoice_sudo.get_portal_url())  # It says why.
        is_installments = choice in ('due', 'next')
        until = utils.parse_day(until) if is_installments else None
        part = invoice_sudo._stripe_checkout_read_choice(choice, amount, until)
        if part is None:
            error = 'installments' if is_installments else 'amount'
            query = f'&pay_error={error}'
            return request.redirect(invoice_sudo.get_portal_url(query_string=query))
        links_sudo = request.env['stripe.payment.link'].sudo()
        link = links_sudo._get_or_create_for_amount(invoice_sudo, part, until)
        return request.redirect(link._get_path(), code=303)

    @route(
        '/my/invoices/pay_online',
        type='http',
        auth='user',
        methods=['GET', 'POST'],
        website=True,
        sitemap=False,
    )
    def portal_invoices_pay_online(self, **_post):
        """Lead a client to one payment of the invoices ticked, or say why they need several."""
        if request.httprequest.method == 'GET':  # Somebody comes back here after a login.
            return request.redirect('/my/invoices')
        ticked = request.httprequest.form.getlist('invoice_ids')
        # With the rights of the client: what is not theirs is not found.
        invoices = request.env['account.move'].search([
            (
                'id',
                'in',
                [int(number) for number in ticked if len(number) < 10 and number.isdecimal()],
            )
        ])
        if invoices and invoices._stripe_checkout_get_state() == 'payable':
            links_sudo = request.env['stripe.payment.link'].sudo()
            link = links_sudo._get_or_create_for_all(invoices.sudo())
            return request.redirect(link._get_path(), code=303)
        if len(invoices) == 1:
            return request.redirect(invoices.get_portal_url())  # It says why.
        states = invoices._stripe_checkout_get_states()
        payable = invoices.filtered(lambda invoice: states[invoice] == 'payable')
        values = {
            **self._prepare_portal_layout_values(),
            'page_name': 'pay_together',
            'invoices': invoices,
            'groups': payable._stripe_checkout_group(),
            'differ_by_account': payable._stripe_checkout_differ_by_account(),
            'refused': invoices - payable,
        }
        return request.render('payment_stripe_checkout.portal_pay_together', values)

    @route()
    def portal_my_overdue_invoices(self, **kwargs):
        """Override of `account_payment`, whose form asks for totals: the overview asks for what is
        left of them, and says so where nobody takes a payment."""
        moves = request.env['account.move']
        if moves.has_access('read'):
            overdue = moves.search(self._get_overdue_invoices_domain())
            is_payable = 'payable' in overdue._stripe_checkout_get_states().values()
            if is_payable or (overdue and not overdue._stripe_checkout_filter_other_ways()):
                return request.redirect('/my/billing')
        return super().portal_my_overdue_invoices(**kwargs)
