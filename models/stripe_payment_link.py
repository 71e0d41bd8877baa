import hashlib
import secrets

from odoo import api, fields, models
from odoo.fields import NO_ACCESS

TOKEN_BYTES = 24  # 192 bits: nobody guesses one


class StripePaymentLink(models.Model):
    """A link that a client can pay with: an address of ours that outlives Checkout Sessions.

    A session lives 24 hours at most, a link up to 30 days. So what is handed out is `/pay/<token>`,
    and each visit looks at the invoices as they are now.
    """

    _name = 'stripe.payment.link'
    _description = "Payment Link"
    _order = 'id desc'

    token = fields.Char(required=True, readonly=True, copy=False, groups=NO_ACCESS)
    token_hash = fields.Char(required=True, readonly=True, copy=False, groups=NO_ACCESS)
    move_ids = fields.Many2many(
        'account.move', 'stripe_payment_link_move_rel', 'link_id', 'move_id', string="Invoices"
    )
    company_id = fields.Many2one('res.company', required=True, readonly=True, index=True)
    expires_at = fields.Datetime(
        string="Expires On",
        help="Set when the link is first handed out or opened; until then it does not expire.",
        readonly=True,
    )
    revoked = fields.Boolean(help="Withdrawn by staff.", readonly=True)
    replaced = fields.Boolean(help="Staff made another in its place.", readonly=True)

    _token_hash_unique = models.UniqueIndex('(token_hash)', "Each payment link has its own token.")

    @api.depends('move_ids.name')
    def _compute_display_name(self):
        for link in self:
            link.display_name = ', '.join(link.move_ids.mapped('display_name'))

    # === CREATION === #

    @api.model
    def _create_for_each(self, invoices):
        """Create one link for each invoice, in one batch and without any call to Stripe.

        :param account.move invoices: The invoices, which may be of several companies.
        :return: The links, in the order of the invoices.
        :rtype: stripe.payment.link
        """
        vals_list = [self._prepare_values(invoice) for invoice in invoices]
        return self.sudo().create(vals_list)  # Only the addon itself makes links.

    @api.model
    def _prepare_values(self, invoices, **values):
        """Prepare the values of a new link.

        :param account.move invoices: The invoices, of one company.
        :param values: More values.
        :rtype: dict
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        return {
            'token': token,
            'token_hash': self._hash(token),
            'move_ids': [fields.Command.set(invoices.ids)],
            'company_id': invoices.company_id.id,
            **values,
        }

    @api.model
    def _get_or_create_current(self, invoice):
        """Return the link through which an invoice can be paid, made anew if the last has ended.

        :param account.move invoice: The invoice.
        :rtype: stripe.payment.link
        """
        current = invoice.sudo().stripe_payment_link_ids._get_current()
        return current or self._create_for_each(invoice)

    @staticmethod
    def _hash(token):
        """Return what a token is looked up by: an index on the hash gives nothing away in time."""
        return hashlib.sha256(token.encode()).hexdigest()

    # === GETTERS === #

    @api.model
    def _find(self, token):
        """Return the link of a token, empty for a token that is unknown.

        :param str token: The token of an address.
        :rtype: stripe.payment.link
        """
        return self.sudo().search([('token_hash', '=', self._hash(token))], limit=1)

    def _is_expired(self):
        self.ensure_one()
        return bool(self.expires_at) and self.expires_at <= fields.Datetime.now()

    def _has_ended(self):
        """Tell whether the link leads to no payment any more, whatever becomes of its invoices.

        :rtype: bool
        """
        self.ensure_one()
        return self.revoked or self.replaced or self._is_expired()

    def _get_current(self):
        """Return of an invoice's links the newest that still leads to a payment of all of it alone.

        :rtype: stripe.payment.link
        """
        alive = self.filtered(
            lambda link: not link._has_ended() and not link.amount and len(link.move_ids) == 1
        )
        return alive.sorted('id', reverse=True)[:1]

    def _get_url(self):
        """Return the address of the link, under the address at which Stripe was connected.

        :rtype: str
        """
        return self._get_address(self._get_path())

    def _get_invoice_url(self, invoice):
        """Return where the client can read an invoice of the link, logged in or not.

        :param account.move invoice: The invoice.
        :rtype: str
        """
        return self._get_address(invoice.get_portal_url())

    def _get_address(self, path):
        """Return the address of a path, on the host at which Stripe was connected."""
        self.ensure_one()
        base_url = self._get_provider().stripe_checkout_base_url or self.get_base_url()
        return f'{base_url}{path}'

    def _get_path(self):
        """Return the path of the link, on whatever host the client is now.

        :rtype: str
        """
        self.ensure_one()
        return f'/pay/{self.sudo().token}'  # Readable by nobody, handed out here alone.

    def _get_provider(self):
        """Return the provider of the link's company.

        :rtype: payment.provider
        """
        self.ensure_one()
        return self.env['payment.provider'].sudo()._stripe_checkout_get_for_company(self.company_id)

    def _stripe_checkout_is_test_mode(self):
        """Tell whether the link leads to test payments, which move no money.

        :rtype: bool
        """
        provider = self._get_provider()
        return provider.stripe_checkout_mode == 'test'

    def _is_page_of_test_mode(self, state, transaction=None):
        """Tell whether a page of the link speaks of test payments.

        What was paid was paid in the mode of then, whatever the connection is by now.

        :param str state: The state that the page shows.
        :param payment.transaction transaction: The payment that the page is about, if any.
        :rtype: bool
        """
        if transaction:
            return not transaction.is_live
        if state in ('paid', 'refunded'):
            return bool(self.move_ids._stripe_checkout_filter_paid_in_test_mode())
        return self._stripe_checkout_is_test_mode()

    def _get_state(self):
        """Say in one word what the link leads to, looking at the invoices as they are now.

        :return: `'payable'`, `'revoked'`, `'replaced'`, `'expired'`, or the reason why the
                 invoices cannot be paid, see `account.move._stripe_checkout_get_state`.
        :rtype: str
        """
        self.ensure_one()
        invoice_state = self._get_invoices()._stripe_checkout_get_state()
        if invoice_state in ('paid', 'refunded', 'processing'):
            return invoice_state  # Better news than that the link has ended.
        if self.revoked:
            return 'revoked'
        if invoice_state != 'payable':
            return invoice_state  # Nor would a new link, which ended ones offer, be of any use.
        if self.replaced:
            return 'replaced'
        if self._is_expired():
            return 'expired'
        return invoice_state

    def _get_open_session(self):
        """Return the transaction whose open session still fits the invoices, without locking.

        :rtype: payment.transaction
        """
        self.ensure_one()
        invoices = self._get_invoices()
        claims = self.env['stripe.checkout.claim'].sudo().search([('move_id', 'in', invoices.ids)])
        transaction = claims.transaction_id
        if len(claims) != len(invoices) or len(transaction) != 1:
            return transaction.browse()
        return transaction.filtered(
            lambda tx: (
                tx._stripe_checkout_is_open()
                and tx._stripe_checkout_leads_back()
                and tx._stripe_checkout_fits(invoices, self._get_amount())
            )
        )

    def _find_transaction(self, session_id):
        """Return the transaction of a session that was opened for this link.

        :param str session_id: The id of the Checkout Session, as a browser says it.
        :return: The transaction; empty for any other session.
        :rtype: payment.transaction
        """
        self.ensure_one()
        # Whoever holds the token and the session's id may see what became of it.
        transaction = self.env['payment.transaction']._stripe_checkout_find(session_id)
        return transaction.filtered(lambda tx: tx.stripe_checkout_link_id == self)

    def _get_receipts(self):
        """Return the online payments of which the holder of the link may see the receipt.

        Not those that paid other invoices too: the link says nothing of them.

        :return: The payments; empty for a link that staff have withdrawn.
        :rtype: account.payment
        """
        self.ensure_one()
        if self.revoked:
            return self.env['account.payment']
        payments_sudo = self.env['account.payment'].sudo()  # For a stranger.
        payments = payments_sudo.search([
            ('stripe_checkout_payment_intent', '!=', False),
            ('state', 'in', ('in_process', 'paid')),
            ('invoice_ids', 'in', self.move_ids.ids),
        ])
        return payments.filtered(
            lambda p: (p.invoice_ids | p.reconciled_invoice_ids) <= self.move_ids
        )

    def _is_seen_by(self, user):
        """Tell whether a user who is logged in may see the invoices of the link.

        :param res.users user: The user.
        :rtype: bool
        """
        self.ensure_one()
        return not user._is_public() and self.move_ids.with_user(user).has_access('read')

    # === VISIT === #

    def _visit(self):
        """Lead a visitor to the one payable session of the invoices, made if there is none.

        A repeated visit to a link whose session is open reads only, and calls nobody.

        :return: The state (see `_get_state`), and the address of the Checkout page if payable.
        :rtype: tuple[str, str|None]
        :raise stripe.StripeError: If Stripe cannot be reached.
        """
        self.ensure_one()
        state = self._get_state()
        if state != 'payable':
            return state, None
        transaction = self._get_open_session() or self._open_session()
        if not transaction:  # What was open could not be retired, mostly because it was paid.
            state = self._get_state()
            return ('unavailable' if state == 'payable' else state), None
        self._note_opened()
        return state, transaction.stripe_checkout_session_url

    def _open_session(self):
        """Open a session for the link, or take up the one that another visitor has opened.

        :return: The transaction with its open session; empty if the invoices were paid meanwhile.
        :rtype: payment.transaction
        """
        transactions_sudo = self.env['payment.transaction'].sudo()  # For a stranger.
        return transactions_sudo._stripe_checkout_open_session(
            self._get_provider(), self._get_invoices(), self._get_amount(), link=self
        )

    def _get_session_values(self):
        """Return where Stripe sends the payer afterwards, and when the link ends.

        :return: `success_url`, `cancel_url` and `ends_at` (UTC).
        :rtype: dict
        """
        self.ensure_one()
        url = self._get_url()
        return {
            # Stripe puts the id of the session in place of the literal.
            'success_url': f'{url}/done?session_id={{CHECKOUT_SESSION_ID}}',
            'cancel_url': f'{url}/cancelled',
            'ends_at': self.expires_at,
        }
