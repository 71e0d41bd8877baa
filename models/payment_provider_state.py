"""What Odoo's own `state` of a provider means here: whether new payments are taken.

Any administrator changes it, on Odoo's own form. The mode is that of the keys, whatever is clicked.
"""

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..const import PROVIDER_CODE

STATES = {'test': 'test', 'live': 'enabled'}  # by mode


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    state = fields.Selection(tracking=True)
    is_published = fields.Boolean(tracking=True)

    stripe_checkout_is_switched_off = fields.Boolean(
        string="New Payments Switched Off", compute='_compute_stripe_checkout_is_switched_off'
    )

    @api.depends('state', 'is_published', 'stripe_checkout_connected_at')
    def _compute_stripe_checkout_is_switched_off(self):
        for provider in self:
            provider.stripe_checkout_is_switched_off = provider.stripe_checkout_connected_at and (
                provider.state == 'disabled' or not provider.is_published
            )

    @api.constrains('state', 'stripe_checkout_mode')
    def _check_stripe_checkout_state(self):
        for provider in self.filtered(lambda p: p.code == PROVIDER_CODE):
            mode = provider.stripe_checkout_mode
            if provider.state in ('disabled', STATES.get(mode)):
                continue
            if not mode:
                raise ValidationError(
                    self.env._("Stripe is not connected. Press Connect, and it is switched on.")
                )
            raise ValidationError(
                self.env._(
                    "The keys are of %(mode)s mode. Press Connect and paste keys of the other mode "
                    "to change that. Disabled stops new payments.",
                    mode=mode,
                )
            )

    def action_stripe_checkout_switch_on(self):
        """Take payments again after somebody has disabled or unpublished the provider.

        :return: A notification.
        :rtype: dict
        :raise AccessError: If the user is no billing admin of the company.
        :raise UserError: On the community edition, or if Stripe is not connected.
        """
        self.ensure_one()
        self._stripe_checkout_check_manageable()
        provider_sudo = self.sudo()  # Billing admins cannot write the connection.
        provider_sudo.write({
            'state': STATES[provider_sudo._stripe_checkout_get_mode()],
            'is_published': True,
        })
        return self._stripe_checkout_notify(self.env._("Payments are taken again."))
