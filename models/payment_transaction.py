from odoo import api, fields, models

from .. import utils
from ..const import PROVIDER_CODE


class PaymentTransaction(models.Model):
    """One transaction for each Checkout Session; here its fields and the framework's hooks."""

    _inherit = 'payment.transaction'

    stripe_checkout_session_id = fields.Char(string="Checkout Session", readonly=True, copy=False)
    stripe_checkout_session_url = fields.Char(
        string="Checkout Page", readonly=True, copy=False, groups=fields.NO_ACCESS
    )
    stripe_checkout_session_expires_at = fields.Datetime(
        string="Checkout Session Expires On", readonly=True, copy=False
    )
    stripe_checkout_payment_intent = fields.Char(string="PaymentIntent", readonly=True, copy=False)
    stripe_checkout_promise = fields.Json(
        string="Promise",
        help="What the client was asked to pay: the invoices with the amount of each, in minor "
        "units, and the currency.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_link_id = fields.Many2one(
        'stripe.payment.link', string="Payment Link", readonly=True, copy=False, index=True
    )
    stripe_checkout_method = fields.Char(
        string="Paid With", help="The method that the client chose.", readonly=True, copy=False
    )
    stripe_checkout_declines = fields.Integer(string="Declined Attempts", readonly=True, copy=False)
    stripe_checkout_freed = fields.Boolean(
        string="Under Way Although Freed",
        help="Staff let the client pay again while this bank debit was under way. It is followed "
        "until it has arrived or failed.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_left_account = fields.Char(
        string="Account That Was Left",
        help="Where this bank debit or refund was under way when the account was left. It is "
        "followed again once that account is connected.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_checked_at = fields.Datetime(
        string="Last Compared with Stripe", readonly=True, copy=False
    )

    _stripe_checkout_session_unique = models.UniqueIndex(
        '(stripe_checkout_session_id) WHERE stripe_checkout_session_id IS NOT NULL',
        "A Checkout Session belongs to one transaction.",
    )
    _stripe_checkout_payment_intent_unique = models.UniqueIndex(
        '(stripe_checkout_payment_intent) WHERE stripe_checkout_payment_intent IS NOT NULL',
        "A PaymentIntent belongs to one transaction.",
    )

    @api.model
    def _stripe_checkout_find(self, session_id):
        """Return the transaction of a Checkout Session, in sudo mode.

        :param str|None session_id: The id of the session, as a browser says it.
        :return: The transaction; empty for what is no id: Odoo would search what has no session.
        :rtype: payment.transaction
        """
        # In sudo mode: whoever comes back from Stripe may be a stranger.
        transactions_sudo = self.sudo()
        session_id = utils.parse_session_id(session_id)
        if not session_id:
            return transactions_sudo.browse()
        return transactions_sudo.search([('stripe_checkout_session_id', '=', session_id)])

    @api.model_create_multi
    def create(self, vals_list):
        """Override of `payment`, which reads the mode from a state that may be Disabled."""
        transactions = super().create(vals_list)
        for tx in transactions.filtered(lambda tx: tx.provider_code == PROVIDER_CODE):
            is_live = tx.provider_id._stripe_checkout_get_mode() == 'live'
            if tx.is_live != is_live:
                tx.is_live = is_live
        return transactions

    @api.model
    def _get_specific_create_values(self, provider_code, values):
        """Override of `payment`, which refuses an archived client's language once it is off."""
        res = super()._get_specific_create_values(provider_code, values)
        lang = values.get('partner_lang')
        if provider_code != PROVIDER_CODE or self.env['res.lang']._get_data(code=lang):
            return res
        return {**res, 'partner_lang': False}

    # === PAYMENT FLOW === #

    def _get_specific_rendering_values(self, processing_values):
        """Override of `payment` to open a Checkout Session for the payment form.

        :raise ValidationError: If the invoices cannot be paid now, or Stripe cannot be reached.
        """
        if self.provider_code != PROVIDER_CODE:
            return super()._get_specific_rendering_values(processing_values)
        self._stripe_checkout_open_session_of_form()
        return {'api_url': self.stripe_checkout_session_url}

    # === PROCESSING === #

    @api.model
    def _extract_reference(self, provider_code, payment_data):
        """Override of `payment` to find the transaction that a session was made for."""
        if provider_code != PROVIDER_CODE:
            return super()._extract_reference(provider_code, payment_data)
        return payment_data['facts'].transaction_reference

    def _extract_amount_data(self, payment_data):
        """Override of `payment` to book what Stripe captured, also where it differs."""
        if self.provider_code != PROVIDER_CODE:
            return super()._extract_amount_data(payment_data)
        return None

    # === POST-PROCESSING === #

    def _post_process(self):
        """Override of `payment` to book before anything else, and to leave drafts in draft.

        `account_payment` posts the draft invoices of a paid transaction. An invoice that staff
        took back to draft is theirs to finish: the payment stands as the client's open credit.
        """
        transactions = self.filtered(lambda tx: tx.provider_code == PROVIDER_CODE)
        put_aside = {}
        for tx in transactions.filtered(lambda tx: tx.state == 'done'):
            unposted = tx.invoice_ids.filtered(lambda move: move.state != 'posted')
            if unposted and tx.stripe_checkout_promise:
                tx.invoice_ids -= unposted
                put_aside[tx] = unposted
        res = super()._post_process()
        for tx, unposted in put_aside.items():
            tx.invoice_ids |= unposted  # Whoever looks at them finds what was paid.
        return res

    # === STAFF === #

    def _stripe_checkout_schedule_follow_up(
        self, summary, note, activity_type='mail.mail_activity_data_todo', documents=None
    ):
        """Leave a to-do for billing staff on the invoices, or on the client where there are none.

        :param str summary: What it is about.
        :param str note: What happened and what to do.
        :param str activity_type: The XML id of the type of the to-do.
        :param account.move|res.partner documents: Where to leave it, if not on all of them.
        """
        self.ensure_one()
        user = self.provider_id._stripe_checkout_get_follow_up_user(self.company_id)
        for document in documents or self.invoice_ids or self.partner_id:
            document.activity_schedule(activity_type, summary=summary, note=note, user_id=user.id)

    def _stripe_checkout_format_total(self):
        """Return the sum of the transactions in words, currency by currency.

        :rtype: str
        """
        return ', '.join(
            currency.format(sum(transactions.mapped('amount')))
            for currency, transactions in self.grouped('currency_id').items()
        )
