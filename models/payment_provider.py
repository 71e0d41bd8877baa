import functools
import logging
import os

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import config, html2plaintext

from odoo.addons.payment import utils as payment_utils

from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

# Where Odoo keeps what it tells the payer of a transaction in a state.
STATUS_MESSAGES = {
    'pending': 'pending_msg',
    'authorized': 'auth_msg',
    'done': 'done_msg',
    'cancel': 'cancel_msg',
}

EDITIONS = ('enterprise', 'community')

# Of several providers of one company: live keys before those of test mode, and both before none.
PREFERENCE = 'stripe_checkout_mode, id'


@functools.cache  # Once for each value: the edition is asked for at every visit.
def read_edition(source, value):
    """Read an edition as a person may have written it.

    :param str source: Where it is written, for the log.
    :param str value: What is written there.
    :return: `'enterprise'` or `'community'`; None if it is neither.
    :rtype: str|None
    """
    edition = value.strip().lower()
    if edition in EDITIONS:
        return edition
    if edition:
        _logger.error(
            "%s is %r, which is neither enterprise nor community; it is ignored.", source, value
        )
    return None


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    code = fields.Selection(
        selection_add=[(PROVIDER_CODE, "Stripe Checkout")], ondelete={PROVIDER_CODE: 'set default'}
    )

    # === CONNECTION: written by the connect wizard alone === #

    stripe_checkout_mode = fields.Selection(
        string="Mode",
        help="The mode of the keys; whether payments are taken is another question.",
        selection=[('test', "Test"), ('live', "Live")],
        readonly=True,
        copy=False,
    )
    stripe_checkout_account_id = fields.Char(string="Stripe Account", readonly=True, copy=False)
    stripe_checkout_account_name = fields.Char(string="Account Name", readonly=True, copy=False)
    stripe_checkout_key_hint = fields.Char(
        string="Stripe Checkout Secret Key",
        help="The prefix and the last four characters of the secret key.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_publishable_key_hint = fields.Char(
        string="Stripe Checkout Publishable Key",
        help="The prefix and the last four characters of the publishable key.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_charges_enabled = fields.Boolean(
        string="Account Takes Payments",
        help="Whether Stripe lets the account take payments, as far as the key may know.",
        default=True,
        readonly=True,
        copy=False,
    )
    stripe_checkout_disconnecting = fields.Boolean(
        string="Disconnecting",
        help="No new payment is taken; disconnected once the last bank debit has come to an end.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_base_url = fields.Char(
        string="Public Address",
        help="The address under which clients and Stripe reach this database.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_connected_at = fields.Datetime(string="Connected On", readonly=True, copy=False)
    stripe_checkout_connected_by_id = fields.Many2one(
        'res.users', string="Connected By", readonly=True, copy=False
    )
    # === FRAMEWORK OVERRIDES === #

    def _get_default_payment_method_codes(self):
        """Override of `payment` to activate the one method that stands for all of Stripe's."""
        self.ensure_one()
        if self.code != PROVIDER_CODE:
            return super()._get_default_payment_method_codes()
        return {PROVIDER_CODE}

    @api.model
    def _get_compatible_providers(self, *args, report=None, **kwargs):
        """Override of `payment` to leave out a provider that takes no payments now.

        :param dict report: What administrators are shown on the form: who is left out, and why.
        """
        providers = super()._get_compatible_providers(*args, report=report, **kwargs)
        left_out = providers.filtered(
            lambda provider: (
                provider.code == PROVIDER_CODE and not provider._stripe_checkout_takes_payments()
            )
        )
        payment_utils.add_to_report(
            report, left_out, available=False, reason=self.env._("takes no payments now")
        )
        return providers - left_out

    def _compute_journal_id(self):
        """Override of `account_payment`, which would book on the first bank journal it finds.

        Ours is the journal of the line that connecting has made, or else the Stripe journal of the
        mode; never the real bank's.
        """
        ours = self.filtered(lambda provider: provider.code == PROVIDER_CODE)
        res = super(PaymentProvider, self - ours)._compute_journal_id()
        for provider in ours:
            lines = self.env['account.payment.method.line'].search([
                ('payment_provider_id', '=', provider._origin.id),
                ('journal_id', '!=', False),
            ])
            provider.journal_id = lines.journal_id[:1] or provider._stripe_checkout_find_journal()
        return res

    def _get_status_message(self, status):
        """Override of `payment` to speak the client's language in every company.

        Odoo stores its words with each provider, and translates them for the first one alone. Words
        that staff have written stay theirs.
        """
        message = super()._get_status_message(status)
        name = STATUS_MESSAGES.get(status)
        if self.code != PROVIDER_CODE or not name:
            return message
        get_default = self._fields[name].default
        is_untouched = html2plaintext(message) == get_default(self.with_context(lang='en_US'))
        return get_default(self) if is_untouched else message

    # === ACCESS === #

    def _stripe_checkout_check_access(self):
        """Let billing admins act on the providers of their companies.

        Those of a branch only look at the connection of its parent.

        :raise AccessError: If the user is no billing admin or the provider is out of their reach.
        """
        if not self.env.user.has_group('account.group_account_manager'):
            raise AccessError(self.env._("Only billing admins can manage online payments."))
        self.check_access('write')

    # === GETTERS === #

    @api.model
    def _stripe_checkout_get_edition(self):
        """Return the edition this database runs as.

        The operator's word (environment, then configuration file) is final; without it the system
        parameter counts.

        :return: `'enterprise'` or `'community'`.
        :rtype: str
        """
        environment, option = 'STRIPE_CHECKOUT_EDITION', 'stripe_checkout_edition'
        parameter = 'payment_stripe_checkout.edition'
        parameters_sudo = self.env['ir.config_parameter'].sudo()
        return (
            read_edition(environment, os.environ.get(environment) or '')
            or read_edition(option, config.get(option) or '')
            or read_edition(parameter, parameters_sudo.get_param(parameter) or '')
            or 'enterprise'
        )

    @api.model
    def _stripe_checkout_get_for_company(self, company):
        """Return the provider through which a company takes payments.

        A branch uses the connection of its parent.

        :param res.company company: The company.
        :return: The provider, connected or not; empty if there is none.
        :rtype: payment.provider
        """
        return self.search(
            [
                ('code', '=', PROVIDER_CODE),
                *self._check_company_domain(company),
            ],
            limit=1,
            order=PREFERENCE,
        )

    def _stripe_checkout_is_connected(self):
        """Tell whether Stripe can be asked about the payments of the provider: it has a key.

        So it is while the provider is disabled: what clients pay on pages that are open, or by bank
        debits under way, still arrives and is booked.

        :rtype: bool
        """
        return bool(self.sudo().stripe_checkout_secret_key)  # The key is readable by nobody.

    def _stripe_checkout_takes_payments(self):
        """Tell whether new payments can be started through the provider.

        :rtype: bool
        """
        return (
            self._stripe_checkout_is_connected()
            and self.state != 'disabled'
            and not self.stripe_checkout_disconnecting
            and not self._stripe_checkout_is_paused()
            and self._stripe_checkout_get_edition() == 'enterprise'
        )

    def _stripe_checkout_get_mode(self):
        """Return the mode of the keys, `'live'` or `'test'`; `'test'` where there are none.

        :rtype: str
        """
        return self.stripe_checkout_mode or 'test'

    def _stripe_checkout_is_of_mode(self, livemode):
        """Tell whether an object at Stripe is of the mode of the keys.

        :param bool|None livemode: What the object says.
        :rtype: bool
        """
        return bool(livemode) == (self._stripe_checkout_get_mode() == 'live')
