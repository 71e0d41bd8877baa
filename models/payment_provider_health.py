"""The true health of a connection, as it is kept, shown and told."""

import logging
from datetime import timedelta

import psycopg2
import stripe

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.service.model import retrying

from .. import utils
from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

# Without an event for as long, the regular check has Stripe send a probe: a rolled secret shows in
# nothing else.
QUIET = timedelta(minutes=20)

# Troubles that nothing but an event that arrives disproves.
DISPROVED_BY_DELIVERY = frozenset({'undelivered', 'silent', 'signature'})

# Troubles that are over as soon as an event arrives.
CURED_BY_DELIVERY = DISPROVED_BY_DELIVERY | {'unreachable'}


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_webhook_state = fields.Selection(
        string="Webhook",
        selection=[
            ('none', "Not registered"),
            ('pending', "Registered, nothing received yet"),
            ('confirmed', "Confirmed"),
            ('warning', "Needs attention"),
        ],
        default='none',
        required=True,
        readonly=True,
        copy=False,
    )
    stripe_checkout_problem = fields.Selection(
        string="Problem",
        selection=[
            ('key', "Key not accepted"),
            ('permission', "Permission missing"),
            ('unreachable', "Stripe not reachable"),
            ('refused', "Address refused by Stripe"),
            ('deleted', "Endpoint deleted"),
            ('disabled', "Endpoint disabled"),
            ('address', "Endpoint with another address"),
            ('version', "Endpoint with another API version"),
            ('events', "Endpoint without all events"),
            ('moved', "Address of the database changed"),
            ('charges', "Account takes no payments"),
            ('pages', "Payment pages refused"),
            ('signature', "Unknown signature"),
            ('undelivered', "Events not delivered"),
            ('silent', "No event arrives"),
            ('feed', "Balance not booked"),
        ],
        readonly=True,
        copy=False,
    )
    stripe_checkout_problem_detail = fields.Char(string="Problem Detail", readonly=True, copy=False)
    stripe_checkout_webhook_message = fields.Text(
        string="What To Do", compute='_compute_stripe_checkout_webhook_message'
    )
    stripe_checkout_checked_at = fields.Datetime(string="Last Checked", readonly=True, copy=False)
    stripe_checkout_last_event_at = fields.Datetime(
        string="Last Event Received", compute='_compute_stripe_checkout_last_event_at'
    )
    stripe_checkout_refused_count = fields.Integer(
        string="Refused Signatures (7 Days)", compute='_compute_stripe_checkout_refused_count'
    )
    stripe_checkout_undelivered_count = fields.Integer(
        string="Undelivered Events",
        help="Events that Stripe could not deliver since the last one that arrived; 100 stands for "
        "any number from there on.",
        readonly=True,
        copy=False,
    )

    # === SHOWN === #

    @api.depends(
        'stripe_checkout_problem',
        'stripe_checkout_problem_detail',
        'stripe_checkout_base_url',
        'stripe_checkout_refused_address',
    )
    def _compute_stripe_checkout_webhook_message(self):
        for provider in self:
            provider.stripe_checkout_webhook_message = provider._stripe_checkout_describe_problem()

    def _stripe_checkout_describe_problem(self):
        """Say in words what is wrong and what to do.

        :return: The message; False if nothing is wrong.
        :rtype: str|False
        """
        if not self.stripe_checkout_problem:
            return False
        retry = self.env._("Press Retry Webhook Configuration.")
        url = self._stripe_checkout_get_webhook_url()
        later = self.env._("Payments still arrive, some minutes later.")
        freeze = self.env._(
            "Until then the payment links use %(known)s, which an administrator can keep by "
            "pressing Freeze Address.",
            known=self.stripe_checkout_base_url,
        )
        return {
            'key': self.env._(
                "Stripe no longer accepts the key. Press Reconnect and paste the new one."
            ),
            'permission': self.env._(
                "The key may not do all that is needed: %(detail)s. Press Reconnect and paste a "
                "key that may.",
                detail=self.stripe_checkout_problem_detail,
            ),
            'unreachable': self.env._(
                "%(detail)s Nothing is lost: payments are registered as soon as Stripe answers "
                "again. Press Test Connection to ask it now.",
                detail=self.stripe_checkout_problem_detail,
            ),
            'refused': self.env._(
                "Stripe does not take the address of this database, %(address)s: %(detail)s Set "
                "the system parameter web.base.url to an address that Stripe can reach, then press "
                "Retry Webhook Configuration.",
                address=self.stripe_checkout_refused_address,
                detail=self.stripe_checkout_problem_detail,
            )
            + (f' {freeze}' if self._stripe_checkout_has_moved() else '')
            + f' {later}',
            'deleted': self.env._("The webhook endpoint is gone at Stripe.") + f' {retry}',
            'disabled': self.env._("The webhook endpoint is disabled at Stripe.") + f' {retry}',
            'address': self.env._("The webhook endpoint has another address at Stripe.")
            + f' {retry}',
            'version': self.env._("The webhook endpoint has another API version at Stripe.")
            + f' {retry}',
            'events': self.env._("Stripe does not send all events that are needed.") + f' {retry}',
            'moved': self.env._(
                "The address of this database is now %(new)s. Stripe and the payment links use "
                "%(known)s. If the new one is right, press Retry Webhook Configuration. If not, "
                "an administrator can press Freeze Address, which keeps the one that is known.",
                new=self.stripe_checkout_problem_detail,
                known=self.stripe_checkout_base_url,
            ),
            'charges': self.env._(
                "Stripe does not let this account take payments. Complete the account in the "
                "Stripe Dashboard."
            ),
            'pages': self.env._(
                "Stripe opens no payment page for this account, so no client can pay. %(detail)s "
                "Once that is mended in the Stripe Dashboard, press Test Connection.",
                detail=self.stripe_checkout_problem_detail,
            ),
            'signature': self.env._(
                "Events arrive with a signature that is not known here, as after the signing "
                "secret was rolled at Stripe, or that is too old, as where the clock of this "
                "server is minutes ahead: set it right first."
            )
            + f' {retry} {later}',
            'undelivered': self.env._(
                "Stripe could not deliver %(detail)s events. Check that %(url)s can be reached "
                "from the internet, then press Test Connection.",
                detail=self.stripe_checkout_problem_detail,
                url=url,
            )
            + f' {later}',
            'silent': self.env._(
                "No event arrives from Stripe. Check that %(url)s can be reached from the "
                "internet, then press Test Connection.",
                url=url,
            )
            + f' {later}',
            'feed': self.env._(
                "Stripe's balance could not be read and booked for a day: fees, payouts and "
                "disputes are missing in the books. %(detail)s It is tried again by itself; once "
                "the cause is mended, press Read the Balance Now.",
                detail=self.stripe_checkout_problem_detail or '',
            ),
        }[self.stripe_checkout_problem]

    def _compute_stripe_checkout_last_event_at(self):
        # In sudo mode: the log is shown to billing staff, its newest entry to billing admins.
        rows = (
            self
            .env['stripe.event']
            .sudo()
            ._read_group(
                [('provider_id', 'in', self.ids), ('source', '=', 'webhook')],
                ['provider_id'],
                ['create_date:max'],
            )
        )
        latest = dict(rows)
        for provider in self:
            provider.stripe_checkout_last_event_at = latest.get(provider)

    def _compute_stripe_checkout_refused_count(self):
        refusals_sudo = self.env['stripe.webhook.refusal'].sudo()  # Readable by nobody, counted.
        counts = refusals_sudo._count_since(self, fields.Datetime.now() - timedelta(days=7))
        for provider in self:
            provider.stripe_checkout_refused_count = counts.get(provider, 0)

    # === CHECK === #

    @api.model
    def _cron_stripe_checkout_check_webhook(self):
        """Compare each connection with what Stripe says, and tell billing admins of trouble."""
        providers = self.search([('code', '=', PROVIDER_CODE)])
        for number, provider in enumerate(providers, start=1):
            try:
                # An event that arrives meanwhile writes the connection, too: then once more.
                retrying(provider._stripe_checkout_check_regularly, self.env)
            except (stripe.StripeError, UserError, psycopg2.OperationalError) as error:
                self.env.cr.rollback()
                _logger.warning(
                    "Provider %s could not be checked: %s", provider.id, utils.redact(str(error))
                )
            self.env['ir.cron']._commit_progress(1, remaining=len(providers) - number)

    def _stripe_checkout_check_regularly(self):
        """Check one connection, and send a probe where nothing has arrived lately."""
        if not self._stripe_checkout_is_connected():
            return
        self._stripe_checkout_check_health()
        if self._stripe_checkout_is_provable() and self._stripe_checkout_is_quiet():
            self._stripe_checkout_send_probe(commit=True)

    def _stripe_checkout_is_provable(self):
        """Tell whether a probe can show more than what Stripe has answered already.

        :rtype: bool
        """
        return bool(self.stripe_checkout_endpoint_id) and (
            self.stripe_checkout_problem not in ('key', 'permission', 'unreachable')
        )

    def _stripe_checkout_is_quiet(self):
        """Tell whether no event arrived lately, and no probe is under way.

        A probe that Stripe refused is sent again, whatever arrives.

        :rtype: bool
        """
        if self.stripe_checkout_problem == 'pages':
            return True
        since = fields.Datetime.now() - QUIET
        return not any(
            moment and moment > since
            for moment in (
                self._stripe_checkout_get_last_delivery(),
                self.stripe_checkout_probed_at,
            )
        )

    def _stripe_checkout_get_last_delivery(self):
        """Return when the current endpoint last delivered an event.

        What arrives before it is confirmed comes from the former one, and proves nothing of it.

        :rtype: datetime|False
        """
        return self.stripe_checkout_confirmed_at and self.stripe_checkout_last_event_at

    def _stripe_checkout_check_health(self):
        """Ask Stripe how the connection is, and keep the answer."""
        self.ensure_one()
        self.invalidate_recordset(['stripe_checkout_last_event_at'])
        problem, detail = self._stripe_checkout_find_problem()
        self.stripe_checkout_checked_at = fields.Datetime.now()
        self._stripe_checkout_keep_health(problem, detail)

    def _stripe_checkout_keep_health(self, problem, detail=False):
        """Keep a state of health, and see to the to-do.

        :param str|None problem: The problem, None if there is none.
        :param str detail: What belongs into its message.
        """
        confirmed = bool(self.stripe_checkout_confirmed_at)
        self.write(self._stripe_checkout_prepare_health(problem, detail, confirmed))
        self._stripe_checkout_follow_up_health()

    def _stripe_checkout_prepare_health(self, problem, detail=False, confirmed=False):
        """Prepare the values of a state of health.

        :param str|None problem: The problem, None if there is none.
        :param str detail: What belongs into its message.
        :param bool confirmed: Whether an event arrived since the endpoint was registered.
        :rtype: dict
        """
        state = 'warning' if problem else 'confirmed' if confirmed else 'pending'
        return {
            'stripe_checkout_webhook_state': state,
            'stripe_checkout_problem': problem or False,
            'stripe_checkout_problem_detail': detail or False,
        }

    def _stripe_checkout_is_cured_by_delivery(self):
        """Tell whether an event that arrives proves that the webhook is well.

        :rtype: bool
        """
        return self.stripe_checkout_webhook_state == 'pending' or (
            self.stripe_checkout_webhook_state == 'warning'
            and self.stripe_checkout_problem in CURED_BY_DELIVERY
        )

    # === ACTIONS === #

    def action_stripe_checkout_test_connection(self):
        """Ask Stripe how the connection is, and have it send an event.

        :return: A notification, which says what is wrong if something is.
        :rtype: dict
        """
        self.ensure_one()
        self._stripe_checkout_check_manageable()
        provider_sudo = self.sudo()  # Billing admins cannot read the key.
        provider_sudo._stripe_checkout_check_health()
        if provider_sudo._stripe_checkout_is_provable():
            provider_sudo._stripe_checkout_send_probe()
        if provider_sudo.stripe_checkout_problem:
            return self._stripe_checkout_notify(self._stripe_checkout_describe_problem(), 'danger')
        return self._stripe_checkout_notify(
            self.env._(
                "Stripe answers, in %(mode)s mode. It was asked to send an event, which shows here "
                "when it arrives.",
                mode=provider_sudo._stripe_checkout_get_mode(),
            )
        )
