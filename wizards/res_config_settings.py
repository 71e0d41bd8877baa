from odoo import api, fields, models


class ResConfigSettings(models.TransientModel):
    """The connection in Settings › Invoicing, which opens for administrators only."""

    _inherit = 'res.config.settings'

    stripe_checkout_provider_id = fields.Many2one(
        'payment.provider', compute='_compute_stripe_checkout_provider_id'
    )
    stripe_checkout_mode = fields.Selection(
        related='stripe_checkout_provider_id.stripe_checkout_mode'
    )
    stripe_checkout_account_name = fields.Char(
        related='stripe_checkout_provider_id.stripe_checkout_account_name'
    )
    stripe_checkout_account_id = fields.Char(
        related='stripe_checkout_provider_id.stripe_checkout_account_id'
    )
    stripe_checkout_publishable_key_hint = fields.Char(
        related='stripe_checkout_provider_id.stripe_checkout_publishable_key_hint'
    )
    stripe_checkout_key_hint = fields.Char(
        related='stripe_checkout_provider_id.stripe_checkout_key_hint'
    )
    stripe_checkout_connected_at = fields.Datetime(
        related='stripe_checkout_provider_id.stripe_checkout_connected_at'
    )
    stripe_checkout_connected_by_id = fields.Many2one(
        related='stripe_checkout_provider_id.stripe_checkout_connected_by_id'
    )
    stripe_checkout_webhook_state = fields.Selection(
        related='stripe_checkout_provider_id.stripe_checkout_webhook_state'
    )
    stripe_checkout_is_switched_off = fields.Boolean(
        related='stripe_checkout_provider_id.stripe_checkout_is_switched_off'
    )
    stripe_checkout_is_moved = fields.Boolean(
        related='stripe_checkout_provider_id.stripe_checkout_is_moved'
    )
    stripe_checkout_webhook_message = fields.Text(
        related='stripe_checkout_provider_id.stripe_checkout_webhook_message'
    )
    stripe_checkout_enabled_events = fields.Text(
        related='stripe_checkout_provider_id.stripe_checkout_enabled_events'
    )
    stripe_checkout_missing_events = fields.Text(
        related='stripe_checkout_provider_id.stripe_checkout_missing_events'
    )
    stripe_checkout_checklist = fields.Html(
        related='stripe_checkout_provider_id.stripe_checkout_checklist'
    )
    stripe_checkout_journal_id = fields.Many2one(related='stripe_checkout_provider_id.journal_id')
    stripe_checkout_fee_account_id = fields.Many2one(
        related='stripe_checkout_provider_id.stripe_checkout_fee_account_id'
    )
    stripe_checkout_paused = fields.Boolean(compute='_compute_stripe_checkout_paused')
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

    @api.depends('stripe_checkout_provider_id')
    def _compute_stripe_checkout_paused(self):
        for settings in self:
            provider = settings.stripe_checkout_provider_id
            settings.stripe_checkout_paused = provider._stripe_checkout_is_connected() and not (
                provider._stripe_checkout_takes_payments() and provider.is_published
            )

    def action_stripe_checkout_open_settings(self):
        """Open the online payments of the company.

        :rtype: dict
        """
        return self.env['payment.provider'].action_stripe_checkout_open_settings()

    # The buttons of the connection; who may press them, the connection itself checks.

    def action_stripe_checkout_open_connect(self):
        return self.stripe_checkout_provider_id.action_stripe_checkout_open_connect()

    def action_stripe_checkout_test_connection(self):
        return self.stripe_checkout_provider_id.action_stripe_checkout_test_connection()

    def action_stripe_checkout_retry_webhook(self):
        return self.stripe_checkout_provider_id.action_stripe_checkout_retry_webhook()

    def action_stripe_checkout_freeze_address(self):
        return self.stripe_checkout_provider_id.action_stripe_checkout_freeze_address()

    def action_stripe_checkout_open_disconnect(self):
        return self.stripe_checkout_provider_id.action_stripe_checkout_open_disconnect()
