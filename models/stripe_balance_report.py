from odoo import fields, models
from odoo.tools import SQL


class StripeBalanceReport(models.Model):
    """Stripe's balance against the books: one row for each journal, currency and day."""

    _name = 'stripe.balance.report'
    _description = "Stripe Balance against the Books"
    _auto = False
    _order = 'day DESC, currency_id, id'
    _rec_name = 'day'

    day = fields.Date(help="The day on which it is booked.", readonly=True)
    journal_id = fields.Many2one('account.journal', readonly=True)
    company_id = fields.Many2one('res.company', readonly=True)
    provider_id = fields.Many2one('payment.provider', readonly=True)
    currency_id = fields.Many2one('res.currency', readonly=True)
    stripe = fields.Monetary(
        string="Moved at Stripe",
        help="What the balance transactions booked on this day sum up to, fees taken off.",
        readonly=True,
    )
    waiting = fields.Monetary(
        string="To Book",
        help="Of these, what is not booked yet: fees of a day that is not over, and movements "
        "whose payment is not in the books.",
        readonly=True,
    )
    ahead = fields.Monetary(
        string="Not at Stripe Yet",
        help="Booked payments and refunds, and refunds that failed, whose balance transaction "
        "Stripe has not shown yet, or whose conversion is not booked yet.",
        readonly=True,
    )
    books = fields.Monetary(
        string="Booked", help="The journal items on the clearing account.", readonly=True
    )
    reversed = fields.Monetary(
        help="Of these, what took entries of test mode out of the books.", readonly=True
    )
    difference = fields.Monetary(
        help="What is booked, less what moved at Stripe, apart from the columns between.",
        readonly=True,
    )
    running_difference = fields.Monetary(string="Difference so Far", readonly=True, aggregator=None)
    moved_count = fields.Integer(
        string="Moved by Lock Dates",
        help="Movements that are booked on this day because their own day is locked.",
        readonly=True,
    )

    @property
    def _table_query(self):
        return SQL(
            """
            WITH item AS (
                -- What moved, fees apart: they may be booked on another day.
                SELECT journal_id, currency_id, COALESCE(booked_day, day) AS day,
                       amount AS stripe,
                       CASE WHEN state = 'pending' THEN amount ELSE 0 END AS waiting,
                       0 AS ahead, 0 AS books, 0 AS reversed,
                       CASE WHEN moved THEN 1 ELSE 0 END AS moved
                  FROM stripe_balance_transaction
             UNION ALL
                SELECT journal_id, currency_id, COALESCE(fee_day, booked_day, day),
                       -fee,
                       CASE WHEN fee_line_id IS NULL THEN -fee ELSE 0 END,
                       0, 0, 0, 0
                  FROM stripe_balance_transaction
                 WHERE fee != 0
             UNION ALL
                SELECT journal.id, line.currency_id, line.date,
                       0, 0,
                       -- What Stripe converts never moves in its own currency: booked on one
                       -- day, it is taken back by the line of its conversion, maybe on another.
                       CASE WHEN (payment.id IS NOT NULL OR refund.state = 'error')
                             AND movement.currency_id IS DISTINCT FROM line.currency_id
                              OR conversion.id IS NOT NULL
                            THEN line.amount_currency ELSE 0 END,
                       line.amount_currency,
                       -- The failure of a refund reverses it as well, and moves at Stripe, too.
                       CASE WHEN journal.stripe_checkout_mode = 'test'
                             AND move.reversed_entry_id IS NOT NULL
                             AND refund.state IS DISTINCT FROM 'error'
                            THEN line.amount_currency ELSE 0 END,
                       0
                  FROM account_move_line line
                  JOIN account_move move ON move.id = line.move_id
                  JOIN account_journal journal
                    ON journal.default_account_id = line.account_id
                   AND journal.stripe_checkout_provider_id IS NOT NULL
             LEFT JOIN account_payment payment
                    ON payment.move_id = line.move_id
                   AND (payment.stripe_checkout_payment_intent IS NOT NULL
                        OR payment.stripe_checkout_refund_id IS NOT NULL)
             LEFT JOIN account_payment original
                    ON original.move_id = move.reversed_entry_id
                   AND original.stripe_checkout_refund_id IS NOT NULL
             LEFT JOIN payment_transaction refund
                    ON refund.id = original.payment_transaction_id
             LEFT JOIN account_bank_statement_line conversion
                    ON conversion.move_id = line.move_id
                   AND conversion.stripe_checkout_part = 'conversion_out'
             LEFT JOIN LATERAL (
                       SELECT currency_id
                         FROM stripe_balance_transaction
                        WHERE (payment_id = payment.id AND kind IN ('capture', 'refund')
                               OR payment_id = original.id AND kind = 'refund_failure')
                          AND state != 'pending'
                        LIMIT 1
                       ) movement ON TRUE
                 WHERE line.parent_state = 'posted'
            ),
            day_total AS (
                SELECT journal_id, currency_id, day,
                       SUM(stripe) AS stripe, SUM(waiting) AS waiting,
                       SUM(ahead) AS ahead, SUM(books) AS books, SUM(reversed) AS reversed,
                       SUM(moved) AS moved_count
                  FROM item
              GROUP BY journal_id, currency_id, day
            )
            SELECT ROW_NUMBER() OVER (ORDER BY total.day, total.journal_id, total.currency_id)
                     AS id,
                   total.day, total.journal_id, journal.company_id,
                   journal.stripe_checkout_provider_id AS provider_id,
                   total.currency_id, total.stripe, total.waiting, total.ahead, total.books,
                   total.reversed, total.difference,
                   SUM(total.difference) OVER (
                       PARTITION BY total.journal_id, total.currency_id ORDER BY total.day
                   ) AS running_difference,
                   total.moved_count
              FROM (
                   SELECT *, books - reversed - ahead - (stripe - waiting) AS difference
                     FROM day_total
                   ) total
              JOIN account_journal journal ON journal.id = total.journal_id
            """
        )

    def action_open_movements(self):
        """Open the movements of Stripe's balance that are booked on the day.

        :rtype: dict
        """
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_stripe_checkout.action_stripe_balance_transaction'
        )
        domain = [
            ('journal_id', '=', self.journal_id.id),
            ('currency_id', '=', self.currency_id.id),
            '|', '|',
            ('booked_day', '=', self.day),
            ('fee_day', '=', self.day),
            '&',
            ('booked_day', '=', False),
            ('day', '=', self.day),
        ]  # fmt: skip
        return {**action, 'domain': domain, 'context': {}}

    def action_open_items(self):
        """Open the journal items on the clearing account of the day.

        :rtype: dict
        """
        self.ensure_one()
        items = self.env['account.move.line'].search([
            ('account_id', '=', self.journal_id.default_account_id.id),
            ('date', '=', self.day),
            ('currency_id', '=', self.currency_id.id),
            ('parent_state', '=', 'posted'),
        ])
        return items._get_records_action(name=self.env._("Journal Items"))
