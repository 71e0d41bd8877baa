from odoo import api, fields, models
from odoo.fields import NO_ACCESS
from odoo.tools import SQL


class StripeCheckoutSecret(models.Model):
    """A key or signing secret of a connection, in a table of its own.

    Where a statement fails, Odoo logs it with its values, and PostgreSQL names the whole row: next
    to settings that people change, a secret would reach a log sooner or later.
    """

    _name = 'stripe.checkout.secret'
    _description = "Secret of a Stripe Connection"

    provider_id = fields.Many2one('payment.provider', required=True, ondelete='cascade')
    name = fields.Char(required=True)
    value = fields.Char(required=True, groups=NO_ACCESS)

    _name_unique = models.UniqueIndex('(provider_id, name)', "One value for each secret.")

    @api.model
    def _keep(self, provider, name, value):
        """Keep a secret in place of the former one.

        :param payment.provider provider: The connection.
        :param str name: The name of the secret.
        :param str|False value: The secret; forgotten if there is none.
        :raise psycopg2.OperationalError: If another transaction changes the connection right now.
        """
        # Whoever is not alone fails here, where the statement holds no secret.
        self.env.cr.execute(
            # Not `FOR UPDATE`, which an event that is stored at that time would wait for.
            SQL("SELECT id FROM payment_provider WHERE id = %s FOR NO KEY UPDATE", provider.id)
        )
        self.env.cr.execute(
            SQL(
                "DELETE FROM stripe_checkout_secret WHERE provider_id = %s AND name = %s",
                provider.id,
                name,
            )
        )
        if value:
            self.env.cr.execute(
                SQL(
                    "INSERT INTO stripe_checkout_secret (provider_id, name, value)"
                    " VALUES (%s, %s, %s)",
                    provider.id,
                    name,
                    value,
                ),
                log_exceptions=False,
            )
        self.invalidate_model()

    @api.model
    def _read_all(self, providers):
        """Return the secrets of connections.

        :param payment.provider providers: The connections.
        :return: The secrets by connection and name.
        :rtype: dict[tuple[int, str], str]
        """
        self.env.cr.execute(
            SQL(
                "SELECT provider_id, name, value FROM stripe_checkout_secret"
                " WHERE provider_id = ANY(%s)",
                providers.ids,
            )
        )
        return {(provider_id, name): value for provider_id, name, value in self.env.cr.fetchall()}
