"""What a billing admin sets, and what the view of the online payments shows beside it."""

import pytz

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError

from .. import const
from ..const import PROVIDER_CODE

# What a billing admin may write without being an administrator of the system.
SETTINGS_FIELDS = frozenset({
    'stripe_checkout_link_expiration',
    'stripe_checkout_link_custom_hours',
    'stripe_checkout_links_in_emails',
    'stripe_checkout_send_confirmations',
    'stripe_checkout_allow_partial',
    'stripe_checkout_minimum_amount',
    'stripe_checkout_tz',
    'stripe_checkout_user_id',
    'stripe_checkout_event_retention',
    'stripe_checkout_reminders',
    'stripe_checkout_reminder_before',
    'stripe_checkout_reminder_after',
    'stripe_checkout_fee_account_id',
    'stripe_checkout_dispute_account_id',
    'stripe_checkout_payout_account_id',
    'stripe_checkout_classify_account_id',
    'stripe_checkout_fee_mode',
})

MINIMUM_RETENTION = 31  # days

SETTINGS_VIEW = 'payment_stripe_checkout.payment_provider_view_form_stripe_checkout'


class PaymentProvider(models.Model):
    # The chatter is the audit trail: who changed which setting or key, and when.
    _name = 'payment.provider'
    _inherit = ['payment.provider', 'mail.thread', 'mail.activity.mixin']

    stripe_checkout_link_expiration = fields.Selection(
        string="Payment Link Expiration",
        selection=[
            ('24', "24 hours"),
            ('48', "48 hours"),
            ('72', "72 hours"),
            ('168', "1 week"),
            ('336', "2 weeks"),
            ('720', "30 days"),
            ('custom', "Custom"),
        ],
        default='72',
        required=True,
        copy=False,
        tracking=True,
    )
    stripe_checkout_link_custom_hours = fields.Integer(
        string="Custom Hours", default=72, copy=False, tracking=True
    )
    stripe_checkout_links_in_emails = fields.Boolean(
        string="Payment Links in Invoice E-mails",
        help="Put a button that leads to Stripe Checkout into the e-mails that send an invoice. "
        "Whether the invoice's PDF carries the link is Odoo's own setting: "
        "Add QR-code link on PDF.",
        default=True,
        copy=False,
        tracking=True,
    )
    stripe_checkout_send_confirmations = fields.Boolean(
        string="Payment Confirmations",
        help="Thank the client by e-mail, with a receipt, once a payment is booked.",
        default=True,
        copy=False,
        tracking=True,
    )
    stripe_checkout_tz = fields.Selection(
        string="Booking Time Zone",
        help="A payment is booked on the day that it is in this time zone when Stripe captures it.",
        selection='_stripe_checkout_list_time_zones',
        default=lambda self: self.env.user.tz or 'UTC',
        required=True,
        copy=False,
        tracking=True,
    )
    stripe_checkout_user_id = fields.Many2one(
        'res.users',
        string="Payments Follow-up",
        help="Who receives the to-dos about payments that need a person.",
        copy=False,
        tracking=True,
    )
    stripe_checkout_event_retention = fields.Integer(
        string="Keep Events (Days)",
        help="Processed and ignored events are removed from the log after this many days.",
        default=90,
        copy=False,
        tracking=True,
    )
    stripe_checkout_edition = fields.Selection(
        string="Edition",
        selection=[('enterprise', "Enterprise"), ('community', "Community")],
        compute='_compute_stripe_checkout_edition',
    )

    @api.model
    def _stripe_checkout_list_time_zones(self):
        return self.env['res.partner']._fields['tz']._description_selection(self.env)

    @api.constrains('stripe_checkout_link_expiration', 'stripe_checkout_link_custom_hours')
    def _check_stripe_checkout_link_hours(self):
        for provider in self.filtered(lambda p: p.code == PROVIDER_CODE):
            hours = provider._stripe_checkout_get_link_hours()
            if not const.LINK_MINIMUM_HOURS <= hours <= const.LINK_MAXIMUM_HOURS:
                raise ValidationError(
                    self.env._(
                        "A payment link can live from %(minimum)s to %(maximum)s hours.",
                        minimum=const.LINK_MINIMUM_HOURS,
                        maximum=const.LINK_MAXIMUM_HOURS,
                    )
                )

    @api.constrains('stripe_checkout_event_retention')
    def _check_stripe_checkout_event_retention(self):
        # Stripe lists its events of the last 30 days: none of those may be taken for new.
        if any(provider.stripe_checkout_event_retention < MINIMUM_RETENTION for provider in self):
            raise ValidationError(
                self.env._("Events have to be kept for %(days)s days.", days=MINIMUM_RETENTION)
            )

    def write(self, vals):
        """Override of `payment`: a billing admin writes settings, never the connection.

        :raise AccessError: If a user who does not administer the system writes anything else.
        """
        is_restricted = not self.env.su and not self.env.user.has_group('base.group_system')
        if is_restricted and set(vals) - SETTINGS_FIELDS:
            raise AccessError(
                self.env._(
                    "Only the settings of online payments can be changed here. Use Connect for the "
                    "rest."
                )
            )
        return super().write(vals)

    # === SHOWN === #

    def _stripe_checkout_get_link_hours(self):
        """Return how long a payment link lives once it is handed out, in hours.

        :rtype: int
        """
        self.ensure_one()
        if self.stripe_checkout_link_expiration == 'custom':
            return self.stripe_checkout_link_custom_hours
        return int(self.stripe_checkout_link_expiration)

    def _stripe_checkout_get_day(self, moment):
        """Return the day that it is at a moment in the time zone in which payments are booked.

        :param datetime moment: The moment, naive UTC.
        :rtype: date
        """
        time_zone = pytz.timezone(self.stripe_checkout_tz or 'UTC')
        return pytz.utc.localize(moment).astimezone(time_zone).date()

    @api.model
    def get_view(self, view_id=None, view_type='form', **options):
        """Override of `base` to show billing admins this form of a provider and no other.

        Into the framework's other modules put what administrators alone may read: the browser can
        show nobody else a view with such a field.

        :param int view_id: See `base`, as for the others.
        :rtype: dict
        """
        if view_type == 'form' and not self.env.user.has_group('base.group_system'):
            view_id = self.env.ref(SETTINGS_VIEW).id
        return super().get_view(view_id, view_type, **options)

    @api.readonly
    def get_formview_id(self, access_uid=None):
        """Override of `base` to lead the billing admin who opens a connection, by the link of a
        to-do say, to where the buttons are that it asks to press.

        :param int access_uid: See `base`.
        :return: The id of the view; False for the model's own.
        :rtype: int|False
        """
        is_manager = self.env.user.has_group('account.group_account_manager')
        if not is_manager or set(self.mapped('code')) != {PROVIDER_CODE}:
            return super().get_formview_id(access_uid=access_uid)
        return self.env.ref(SETTINGS_VIEW).id

    def _compute_stripe_checkout_edition(self):
        self.stripe_checkout_edition = self._stripe_checkout_get_edition()

    def _stripe_checkout_get_follow_up_user(self, company=None):
        """Return who receives the to-dos about payments that need a person.

        A to-do is for somebody who is there and may see its document: the administrator, where
        whoever is set has left, or left the company.

        :param res.company company: The company of what it is about, if that can be a branch.
        :rtype: res.users
        """
        self.ensure_one()
        user_sudo = self.stripe_checkout_user_id.sudo()  # Staff need not see each other.
        if user_sudo.active and (company or self.company_id) in user_sudo.company_ids:
            return self.stripe_checkout_user_id
        return self.env.ref('base.user_admin')

    # === ACTIONS === #

    @api.model
    def action_stripe_checkout_open_settings(self):
        """Open the online payments of the current company.

        :rtype: dict
        """
        self.browse()._stripe_checkout_check_access()
        # In sudo mode: the provider of a company may have to be made first.
        provider_sudo = self.sudo()._stripe_checkout_ensure_provider(self.env.company)
        return provider_sudo._stripe_checkout_get_settings_action()

    def _stripe_checkout_get_settings_action(self):
        """Return the action that shows the online payments of the provider's company."""
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_stripe_checkout.action_stripe_checkout_settings'
        )
        return {**action, 'res_id': self.id}

    def action_stripe_checkout_freeze_address(self):
        """Keep Odoo from changing its address at the next login of an administrator.

        :return: A notification.
        :rtype: dict
        :raise AccessError: If the user is no administrator: the address is the whole system's; or
                            no billing admin of the company.
        :raise UserError: On the community edition, or if Stripe is not connected.
        """
        self.ensure_one()
        self._stripe_checkout_check_manageable()
        if not self.env.user.has_group('base.group_system'):
            raise AccessError(self.env._("Only administrators can freeze the address."))
        parameters = self.env['ir.config_parameter'].sudo()
        parameters.set_param('web.base.url', self.stripe_checkout_base_url)
        parameters.set_param('web.base.url.freeze', 'True')
        message = self.env._(
            "The address stays %(address)s from now on.", address=self.stripe_checkout_base_url
        )
        provider_sudo = self.sudo()
        provider_sudo._stripe_checkout_log(message)
        provider_sudo._stripe_checkout_check_health()
        return self._stripe_checkout_notify(message)

    def _stripe_checkout_notify(self, message, kind='success'):
        """Build the action that shows a message and refreshes the view.

        :param str message: The message.
        :param str kind: `'success'`, `'info'`, `'warning'` or `'danger'`.
        :rtype: dict
        """
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': kind,
                'message': message,
                'sticky': kind in ('warning', 'danger'),
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }
