from odoo import api, fields, models


class StripeWebhookRefusal(models.Model):
    """How many requests without a valid signature came to a webhook, hour by hour.

    They are counted, not stored: anybody can send them.
    """

    _name = 'stripe.webhook.refusal'
    _description = "Refused Webhook Requests"

    provider_id = fields.Many2one('payment.provider', required=True, ondelete='cascade')
    hour = fields.Datetime(required=True)
    last_at = fields.Datetime(required=True)
    count = fields.Integer(required=True)
    signed_at = fields.Datetime()  # The last one with a signature, of whatever secret.

    _hour_unique = models.UniqueIndex('(provider_id, hour)', "One count for each hour.")

    @api.model
    def _note(self, provider, is_signed):
        """Count one request that was refused.

        :param payment.provider provider: The provider whose webhook it came to.
        :param bool is_signed: Whether it had a signature, if none that is known here.
        :raise psycopg2.OperationalError: If another request is counted right now.
        """
        now = fields.Datetime.now()
        hour = now.replace(minute=0, second=0)
        row = self.search([('provider_id', '=', provider.id), ('hour', '=', hour)], limit=1)
        row = row or self.create({
            'provider_id': provider.id,
            'hour': hour,
            'last_at': now,
            'count': 0,
        })
        row.write({'count': row.count + 1, 'last_at': now})
        if is_signed:
            row.signed_at = now
        self.env.flush_all()

    @api.model
    def _count_since(self, providers, since):
        """Count the requests refused in the hours that reach up to a moment or beyond.

        :param payment.provider providers: The providers.
        :param datetime since: The moment, UTC.
        :return: The number by provider.
        :rtype: dict[payment.provider, int]
        """
        rows = self._read_group(
            [('provider_id', 'in', providers.ids), ('last_at', '>=', since)],
            ['provider_id'],
            ['count:sum'],
        )
        return dict(rows)

    @api.model
    def _is_signed_since(self, provider, since):
        """Tell whether a request with a signature, if none that is known here, was refused lately.

        :param payment.provider provider: The provider.
        :param datetime since: The moment, UTC.
        :rtype: bool
        """
        domain = [('provider_id', '=', provider.id), ('signed_at', '>=', since)]
        return bool(self.search_count(domain, limit=1))

    @api.autovacuum
    def _gc_refusals(self):
        """Forget what is older than the view shows."""
        end = fields.Datetime.subtract(fields.Datetime.now(), days=30)
        self.search([('last_at', '<', end)]).unlink()
