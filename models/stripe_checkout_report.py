from odoo import api, fields, models
from odoo.tools import SQL


class StripeCheckoutReport(models.Model):
    """Online payments for graph and pivot: one row for each Checkout Session."""

    _name = 'stripe.checkout.report'
    _description = "Online Payments Analysis"
    _auto = False
    _order = 'date DESC, id DESC'
    _depends = {
        'account.move': ['invoice_date', 'reversed_entry_id', 'state'],
        'account.payment': [
            'amount_company_currency_signed', 'date', 'move_id', 'stripe_checkout_paid_at',
        ],
        'payment.provider': ['code'],
        'payment.transaction': [
            'amount', 'company_id', 'invoice_ids', 'is_live', 'operation', 'partner_id',
            'payment_id', 'provider_id', 'source_transaction_id', 'state',
            'stripe_checkout_declines', 'stripe_checkout_method',
        ],
        'res.company': ['currency_id'],
        'res.partner': ['commercial_partner_id'],
    }  # fmt: skip

    transaction_id = fields.Many2one('payment.transaction', readonly=True)
    started_at = fields.Datetime(string="Started On", readonly=True)
    paid_at = fields.Datetime(string="Paid On", readonly=True)
    date = fields.Datetime(help="When it was paid, or else when it was started.", readonly=True)
    company_id = fields.Many2one('res.company', readonly=True)
    company_currency_id = fields.Many2one('res.currency', readonly=True)
    partner_id = fields.Many2one('res.partner', string="Client", readonly=True)
    state = fields.Selection(
        [
            ('draft', "Started"),
            ('pending', "Under way"),
            ('authorized', "Authorized"),
            ('done', "Paid"),
            ('cancel', "Not paid"),
            ('error', "Failed"),
            ('reversed', "Reversed"),
        ],
        readonly=True,
    )
    is_live = fields.Boolean(string="Live Mode", readonly=True)
    method = fields.Char(string="Paid With", readonly=True)
    paid_count = fields.Integer(string="Payments", readonly=True)
    amount = fields.Monetary(
        string="Amount Paid",
        help="In the currency of the company.",
        currency_field='company_currency_id',
        readonly=True,
    )
    refunded = fields.Monetary(
        string="Amount Refunded",
        help="In the currency of the company, at the rate of the payment.",
        currency_field='company_currency_id',
        readonly=True,
    )
    declines = fields.Integer(string="Declined Attempts", readonly=True)
    days_to_paid = fields.Float(
        string="Days from Invoice to Paid", aggregator='avg', digits=(16, 1), readonly=True
    )

    @property
    def _table_query(self):
        return SQL(
            """
               SELECT tx.id,
                      tx.id AS transaction_id,
                      tx.create_date AS started_at,
                      payment.stripe_checkout_paid_at AS paid_at,
                      COALESCE(payment.stripe_checkout_paid_at, tx.create_date) AS date,
                      tx.company_id,
                      company.currency_id AS company_currency_id,
                      COALESCE(partner.commercial_partner_id, partner.id) AS partner_id,
                      CASE WHEN tx.payment_id IS NOT NULL AND payment.id IS NULL THEN 'reversed'
                           ELSE tx.state
                       END AS state,
                      tx.is_live,
                      tx.stripe_checkout_method AS method,
                      (payment.id IS NOT NULL)::integer AS paid_count,
                      payment.amount_company_currency_signed AS amount,
                      payment.amount_company_currency_signed * refund.amount
                        / NULLIF(tx.amount, 0) AS refunded,
                      COALESCE(tx.stripe_checkout_declines, 0) AS declines,
                      (payment.date - invoice.first_date)::float AS days_to_paid
                 FROM payment_transaction tx
                 JOIN payment_provider provider
                   ON provider.id = tx.provider_id AND provider.code = 'stripe_checkout'
                 JOIN res_company company ON company.id = tx.company_id
            LEFT JOIN res_partner partner ON partner.id = tx.partner_id
            LEFT JOIN account_payment payment
                   ON payment.id = tx.payment_id
                  AND NOT EXISTS (
                        SELECT 1
                          FROM account_move reversal
                         WHERE reversal.reversed_entry_id = payment.move_id
                           AND reversal.state = 'posted'
                      )
            LEFT JOIN LATERAL (
                        SELECT SUM(ABS(child.amount)) AS amount
                          FROM payment_transaction child
                         WHERE child.source_transaction_id = tx.id
                           AND child.operation = 'refund'
                           AND child.state = 'done'
                      ) refund ON TRUE
            LEFT JOIN LATERAL (
                        SELECT MIN(move.invoice_date) AS first_date
                          FROM account_invoice_transaction_rel rel
                          JOIN account_move move ON move.id = rel.invoice_id
                         WHERE rel.transaction_id = tx.id
                      ) invoice ON TRUE
                WHERE tx.operation != 'refund'
            """
        )

    @api.model
    def action_open(self):
        """Open the analysis; without test payments, once there are others.

        :rtype: dict
        """
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_stripe_checkout.action_stripe_checkout_report'
        )
        live = self.search_count([('is_live', '=', True)], limit=1)
        return {**action, 'context': {'search_default_live': live}}
