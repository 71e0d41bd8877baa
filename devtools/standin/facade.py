"""The stand-in as Python sees it."""

import threading

from . import auth
from .accounts import Accounts
from .api import Api
from .bookkeeping import Bookkeeping
from .calls import CallLog
from .clock import Clock
from .deliveries import Deliveries
from .disputes import Disputes
from .events import Events
from .facade_money import Money
from .faults import Faults
from .idempotency import Idempotency
from .ids import random_text
from .payer import Payer
from .payouts import Payouts
from .refunds import Refunds
from .resources import INCLUDED, ROUTERS
from .server import Server


class StandIn(Money):
    """A stand-in for Stripe: API, hosted Checkout page and webhook deliveries.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`.

    :param host: address to listen on; nothing but this machine should reach it.
    :param port: port, 0 for a free one.
    """

    def __init__(self, host="127.0.0.1", port=0):
        self.lock = threading.RLock()
        self.clock = Clock(self.lock)
        self.accounts = Accounts()
        self.accounts.default.created = self.clock.now()
        self.calls = CallLog()
        self.faults = Faults()
        self.idempotency = Idempotency(self.clock)
        self.events = Events(self)
        self.deliveries = Deliveries(self)
        self.bookkeeping = Bookkeeping(self)
        self.payer = Payer(self)
        self.refunds = Refunds(self)
        self.disputes = Disputes(self)
        self.payouts = Payouts(self)
        self.api = Api(self, ROUTERS, INCLUDED)
        self._server = Server(self, host, port)

    # Life

    @property
    def url(self):
        """Return the address, such as ``http://127.0.0.1:8765``; known before the start."""
        return self._server.url

    def start(self):
        """Serve from threads of its own.

        :return: the stand-in itself.
        """
        self._server.start()
        self.clock.start()
        return self

    def stop(self):
        """End all threads and connections; the object cannot be started again."""
        self.faults.clear()
        self.clock.stop()
        self.deliveries.queue.stop()
        self._server.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_error):
        self.stop()

    def reset(self):
        """Forget everything but the default account's id and keys."""
        with self.lock:
            self.clock.reset()
            self.accounts.reset()
            self.account.created = self.clock.now()
            self.calls.clear()
            self.faults.clear()
            self.events.duplicate = False
            self.bookkeeping.reset()
            self.deliveries.reset()

    # Accounts

    @property
    def account(self):
        """Return the default account."""
        return self.accounts.default

    def add_account(self, **settings):
        """Make another account; the settings are those of :class:`accounts.Account`."""
        with self.lock:
            return self.accounts.add(created=self.clock.now(), **settings)

    def add_restricted_key(self, permissions=None, account=None, without=()):
        """Make a restricted key.

        :param permissions: such as ``{"rak_checkout_session_write", "rak_webhook_write"}``; all
            that the stand-in knows if None.
        :param account: the default account if None.
        :param without: permissions to leave out, such as ``{"rak_accounts_kyc_basic_read"}``.
        :return: the key.
        """
        if permissions is None:
            permissions = self.api.permissions
        return auth.add_restricted_key(account or self.account, permissions, without)

    # The payer

    def pay(self, session_id, method="card", outcome="success", amount=None, email=None):
        """Do what a payer does on the hosted page.

        :param method: ``card``, ``us_bank_account``, or another method the session offers.
        :param outcome: ``success``, ``decline``, or a decline code of a card.
        :param amount: captured instead of the session's total, in minor units.
        :param email: of the payer, where the session does not name it.
        :return: the session as a dict.
        :raise CheckoutError: if the session cannot be paid this way.
        """
        decline = None if outcome == "success" else outcome
        decline = "generic_decline" if decline == "decline" else decline
        self.payer.confirm(session_id, method, decline, amount, email)
        return self.session(session_id)

    def settle_debit(self, session_id):
        """Let the bank pay a debit that is under way; return the session."""
        self.payer.settle_debit(session_id)
        return self.session(session_id)

    def fail_debit(self, session_id):
        """Let the bank refuse a debit that is under way; return the session."""
        self.payer.fail_debit(session_id)
        return self.session(session_id)

    def fail_debit_late(self, session_id):
        """Let a debit fail that had succeeded, without a dispute; return the session."""
        self.payer.fail_late(session_id)
        return self.session(session_id)

    def cancel(self, session_id):
        """Return where "Cancel" leads, None without a ``cancel_url``; nothing changes."""
        return self.payer.find(session_id)[1]["cancel_url"]

    def session(self, session_id):
        """Return a copy of a session as the API shows it.

        :raise CheckoutError: if there is none.
        """
        with self.lock:
            account, session = self.payer.find(session_id)
            return account.store.snapshot(session)

    def make_balance_transactions(self):
        """Book every charge that waits for its balance transaction; return those made."""
        return self.bookkeeping.book_all()

    @property
    def balance_transaction_delay(self):
        """Return the seconds between a charge and its balance transaction, None for "by hand"."""
        return self.bookkeeping.delay

    @balance_transaction_delay.setter
    def balance_transaction_delay(self, seconds):
        self.bookkeeping.delay = seconds

    # Time

    def advance(self, seconds):
        """Move the stand-in's clock forward; what falls due happens before this returns.

        :return: the new time in seconds since 1970.
        """
        return self.clock.advance(seconds)

    def expire_due(self):
        """Expire sessions and book charges whose time has come."""
        self.clock.run_due()

    # Webhook endpoints

    def _endpoint(self, endpoint_id):
        for account in self.accounts:
            endpoint = account.store.get("webhook_endpoint", endpoint_id)
            if endpoint:
                return account, endpoint
        raise ValueError(f"No such webhook endpoint: {endpoint_id}")

    def disable_endpoint(self, endpoint_id):
        """Disable an endpoint, as Stripe does after lasting failure.

        :raise ValueError: if there is none with this id.
        """
        with self.lock:
            self._endpoint(endpoint_id)[1]["status"] = "disabled"

    def roll_secret(self, endpoint_id):
        """Roll a secret as the Dashboard does: both are signed with until ``double_sign(None)``.

        :return: the new secret.
        :raise ValueError: if there is no endpoint with this id.
        """
        with self.lock:
            account, endpoint = self._endpoint(endpoint_id)
            private = account.store.private[endpoint["id"]]
            self.deliveries.double_sign(private["secret"])
            private["secret"] = "whsec_" + random_text(32)
            return private["secret"]

    def wait_idle(self, timeout=30.0):
        """Wait until no delivery is queued or under way; return whether that came true."""
        return self.deliveries.wait_idle(timeout)
