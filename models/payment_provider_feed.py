"""The feed: every movement of Stripe's balance, read in pages from where the last run stopped."""

import logging
from datetime import timedelta

import stripe
from psycopg2.extensions import TransactionRollbackError

from odoo import api, fields, models

from .. import balance_facts, const, utils
from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

PAGES_PER_RUN = 5
PAGE_SIZE = 100

# Stripe shows some movements a while after the time that they bear.
OVERLAP = timedelta(hours=1)

# The balance and its newest movement are read one after the other: they must fit together.
OPENING_ATTEMPTS = 3

# Longer than that without a run that succeeds, and staff are told.
FEED_PATIENCE = timedelta(days=1)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_feed = fields.Json(
        string="Balance Read Up To",
        help="For each account: since when its movements are read, where the last run stopped, and "
        "the balance to begin with.",
        readonly=True,
        copy=False,
    )
    stripe_checkout_feed_error = fields.Char(string="Feed Error", readonly=True, copy=False)
    stripe_checkout_feed_failed_at = fields.Datetime(
        help="Since when each run of the feed has failed.", readonly=True, copy=False
    )
    stripe_checkout_fed_at = fields.Datetime(string="Balance Read On", readonly=True, copy=False)

    # === CRON === #

    @api.model
    def _cron_stripe_checkout_feed(self):
        """Read and book what moved on the balances, each connection for itself."""
        for provider in self.search([('code', '=', PROVIDER_CODE)]):
            if not provider.journal_id:
                continue
            if not provider.with_company(provider.company_id)._stripe_checkout_run_feed():
                self._stripe_checkout_wake_feed()
                return

    @api.model
    def _stripe_checkout_wake_feed(self):
        """Have the feed run as soon as this transaction is committed."""
        cron = self.env.ref('payment_stripe_checkout.ir_cron_feed', raise_if_not_found=False)
        if cron:
            cron.sudo()._trigger(at=self.env['stripe.event']._get_now())

    def _stripe_checkout_run_feed(self):
        """Read the movements of one balance, then book what can be booked.

        What was read before Stripe was disconnected is booked all the same, such as the fees of the
        last day.

        :return: Whether there is time left.
        :rtype: bool
        """
        self.ensure_one()
        rows_sudo = self.env['stripe.balance.transaction'].sudo()
        is_connected = self._stripe_checkout_is_connected()
        if is_connected:
            self._stripe_checkout_try_feed(self._stripe_checkout_read_balance)
        if not self.env['ir.cron']._commit_progress(1):
            return False
        goes_on = self._stripe_checkout_try_feed(lambda: rows_sudo._book_pending(self))
        if is_connected:
            self._stripe_checkout_try_feed(lambda: rows_sudo._follow_up(self))
        if self.stripe_checkout_feed_failed_at and not self.stripe_checkout_feed_error:
            self.stripe_checkout_feed_failed_at = False
        return bool(self.env['ir.cron']._commit_progress()) and goes_on is not False

    def _stripe_checkout_try_feed(self, step):
        """Take one step of the feed; what fails is tried again in the next run.

        :param callable step: The step.
        :return: What the step returned; None if it failed.
        """
        error_before = self.stripe_checkout_feed_error
        try:
            result = step()
            if error_before and step == self._stripe_checkout_read_balance:
                self.stripe_checkout_feed_error = False
            self.env.flush_all()
        except TransactionRollbackError:
            self.env.cr.rollback()  # Another transaction was faster.
            return None
        except Exception as error:
            self.env.cr.rollback()
            # A database's second line has values of the row that it refused.
            message = utils.redact(str(error)).partition('\n')[0]
            if isinstance(error, stripe.StripeError):
                _logger.warning(
                    "The balance of provider %s could not be read: %s", self.id, message
                )
                message = self._stripe_checkout_describe_error(error)
            else:
                _logger.exception("The balance of provider %s could not be booked", self.id)
            self._stripe_checkout_note_feed_error(message)
            return None
        return result

    def _stripe_checkout_note_feed_error(self, message):
        """Keep why a step failed, unless somebody else writes the connection right now.

        :param str message: The message, without any secret.
        """
        try:
            self.stripe_checkout_feed_error = message
            if not self.stripe_checkout_feed_failed_at:
                self.stripe_checkout_feed_failed_at = fields.Datetime.now()
            self.env.flush_all()
        except TransactionRollbackError:
            self.env.cr.rollback()  # If it is still so, the next run tells.

    def _stripe_checkout_is_feed_behind(self):
        """Tell whether no run of the feed has succeeded for a day.

        :rtype: bool
        """
        self.ensure_one()
        if not self.journal_id:
            return False  # Nothing is read then, and the payments themselves say so.
        now = fields.Datetime.now()
        begun = self.stripe_checkout_connected_at or now
        since = min(
            self.stripe_checkout_fed_at or begun, self.stripe_checkout_feed_failed_at or now
        )
        return max(since, begun) < now - FEED_PATIENCE

    # === READING === #

    def _stripe_checkout_get_account_ref(self):
        """Return what tells one Stripe balance from another: the mode and the account.

        :rtype: str
        """
        self.ensure_one()
        return f'{self._stripe_checkout_get_mode()}:{self.stripe_checkout_account_id or ""}'

    def _stripe_checkout_read_balance(self):
        """Store the movements since the last run: a few pages, the newest first.

        A run that cannot read all goes on in the next one where it stopped; once the oldest is
        reached, the following run begins at the newest again.

        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        self.ensure_one()
        rows_sudo = self.env['stripe.balance.transaction'].sudo()
        account_ref = self._stripe_checkout_get_account_ref()
        state = (self.stripe_checkout_feed or {}).get(account_ref)
        if not state:
            state = self._stripe_checkout_take_feed_over() or self._stripe_checkout_begin_feed()
        cursor = state.get('cursor')
        for _page in range(PAGES_PER_RUN):
            page = self._stripe_checkout_list_movements(state['since'], cursor)
            movements = page['data']
            if movements and not cursor:
                state['newest'] = movements[0]['created']
            self._stripe_checkout_store_movements(movements)
            cursor = movements[-1]['id'] if page['has_more'] else None
            if not cursor:
                break
        state['cursor'] = cursor
        if cursor:
            self._stripe_checkout_wake_feed()
        else:
            if state.get('opening') is not None:
                rows_sudo._store_opening(self, state.pop('opening'))
            newest = state.pop('newest', None)
            if newest:
                state['since'] = max(state['since'], newest - int(OVERLAP.total_seconds()))
            self.stripe_checkout_fed_at = fields.Datetime.now()
            rows_sudo._list_payouts(self)
        self.stripe_checkout_feed = {**(self.stripe_checkout_feed or {}), account_ref: state}

    def _stripe_checkout_take_feed_over(self):
        """Go on with this balance where it was read under another name.

        A restricted key need not tell its account: what is `test:` with one key is `test:acct_…`
        with the next.

        :return: The state of the feed; None for a balance that was not read before.
        :rtype: dict|None
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        account_ref = self._stripe_checkout_get_account_ref()
        feed = dict(self.stripe_checkout_feed or {})
        former_ref = next(filter(self._stripe_checkout_is_same_balance, feed), None)
        if not former_ref:
            return None
        self._stripe_checkout_get_rows(former_ref).account_ref = account_ref
        feed[account_ref] = feed.pop(former_ref)
        self.stripe_checkout_feed = feed
        return feed[account_ref]

    def _stripe_checkout_get_rows(self, account_ref):
        """Return the stored movements of a balance, the newest first."""
        rows_sudo = self.env['stripe.balance.transaction'].sudo()
        return rows_sudo.search(
            [('provider_id', '=', self.id), ('account_ref', '=', account_ref)], order='id desc'
        )

    def _stripe_checkout_is_same_balance(self, former_ref):
        """Tell whether a balance that was read before is that of the key.

        A movement of it that the key can read proves that.

        :param str former_ref: What the balance was called, see `_stripe_checkout_get_account_ref`.
        :rtype: bool
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        nameless = f'{self._stripe_checkout_get_mode()}:'
        names = (former_ref, self._stripe_checkout_get_account_ref())
        if nameless not in names or not former_ref.startswith(nameless):
            return False  # Two names are two accounts, and two modes are two balances.
        movement = self._stripe_checkout_find_movement(former_ref)
        if not movement:
            return False
        try:
            self._stripe_checkout_get_client().v1.balance_transactions.retrieve(movement)
        except stripe.InvalidRequestError:
            return False
        return True

    def _stripe_checkout_find_movement(self, account_ref):
        """Find a movement that only one balance holds.

        :param str account_ref: The balance, see `_stripe_checkout_get_account_ref`.
        :return: Stripe's id of it, nothing if none is known.
        :rtype: str|None
        """
        rows = self._stripe_checkout_get_rows(account_ref)
        state = (self.stripe_checkout_feed or {}).get(account_ref) or {}
        return rows.filtered(lambda row: row.kind != 'opening')[:1].stripe_id or state.get('proof')

    def _stripe_checkout_begin_feed(self):
        """Take the balance to begin with, and the newest movement that it holds.

        Stripe has no balance of the past: that at connect is today's, less what has moved since,
        which is known once all of that is read.

        :return: The state of the feed.
        :rtype: dict
        :raise stripe.StripeError: If Stripe cannot be asked.
        """
        v1 = self._stripe_checkout_get_client().v1
        newest = v1.balance_transactions.list({'limit': 1}).to_dict()['data']
        for _attempt in range(OPENING_ATTEMPTS):
            totals = balance_facts.read_totals(v1.balance.retrieve().to_dict())
            before, newest = newest, v1.balance_transactions.list({'limit': 1}).to_dict()['data']
            if [row['id'] for row in before] == [row['id'] for row in newest]:
                break
        since = utils.to_timestamp(self.stripe_checkout_connected_at or fields.Datetime.now())
        if not newest or newest[0]['created'] < since:
            self.env['stripe.balance.transaction'].sudo()._store_opening(self, totals)
            # By Stripe's clock: with ours ahead, what moves first would be older than `since`.
            if newest:
                return {'since': newest[0]['created'] + 1, 'proof': newest[0]['id']}
            return {'since': since - int(OVERLAP.total_seconds()), 'proof': None}
        # Reading begins after it: what moves from now on is not in the balance just taken.
        [movement] = newest
        expanded = v1.balance_transactions.retrieve(movement['id'], {'expand': ['source']})
        self._stripe_checkout_store_movements([expanded.to_dict()])
        return {
            'since': since,
            'opening': totals,
            'cursor': movement['id'],
            'newest': movement['created'],
        }

    def _stripe_checkout_list_movements(self, since, cursor):
        """Read one page of movements, with what caused each."""
        parameters = {
            'created': {'gte': since},
            'limit': PAGE_SIZE,
            'expand': ['data.source'],
        }
        if cursor:
            parameters['starting_after'] = cursor
        client = self._stripe_checkout_get_client()
        return client.v1.balance_transactions.list(parameters).to_dict()

    def _stripe_checkout_store_movements(self, movements):
        """Store movements that are not known yet, the oldest first.

        :param list[dict] movements: Stripe's balance transactions, the newest first.
        """
        rows_sudo = self.env['stripe.balance.transaction'].sudo()
        rows_sudo._store(
            self,
            [
                {
                    **balance_facts.read_transaction(movement),
                    'is_ours': self._stripe_checkout_is_source_ours(movement.get('source')),
                }
                for movement in reversed(movements)
            ],
        )

    def _stripe_checkout_is_source_ours(self, source):
        """Tell whether what moved the balance was made by this database, or pays a session that is
        open here.

        What was under way when a backup was made names another database once that is restored. Its
        PaymentIntent is not known before the session is settled.

        :param dict|str|None source: Stripe's object, with its metadata.
        :rtype: bool
        """
        if self._stripe_checkout_is_ours(source):
            return True
        metadata = (source.get('metadata') if isinstance(source, dict) else None) or {}
        if metadata.get(const.METADATA_PROVIDER) != str(self.id):
            return False
        transactions_sudo = self.env['payment.transaction'].sudo()
        return bool(
            transactions_sudo.search_count(
                [
                    ('provider_id', '=', self.id),
                    ('reference', '=', metadata.get(const.METADATA_TRANSACTION)),
                    ('state', '=', 'draft'),
                ],
                limit=1,
            )
        )
