from odoo import api, fields, models
from odoo.tools import SQL


class StripeCheckoutClaim(models.Model):
    """The claim of an invoice by the one Checkout Session through which it can be paid now.

    The row is what concurrent visitors meet on: whoever wants to open a session takes it first,
    and WRITES it. A visitor who waited for it then fails with a serialization error instead of
    working on a snapshot from before, is run again by Odoo, and finds the session of the first.
    """

    _name = 'stripe.checkout.claim'
    _description = "Claim of an Invoice by a Checkout Session"

    move_id = fields.Many2one('account.move', required=True, ondelete='cascade')
    transaction_id = fields.Many2one('payment.transaction', ondelete='set null', index=True)

    _move_unique = models.Constraint(
        'UNIQUE(move_id)', "An invoice has one payable Checkout Session at most."
    )

    @api.model
    def _lock_for_invoices(self, invoices):
        """Take the claims of invoices, waiting for whoever holds them.

        Always in the order of the invoices' ids, so that two takers never wait for each other.

        :param account.move invoices: The invoices.
        :return: The claims, locked until the end of the transaction.
        :rtype: stripe.checkout.claim
        :raise psycopg2.errors.SerializationFailure: If another transaction took them meanwhile;
               Odoo runs the request again.
        """
        move_ids = sorted(invoices.ids)
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO stripe_checkout_claim (move_id)
                     SELECT unnest(%(move_ids)s) AS move_id
                   ORDER BY move_id
                ON CONFLICT (move_id) DO NOTHING
                """,
                move_ids=move_ids,
            )
        )
        self.env.cr.execute(
            SQL(
                """
                  SELECT id
                    FROM stripe_checkout_claim
                   WHERE move_id = ANY(%(move_ids)s)
                ORDER BY move_id
                     FOR UPDATE
                """,
                move_ids=move_ids,
            )
        )
        claims = self.browse(row[0] for row in self.env.cr.fetchall())
        claims.invalidate_recordset(flush=False)
        return claims
