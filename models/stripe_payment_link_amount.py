"""What a payment link asks for: one invoice, several at once, or a part of one."""

from odoo import api, fields, models


class StripePaymentLink(models.Model):
    _inherit = 'stripe.payment.link'

    currency_id = fields.Many2one(related='move_ids.currency_id')
    amount = fields.Monetary(
        string="Chosen Amount",
        help="The part of the invoice that the client has chosen to pay, once. Zero for all of it.",
        readonly=True,
    )

    # === CREATION === #

    @api.model
    def _get_or_create_for_all(self, invoices):
        """Return a link that asks for several invoices in one payment.

        :param account.move invoices: The invoices, which can be paid together.
        :rtype: stripe.payment.link
        """
        if len(invoices) == 1:
            return self._get_or_create_current(invoices)
        return self._get_or_create_equal(invoices, 0.0)

    @api.model
    def _get_or_create_for_amount(self, invoice, amount):
        """Return a link that asks for the part of an invoice that its client has chosen.

        :param account.move invoice: The invoice.
        :param float amount: The amount in major units; 0 for all that is left.
        :rtype: stripe.payment.link
        """
        if not amount:
            return self._get_or_create_current(invoice)
        return self._get_or_create_equal(invoice, amount)

    @api.model
    def _get_or_create_equal(self, invoices, amount):
        """Return the current link of exactly these invoices and this amount, made if need be."""
        links_sudo = self.sudo()  # Only the addon itself reads and makes links.
        for link in links_sudo.search([
            ('move_ids', 'in', invoices.ids),
            ('revoked', '=', False),
            ('amount', '=', amount),
        ]):
            is_equal = set(link.move_ids.ids) == set(invoices.ids)
            if is_equal and not link._has_ended() and not link._is_amount_paid():
                return link
        return links_sudo.create([self._prepare_values(invoices, amount=amount)])

    # === GETTERS === #

    def _get_invoices(self):
        """Return the invoices that the link still asks for.

        Of several invoices those that can be paid now: one of them may have been paid otherwise.

        :rtype: account.move
        """
        self.ensure_one()
        if len(self.move_ids) == 1:
            return self.move_ids
        states = self.move_ids._stripe_checkout_get_states()
        payable = self.move_ids.filtered(lambda invoice: states[invoice] == 'payable')
        return payable or self.move_ids

    def _get_concerned(self, state):
        """Return the invoices that a page of the link speaks of.

        :param str state: The state that the page shows.
        :return: Those that are in the state; all where it is the link's own.
        :rtype: account.move
        """
        self.ensure_one()
        states = self.move_ids._stripe_checkout_get_states()
        return self.move_ids.filtered(lambda invoice: states[invoice] == state) or self.move_ids

    def _get_amount(self):
        """Return what the link asks for now, in major units of the invoices' currency.

        The amount that a client has chosen counts until it is paid, then all that is left: no link
        asks for the same part twice.

        :rtype: float
        """
        self.ensure_one()
        left = sum(invoice._stripe_checkout_get_due() for invoice in self._get_invoices())
        if not self.amount or self._is_amount_paid():
            return left
        return min(self.amount, left)

    def _is_amount_paid(self):
        """Tell whether the amount that the client has chosen was paid through the link.

        :rtype: bool
        """
        self.ensure_one()
        # In sudo mode: a stranger may ask.
        transactions_sudo = self.env['payment.transaction'].sudo()
        return bool(
            self.amount
            and transactions_sudo.search_count(
                [('stripe_checkout_link_id', '=', self.id), ('state', '=', 'done')], limit=1
            )
        )
