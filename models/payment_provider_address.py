"""The address under which Stripe and clients reach this database: known, changed, refused."""

from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import utils
from .payment_provider_endpoints import WEBHOOK_PATH


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_refusal = fields.Char(
        string="Address Refused",
        help="Why Stripe did not take the address of this database when it was last told.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_refused_address = fields.Char(
        help="The address that Stripe did not take.", readonly=True, copy=False
    )
    stripe_checkout_is_moved = fields.Boolean(
        string="Address of the Database Changed", compute='_compute_stripe_checkout_is_moved'
    )

    @api.depends('stripe_checkout_base_url')
    def _compute_stripe_checkout_is_moved(self):
        for provider in self:
            provider.stripe_checkout_is_moved = provider._stripe_checkout_has_moved()

    def _stripe_checkout_read_address(self):
        """Return the address of this database as Odoo knows it now.

        :rtype: str
        """
        return self.env['ir.config_parameter'].sudo().get_param('web.base.url', '').rstrip('/')

    def _stripe_checkout_has_moved(self):
        """Tell whether Odoo's address is no longer the one that Stripe and the links were given.

        Odoo changes `web.base.url` whenever an administrator logs in, unless it is frozen.

        :rtype: bool
        """
        self.ensure_one()
        known = self.stripe_checkout_base_url
        return bool(known) and known != self._stripe_checkout_read_address()

    def _stripe_checkout_choose_address(self, mode):
        """Return the address under which a connection is registered.

        A new key leaves the known one as it is: neither webhook nor links move by themselves.

        :param str mode: The mode of the keys, `'live'` or `'test'`.
        :rtype: str
        """
        is_kept = self._stripe_checkout_is_connected() and mode == self._stripe_checkout_get_mode()
        return (is_kept and self.stripe_checkout_base_url) or self._stripe_checkout_read_address()

    def _stripe_checkout_is_told(self, address):
        """Tell whether staff know that an address is what Stripe and the links will be given.

        :param str address: The address of this database.
        :return: Whether it is the known one, or the one that the message shown names.
        :rtype: bool
        """
        shown = {
            'moved': self.stripe_checkout_problem_detail,
            'refused': self.stripe_checkout_refused_address,
        }.get(self.stripe_checkout_problem)
        return address in (self.stripe_checkout_base_url, shown)

    def _stripe_checkout_check_address(self, address, mode):
        """Refuse an address under which live payments could never be told about.

        :param str address: The address.
        :param str mode: `'live'` or `'test'`.
        :raise UserError: With the reason, see https://docs.stripe.com/webhooks (https only).
        """
        parts = urlsplit(address)
        if mode == 'live' and (parts.scheme != 'https' or utils.is_local_host(parts.hostname)):
            raise UserError(
                self.env._(
                    "Live payments need an https address that Stripe can reach. The address of "
                    "this database is %(address)s. Set the system parameter web.base.url to the "
                    "public one first.",
                    address=address,
                )
            )

    def _stripe_checkout_get_webhook_url(self, base_url=None):
        """Return the address to which Stripe sends the events of this provider.

        :rtype: str
        """
        self.ensure_one()
        base_url = base_url or self.stripe_checkout_base_url
        return f'{base_url}{WEBHOOK_PATH}{self.id}'
