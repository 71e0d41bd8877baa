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
    due_until = fields.Date(
        help="Where the part is made of installments: those that are due up to this day.",
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
    def _get_or_create_for_amount(self, invoice, amount, due_until=None):
        """Return a link that asks for the part of an invoice that its client has chosen.

        :param account.move invoice: The invoice.
        :param float amount: The amount in major units; 0 for all that is left.
        :param date due_until: The day up to which installments are asked for; None for an amount
               of the client's own.
        :rtype: stripe.payment.link
        """
        if not amount:
            return self._get_or_create_current(invoice)
        return self._get_or_create_equal(invoice, amount, due_until)

    @api.model
    def _get_or_create_equal(self, invoices, amount, due_until=None):
        """Return the current link of exactly these invoices and this part, made if need be."""
        links_sudo = self.sudo()  # Only the addon itself reads and makes links.
        for link in links_sudo.search([
            ('move_ids', 'in', invoices.ids),
            ('revoked', '=', False),
            ('amount', '=', amount),
            ('due_until', '=', due_until),
        ]):
            is_equal = set(link.move_ids.ids) == set(invoices.ids)
            if is_equal and not link._has_ended() and not link._is_part_paid():
                return link
        return links_sudo.create([
            self._prepare_values(invoices, amount=amount, due_until=due_until)
        ])

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

        A part counts until it is paid, then all that is left: no link asks for the same part twice.

        :rtype: float
        """
        self.ensure_one()
        left = sum(invoice._stripe_checkout_get_due() for invoice in self._get_invoices())
        part = self._get_part()
        return min(part, left) if part else left

    def _get_part(self):
        """Return what is open of the part that the link was made for.

        Of installments, what the accounting says: they may have been paid otherwise.

        :return: The amount in major units; 0 where all that is left is asked for.
        :rtype: float
        """
        self.ensure_one()
        if self.amount and self.due_until:
            return self.move_ids._stripe_checkout_get_part_until(self.due_until)
        return 0.0 if self._is_amount_paid() else self.amount

    def _get_part_values(self):
        """Return what a link has to be made with that asks for the same part again.

        :return: `amount` and `due_until`, see `_hand_out`.
        :rtype: dict
        """
        part = self._get_part()
        return {'amount': part, 'due_until': self.due_until if part else None}

    def _is_part_paid(self):
        """Tell whether nothing is open of the part that the link was made for.

        What is left of the invoice was not asked for by the link: its holder has to choose it.

        :rtype: bool
        """
        return bool(self.amount) and not self._get_part()

    def _get_discounted(self):
        """Return of which invoices the link takes the early-payment discount off, if paid today.

        :rtype: account.move
        """
        self.ensure_one()
        if self._get_part():
            return self.env['account.move']
        return self._get_invoices().filtered(lambda move: move._stripe_checkout_get_discount())

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
