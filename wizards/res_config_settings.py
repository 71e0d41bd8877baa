from odoo import api, fields, models


class ResConfigSettings(models.TransientModel):
    """The connection in Settings › Invoicing, which opens for administrators only."""

    _inherit = 'res.config.settings'

    stripe_checkout_provider_id = fields.Many2one(
        'payment.provider', compute='_compute_stripe_checkout_provider_id'
    )
    stripe_checkout_webhook_state = fields.Selection(
        related='stripe_checkout_provider_id.stripe_checkout_webhook_state'
    )
    stripe_checkout_account_name = fields.Char(
        related='stripe_checkout_provider_id.stripe_checkout_account_name'
    )
    stripe_checkout_connected_at = fields.Datetime(
        related='stripe_checkout_provider_id.stripe_checkout_connected_at'
    )
    stripe_checkout_edition = fields.Selection(
        related='stripe_checkout_provider_id.stripe_checkout_edition'
    )
    stripe_checkout_link_expiration = fields.Selection(
        related='stripe_checkout_provider_id.stripe_checkout_link_expiration', readonly=False
    )
    stripe_checkout_link_custom_hours = fields.Integer(
        related='stripe_checkout_provider_id.stripe_checkout_link_custom_hours', readonly=False
    )
    stripe_checkout_links_in_emails = fields.Boolean(
        related='stripe_checkout_provider_id.stripe_checkout_links_in_emails', readonly=False
    )
    stripe_checkout_send_confirmations = fields.Boolean(
        related='stripe_checkout_provider_id.stripe_checkout_send_confirmations', readonly=False
    )

    @api.depends('company_id')
    def _compute_stripe_checkout_provider_id(self):
        for settings in self:
            # In sudo mode: the provider of a company may have to be made first.
            providers_sudo = self.env['payment.provider'].sudo()
            settings.stripe_checkout_provider_id = providers_sudo._stripe_checkout_ensure_provider(
                settings.company_id
            )

    def action_stripe_checkout_open_settings(self):
        """Open the online payments of the company.

        :rtype: dict
        """
        return self.env['payment.provider'].action_stripe_checkout_open_settings()
