"""What staff see of the online payment of an invoice: one word, and the whole story."""

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_datetime

from ..const import PROVIDER_CODE
from .account_move import STAFF_GROUPS


class AccountMove(models.Model):
    _inherit = 'account.move'

    stripe_checkout_status = fields.Selection(
        string="Online Payment",
        selection=[
            ('ready', "Not sent"),
            ('sent', "Link sent"),
            ('opened', "Link opened"),
            ('started', "Checkout started"),
            ('declined', "Declined"),
            ('expired', "Link expired"),
            ('revoked', "Link revoked"),
            ('processing', "On its way"),
            ('paid', "Paid"),
        ],
        compute='_compute_stripe_checkout_status',
        search='_search_stripe_checkout_status',
        compute_sudo=True,
        groups=STAFF_GROUPS,
    )
    stripe_checkout_unfinished = fields.Boolean(
        string="Checkout Started, Not Paid",
        compute='_compute_stripe_checkout_status',
        search='_search_stripe_checkout_unfinished',
        compute_sudo=True,
        groups=STAFF_GROUPS,
    )
    stripe_checkout_reason = fields.Char(
        string="Why Not Online",
        help="What the client reads where the invoice cannot be paid online.",
        compute='_compute_stripe_checkout_reason',
        compute_sudo=True,
        groups=STAFF_GROUPS,
    )
    stripe_checkout_timeline = fields.Html(
        string="History",
        compute='_compute_stripe_checkout_timeline',
        compute_sudo=True,
        sanitize=False,
        groups=STAFF_GROUPS,
    )

    # === STATUS === #

    @api.depends('state', 'payment_state', 'transaction_ids.state', 'stripe_payment_link_ids')
    def _compute_stripe_checkout_status(self):
        self.stripe_checkout_status = False
        for status, domain in self._stripe_checkout_get_status_domains().items():
            self.filtered_domain(domain).stripe_checkout_status = status
        unfinished = self.filtered_domain(self._stripe_checkout_get_unfinished_domain())
        unfinished.stripe_checkout_unfinished = True
        (self - unfinished).stripe_checkout_unfinished = False

    def _search_stripe_checkout_status(self, operator, value):
        if operator != 'in':
            return NotImplemented
        domains = self._stripe_checkout_get_status_domains()
        found = Domain.OR(domains[status] for status in value if status)
        if False in value:
            found |= ~Domain.OR(domains.values())
        return found

    def _search_stripe_checkout_unfinished(self, operator, value):
        if operator != 'in':
            return NotImplemented
        domain = self._stripe_checkout_get_unfinished_domain()
        return domain if True in value else ~domain

    @api.model
    def _stripe_checkout_get_status_domains(self):
        """Return what each status means; no invoice has two.

        :rtype: dict[str, Domain]
        """
        facts = self._stripe_checkout_get_fact_domains()
        linked = Domain('move_type', '=', 'out_invoice') & facts['linked']
        unpaid = facts['unpaid'] & facts['linked']
        waiting = unpaid & ~facts['pending'] & facts['alive']
        ended = unpaid & ~facts['pending'] & ~facts['alive']
        untouched = waiting & ~facts['started']
        return {
            'paid': linked & Domain('payment_state', 'in', ('paid', 'in_payment')),
            'processing': unpaid & facts['pending'],
            'expired': ended & facts['expired'],
            'revoked': ended & ~facts['expired'],
            'declined': waiting & facts['started'] & facts['declined'],
            'started': waiting & facts['started'] & ~facts['declined'],
            'opened': untouched & facts['opened'],
            'sent': untouched & ~facts['opened'] & facts['sent'],
            'ready': untouched & ~facts['opened'] & ~facts['sent'],
        }

    @api.model
    def _stripe_checkout_get_unfinished_domain(self):
        """Return which unpaid invoices somebody began to pay, whatever became of the link.

        :rtype: Domain
        """
        facts = self._stripe_checkout_get_fact_domains()
        return facts['unpaid'] & facts['begun'] & ~facts['pending']

    @api.model
    def _stripe_checkout_get_fact_domains(self):
        """Return the facts that the statuses are made of.

        What was sent, opened and started counts while its link works: after that the client has
        nothing to pay with. A link that nobody was given, as every print of the invoice makes one,
        changes nothing once another has expired.

        They are asked of links and transactions without access rights (`any!`): whoever sees the
        invoice may know how its payment stands.

        :rtype: dict[str, Domain]
        """

        def link(domain):
            return Domain('stripe_payment_link_ids', 'any!', domain)

        def transaction(domain):
            return Domain('transaction_ids', 'any!', domain)

        ours = Domain('provider_code', '=', PROVIDER_CODE)
        # What was paid has ended, also where the invoice is open again or was paid in part.
        session = (
            ours & Domain('stripe_checkout_session_id', '!=', False) & Domain('state', '!=', 'done')
        )
        now = fields.Datetime.now()
        unended = Domain('revoked', '!=', True) & Domain('replaced', '!=', True)
        works = unended & Domain('expires_at', '>', now)
        unused = unended & Domain('expires_at', '=', False)
        expired = link(Domain('expires_at', '<=', now) & Domain('revoked', '!=', True))
        started = session & (
            Domain('stripe_checkout_link_id', '=', False)
            | Domain('stripe_checkout_link_id', 'any!', works)
        )
        return {
            'unpaid': Domain('move_type', '=', 'out_invoice')
            & Domain('state', '=', 'posted')
            & Domain('payment_state', 'in', ('not_paid', 'partial')),
            'linked': link(Domain.TRUE),
            'alive': link(works) | (link(unused) & ~expired),
            'expired': expired,
            'sent': link(works & Domain('sent_at', '!=', False)),
            'opened': link(works & Domain('opened_at', '!=', False)),
            'begun': transaction(session),
            'started': transaction(started),
            'declined': transaction(started & Domain('stripe_checkout_declines', '>', 0)),
            'pending': transaction(
                Domain('state', 'in', ('pending', 'authorized'))
                & Domain('provider_code', 'not in', ('none', 'custom'))
            ),
        }

    @api.depends('stripe_checkout_status')
    def _compute_stripe_checkout_reason(self):
        for move in self:
            move.stripe_checkout_reason = move._stripe_checkout_get_reason()

    # === HISTORY === #

    @api.depends('stripe_checkout_status')
    def _compute_stripe_checkout_timeline(self):
        for move in self:
            lines = [
                (format_datetime(self.env, moment), text)
                for moment, text in move._stripe_checkout_get_timeline()
            ]
            move.stripe_checkout_timeline = self.env['ir.qweb']._render(
                'payment_stripe_checkout.invoice_timeline', {'lines': lines}
            )

    def _stripe_checkout_get_timeline(self):
        """Tell the story of the invoice's online payment.

        :return: When (UTC) and what, the oldest first.
        :rtype: list[tuple[datetime, str]]
        """
        self.ensure_one()
        transactions = self.transaction_ids.filtered(lambda tx: tx.provider_code == PROVIDER_CODE)
        told = [line for link in self.stripe_payment_link_ids for line in link._get_timeline()]
        told += [line for tx in transactions for line in tx._stripe_checkout_get_timeline()]
        return sorted((line for line in told if line[0]), key=lambda line: line[0])

    # === PAYMENT UNDER WAY === #

    def action_stripe_checkout_free(self):
        """Let the client pay again although a payment is under way, as staff decide.

        If that one arrives after all it is booked, as open credit where nothing is left to pay.

        :return: A notification.
        :rtype: dict
        :raise AccessError: If the user does not bill.
        :raise UserError: If no payment is under way.
        """
        self.ensure_one()
        self._stripe_checkout_check_staff()
        pending = self._stripe_checkout_get_pending_transactions().filtered(
            lambda tx: tx.provider_code == PROVIDER_CODE
        )
        if not pending:
            raise UserError(self.env._("No online payment of this invoice is under way."))
        pending._set_canceled(
            self.env._("%(user)s let the client pay again.", user=self.env.user.name)
        )
        pending.stripe_checkout_freed = True
        return self._stripe_checkout_notify(
            'success', self.env._("The client can pay this invoice again.")
        )

    # === LINK === #

    def action_stripe_checkout_new_link(self):
        """Replace every link that asks for the invoice, alone or with others, by a fresh one.

        :return: A notification.
        :rtype: dict
        :raise AccessError: If the user does not bill.
        :raise UserError: If the invoice cannot be paid online: nothing would replace the link.
        """
        self.ensure_one()
        self._stripe_checkout_check_staff()
        if self._stripe_checkout_get_state() != 'payable':
            raise UserError(self._stripe_checkout_get_reason())
        links = self.env['stripe.payment.link']
        former = self.sudo().stripe_payment_link_ids.filtered(lambda link: not link._has_ended())
        former._end('replaced')
        links._create_for_each(self)._start_expiry()
        return self._stripe_checkout_notify(
            'success', self.env._("There is a new payment link. The former one has ended.")
        )

    def action_stripe_checkout_revoke_link(self):
        """Withdraw every link of the invoice, and what they have opened at Stripe.

        :return: A notification, which says so if Stripe could not be told.
        :rtype: dict
        :raise AccessError: If the user does not bill.
        """
        self.ensure_one()
        self._stripe_checkout_check_staff()
        if self.sudo().stripe_payment_link_ids._revoke():
            return self._stripe_checkout_notify(
                'success', self.env._("The payment link was revoked.")
            )
        return self._stripe_checkout_notify(
            'warning',
            self.env._(
                "The payment link was revoked. A page at Stripe that is open already could not be "
                "closed, or was just paid; this is looked at again in a few minutes."
            ),
        )

    def _stripe_checkout_notify(self, kind, message):
        """Prepare a notification, and let the page show what has changed."""
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': kind,
                'message': message,
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }
