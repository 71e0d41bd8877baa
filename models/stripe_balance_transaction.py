"""The movements of Stripe's balance: each stored once, by Stripe's id."""

from odoo import api, fields, models

KINDS = [
    ('capture', "Payment"),
    ('refund', "Refund"),
    ('refund_failure', "Failed Refund"),
    ('dispute', "Dispute"),
    ('payout', "Payout"),
    ('fee', "Stripe's Charges"),
    ('opening', "Balance at Connect"),
    ('other', "Other"),
]


class StripeBalanceTransaction(models.Model):
    _name = 'stripe.balance.transaction'
    _description = "Movement of the Stripe Balance"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _order = 'created_at desc, id desc'
    _rec_name = 'stripe_id'

    stripe_id = fields.Char(string="Balance Transaction", required=True, readonly=True)
    provider_id = fields.Many2one(
        'payment.provider', required=True, readonly=True, ondelete='restrict'
    )
    company_id = fields.Many2one(related='provider_id.company_id', store=True, index=True)
    company_currency_id = fields.Many2one(
        related='company_id.currency_id', string="Company Currency"
    )
    account_ref = fields.Char(
        string="Stripe Account",
        help="The mode and the account on whose balance the money moved.",
        required=True,
        readonly=True,
    )
    journal_id = fields.Many2one(
        'account.journal', required=True, readonly=True, ondelete='restrict', index=True
    )
    kind = fields.Selection(KINDS, required=True, readonly=True)
    type = fields.Char(string="Stripe's Type", required=True, readonly=True)
    reporting_category = fields.Char(readonly=True)
    description = fields.Char(readonly=True)
    currency_id = fields.Many2one('res.currency', required=True, readonly=True)
    amount = fields.Monetary(help="Before Stripe's fee.", readonly=True)
    fee = fields.Monetary(readonly=True)
    net = fields.Monetary(help="By how much the balance changed.", readonly=True)
    exchange_rate = fields.Float(
        help="At which Stripe converted the payment, if it did: what one minor unit of its "
        "currency became, in minor units.",
        digits=0,
        readonly=True,
        aggregator=None,
    )
    created_at = fields.Datetime(string="Moved On", required=True, readonly=True)
    available_on = fields.Datetime(readonly=True)
    source_id = fields.Char(
        string="Caused By",
        help="Stripe's id of the charge, refund, dispute or payout.",
        readonly=True,
        index='btree_not_null',
    )
    source_amount = fields.Monetary(
        string="Original Amount", currency_field='source_currency_id', readonly=True
    )
    source_currency_id = fields.Many2one('res.currency', string="Original Currency", readonly=True)
    payment_intent = fields.Char(string="PaymentIntent", readonly=True, index='btree_not_null')
    charge_id = fields.Char(readonly=True)
    method = fields.Char(
        string="Paid With", help="Stripe's name of the client's method.", readonly=True
    )
    is_ours = fields.Boolean(
        string="Of Our Payments",
        help="Not set for what other uses of the Stripe account have moved.",
        readonly=True,
    )
    payment_id = fields.Many2one(
        'account.payment', readonly=True, ondelete='set null', index='btree_not_null'
    )

    # === BOOKING === #

    state = fields.Selection(
        [
            ('pending', "To book"),
            ('booked', "Booked"),
            ('classify', "To classify"),
        ],
        required=True,
        readonly=True,
        default='pending',
        tracking=True,
    )
    day = fields.Date(
        help="The day on which the money moved, in the time zone of the provider.", readonly=True
    )
    booked_day = fields.Date(string="Booked On", readonly=True)
    fee_day = fields.Date(string="Fee Booked On", readonly=True)
    moved = fields.Boolean(
        string="Moved by a Lock Date",
        help="The day on which the money moved is locked: booked on the first open day.",
        readonly=True,
    )
    statement_line_ids = fields.One2many(
        'account.bank.statement.line', 'stripe_checkout_balance_id', readonly=True
    )
    fee_line_id = fields.Many2one(
        'account.bank.statement.line', readonly=True, index='btree_not_null'
    )
    tried_at = fields.Datetime(readonly=True)
    error = fields.Text(help="Why it could not be booked yet.", readonly=True)
    is_reported = fields.Boolean(help="Staff were told that it could not be booked.", readonly=True)

    # === PAYOUTS === #

    payout_status = fields.Char(readonly=True)
    payout_automatic = fields.Boolean(string="Automatic Payout", readonly=True)
    payout_reconciled = fields.Boolean(
        string="Payout Complete",
        help="Stripe's list of what the payout holds is complete.",
        readonly=True,
    )
    payout_failure = fields.Char(readonly=True)
    arrival_date = fields.Date(readonly=True)
    payout_listed = fields.Boolean(readonly=True)
    payout_cursor = fields.Char(
        help="The movement up to which Stripe's list of a long payout was read.", readonly=True
    )
    payout_row_id = fields.Many2one(
        'stripe.balance.transaction',
        string="Paid Out With",
        readonly=True,
        ondelete='set null',
        index='btree_not_null',
    )
    payout_content_ids = fields.One2many(
        'stripe.balance.transaction', 'payout_row_id', string="Content of the Payout"
    )

    _stripe_unique = models.UniqueIndex(
        '(provider_id, stripe_id)', "This balance transaction is stored already."
    )
    _booking_index = models.Index("(provider_id, tried_at) WHERE state = 'pending'")

    # === STORING === #

    @api.model
    def _store(self, provider, values_list):
        """Store balance transactions, each once.

        :param payment.provider provider: The provider whose account they are of.
        :param list[dict] values_list: What `balance_facts.read_transaction` has read.
        :return: What is new.
        :rtype: stripe.balance.transaction
        :raise psycopg2.errors.UniqueViolation: If another transaction stores one right now.
        """
        known = set(
            self.search([
                ('provider_id', '=', provider.id),
                ('stripe_id', 'in', [values['stripe_id'] for values in values_list]),
            ]).mapped('stripe_id')
        )
        account_ref = provider._stripe_checkout_get_account_ref()
        rows = self.with_context(tracking_disable=True)
        return rows.create([
            {
                **self._prepare_row(values),
                'provider_id': provider.id,
                'account_ref': account_ref,
                'journal_id': provider.journal_id.id,
                'day': provider._stripe_checkout_get_day(values['created_at']),
            }
            for values in values_list
            if values['stripe_id'] not in known
        ])

    @api.model
    def _prepare_row(self, values):
        """Replace what only Stripe names by records: currencies; the method is for the payment."""
        find_currency = self.env['res.currency']._stripe_checkout_find
        row = {name: value for name, value in values.items() if name in self._fields}
        currency = find_currency(values['currency_name'])
        if not currency.active:
            currency.active = True  # Odoo posts nothing in an archived currency.
        row['currency_id'] = currency.id
        if values.get('source_currency_name'):
            row['source_currency_id'] = find_currency(values['source_currency_name']).id
        return row

    # === ACTIONS === #

    def action_open_entries(self):
        """Open the journal entries of the movements: lines of their own, and of their payments.

        :rtype: dict
        """
        moves = self.statement_line_ids.move_id | self.fee_line_id.move_id | self.payment_id.move_id
        return moves._get_records_action(name=self.env._("Journal Entries"))

    def action_mark_classified(self):
        """Take movements off the list that staff have reclassified.

        :raise AccessError: If the user is no billing admin.
        """
        self.provider_id._stripe_checkout_check_access()
        self.check_access('read')
        rows_sudo = self.filtered(lambda row: row.state == 'classify').sudo()  # Nobody writes rows.
        rows_sudo.state = 'booked'
        rows_sudo.activity_ids.action_done()
