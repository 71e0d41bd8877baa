from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import NO_ACCESS

from .. import utils
from ..models.payment_provider_connection import OtherAccount

KEYS = ('secret_key', 'publishable_key')


class StripeCheckoutConnect(models.TransientModel):
    """Takes the keys of a Stripe account and connects a company with them.

    What is typed can be written but never read back, not even by who typed it: readers see the
    prefix and the last four characters.
    """

    _name = 'stripe.checkout.connect'
    _description = "Connect Stripe"
    _transient_max_hours = 0.25  # Keys that were typed and not used do not lie about,
    # not even until Odoo's vacuum comes, once a day: see `_forget_keys`.

    company_id = fields.Many2one(
        'res.company', required=True, default=lambda self: self.env.company
    )
    secret_key = fields.Char(compute='_compute_keys', inverse='_inverse_keys')
    publishable_key = fields.Char(compute='_compute_keys', inverse='_inverse_keys')
    typed_secret_key = fields.Char(groups=NO_ACCESS)
    typed_publishable_key = fields.Char(groups=NO_ACCESS)
    connected = fields.Boolean(compute='_compute_connection')
    connected_key_hint = fields.Char(compute='_compute_connection')
    create_live_key_url = fields.Char(
        string="Create a Restricted Key", compute='_compute_create_key_urls'
    )
    create_test_key_url = fields.Char(
        string="Create a Restricted Key of Test Mode", compute='_compute_create_key_urls'
    )
    question = fields.Text(
        help="What leaving the connected account or mode does, to be answered first.", readonly=True
    )

    @api.depends('typed_secret_key', 'typed_publishable_key')
    def _compute_keys(self):
        for wizard in self:
            wizard_sudo = wizard.sudo()  # The typed keys are readable by nobody.
            for key in KEYS:
                wizard[key] = utils.mask_key(wizard_sudo[f'typed_{key}']) or False

    def _inverse_keys(self):
        for wizard in self:
            wizard_sudo = wizard.sudo()
            for key in KEYS:
                # A form that is saved again sends back what it was shown.
                typed = (wizard[key] or '').strip()
                if typed and typed != utils.mask_key(wizard_sudo[f'typed_{key}']):
                    wizard_sudo[f'typed_{key}'] = typed
        # The answer to who saves the form is what readers see.
        self.invalidate_recordset(KEYS, flush=False)

    @api.depends('company_id')
    def _compute_connection(self):
        providers_sudo = self.env['payment.provider'].sudo()
        for wizard in self:
            provider = providers_sudo._stripe_checkout_get_for_company(wizard.company_id)
            # Whoever does not work in a company learns nothing of its connection.
            is_own = wizard.company_id in self.env.companies
            wizard.connected = is_own and provider._stripe_checkout_is_connected()
            wizard.connected_key_hint = wizard.connected and provider.stripe_checkout_key_hint

    def _compute_create_key_urls(self):
        get_url = self.env['payment.provider']._stripe_checkout_get_create_key_url
        self.create_live_key_url = get_url('live')
        self.create_test_key_url = get_url('test')

    @api.model
    def _forget_keys(self):
        """Forget what was typed and refused, once there was time to try again."""
        end = fields.Datetime.subtract(fields.Datetime.now(), hours=self._transient_max_hours)
        self.sudo().search([('write_date', '<', end)]).unlink()

    def action_connect(self):
        """Connect the company with the keys; ask first where they are of another account or mode.

        :return: A notification that leads to the connection, or this form again with the question.
        :rtype: dict
        :raise AccessError: If the user is no billing admin of the company.
        :raise UserError: If a key or Stripe refuses.
        """
        try:
            return self._connect()
        except OtherAccount as question:
            self.question = str(question)
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._("Connect Stripe"),
            'res_model': self._name,
            'res_id': self.id,
            'view_mode': 'form',
            'target': 'new',
        }

    def action_switch(self):
        """Connect, and leave the account or mode that is connected now.

        :return: A notification that leads to the connection.
        :rtype: dict
        :raise AccessError: If the user is no billing admin of the company.
        :raise UserError: If a key or Stripe refuses.
        """
        return self._connect(switch=True)

    def _connect(self, switch=False):
        self.ensure_one()
        if not self.env.user.has_group('account.group_account_manager'):
            raise AccessError(self.env._("Only billing admins can connect Stripe."))
        # A branch uses the connection of its parent.
        if self.company_id.root_id not in self.env.companies:
            raise AccessError(
                self.env._("You do not work in the company whose connection this is.")
            )
        wizard_sudo = self.sudo()  # The typed keys are readable by nobody.
        provider = self.env['payment.provider']._stripe_checkout_connect(
            self.company_id,
            wizard_sudo.typed_secret_key or '',
            wizard_sudo.typed_publishable_key or '',
            switch=switch,
        )
        wizard_sudo.write({'typed_secret_key': False, 'typed_publishable_key': False})
        notification = provider._stripe_checkout_notify(
            self.env._(
                "Connected to %(account)s, in %(mode)s mode.",
                account=provider.stripe_checkout_account_name or self.env._("Stripe"),
                mode=provider._stripe_checkout_get_mode(),
            )
        )
        # In place of what lies behind the dialog, which may be the same view.
        action = {**provider._stripe_checkout_get_settings_action(), 'target': 'main'}
        notification['params']['next'] = action
        return notification
