"""Payouts: what leaves the balance for the bank, by itself or when asked for.

Source: https://docs.stripe.com/payouts and the types of the SDK.
"""

import stripe

from . import currencies
from .bookkeeping import total
from .errors import ApiError, StandInError, invalid
from .ids import random_text
from .sdk import shape

DAY = 24 * 3600
HOURS_UNTIL_RECONCILED = 1
HOURS_UNTIL_SENT = 12
DAYS_UNTIL_ARRIVED = 2
# https://docs.stripe.com/api/payouts/failures
FAILURES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "could_not_process": "The bank could not process this payout.",
    "declined": "The bank has declined this payout.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "invalid_account_number": "The routing number seems correct, but the account number is not.",
    "no_account": "The bank account could not be located.",
}
DESCRIPTION = "STRIPE PAYOUT"


class Payouts:
    """Makes payouts and plays what the bank does with them; all under the stand-in's lock.

    :param world: the stand-in.
    """

    def __init__(self, world):
        self.world = world

    def gather(self, account, currency):
        """Pay out all that is available and was not paid out yet, as the schedule does.

        :param currency: of the balance.
        :return: the payout, None if there is nothing to pay out.
        """
        gathered = [
            transaction
            for transaction in account.store.newest_first("balance_transaction")
            if transaction["currency"] == currency
            and transaction["status"] == "available"
            and "payout" not in account.store.private[transaction["id"]]
        ]
        amount = sum(transaction["net"] for transaction in gathered)
        if amount <= 0:
            return None
        payout = self._make(account, amount, currency, automatic=True, description=DESCRIPTION)
        own = account.store.find(payout["balance_transaction"])
        for transaction in (*gathered, own):
            account.store.private[transaction["id"]]["payout"] = payout["id"]
        self._created(account, payout)
        due = payout["created"] + HOURS_UNTIL_RECONCILED * 3600
        self.world.clock.at(due, lambda: self.reconcile(account, payout))
        return payout

    def request(self, account, amount, currency, cause=None, **values):
        """Pay out an amount that somebody asked for.

        :param amount: in minor units.
        :param values: ``description``, ``metadata`` and ``statement_descriptor``.
        :return: the payout.
        :raise ApiError: 400 ``balance_insufficient``.
        """
        available = total(account, "available", currency)
        if amount > available:
            raise ApiError(
                "You have insufficient funds in your Stripe account for this transfer. Your"
                f" available balance is {currencies.display(available, currency)}. You can use"
                " the /v1/balance endpoint to view your Stripe balance (for more details, see"
                " stripe.com/docs/api#balance).",
                code="balance_insufficient",
            )
        payout = self._make(account, amount, currency, automatic=False, **values)
        self._created(account, payout, cause)
        return payout

    def _make(self, account, amount, currency, *, automatic, metadata=None, **values):
        now = self.world.clock.now()
        payout = shape(
            stripe.Payout,
            **values,
            id="po_1" + random_text(23),
            object="payout",
            amount=amount,
            arrival_date=(now // DAY + DAYS_UNTIL_ARRIVED) * DAY,
            automatic=automatic,
            created=now,
            currency=currency,
            destination=bank_account(account, currency)["id"],
            livemode=False,
            metadata=metadata or {},
            method="standard",
            reconciliation_status="in_progress" if automatic else "not_applicable",
            source_type="card",
            status="pending",
            trace_id={"status": "pending", "value": None},
            type="bank_account",
        )
        account.store.add(payout)
        transaction = self.world.bookkeeping.add(
            account,
            amount=-amount,
            currency=currency,
            type="payout",
            reporting_category="payout",
            source=payout["id"],
            description=payout["description"] or DESCRIPTION,
        )
        payout["balance_transaction"] = transaction["id"]
        return payout

    def _created(self, account, payout, cause=None):
        self._emit(account, "created", payout, cause)

        def send():
            if payout["status"] == "pending":
                self.send(account, payout)

        def arrive():
            if payout["status"] == "in_transit":
                self.settle(account, payout)

        clock = self.world.clock
        clock.at(payout["created"] + HOURS_UNTIL_SENT * 3600, send)
        clock.at(payout["arrival_date"], arrive)

    def reconcile(self, account, payout):
        """Finish the list of an automatic payout's balance transactions; once."""
        if payout["reconciliation_status"] == "in_progress":
            payout["reconciliation_status"] = "completed"
            self._emit(account, "reconciliation_completed", payout)

    def send(self, account, payout):
        """Hand the payout to the bank.

        :raise StandInError: if it is not pending.
        """
        self._must_be(payout, "pending")
        self._change(account, payout, None, status="in_transit")

    def settle(self, account, payout):
        """The money has arrived; what comes before that happens first.

        :raise StandInError: if the payout was paid, has failed or was cancelled.
        """
        self._must_be(payout, "pending", "in_transit")
        self.reconcile(account, payout)
        if payout["status"] == "pending":
            self.send(account, payout)
        trace = {"status": "supported", "value": random_text(12).upper()}
        self._change(account, payout, "paid", status="paid", trace_id=trace)

    def fail(self, account, payout, code="account_closed"):
        """The bank sends the money back, maybe days after the payout was paid.

        :param code: one of :data:`FAILURES`.
        :raise StandInError: if the payout has failed or was cancelled before.
        :raise ValueError: for an unknown code.
        """
        if code not in FAILURES:
            raise ValueError(f"Unknown failure: {code}. Known: {', '.join(FAILURES)}.")
        self._must_be(payout, "pending", "in_transit", "paid")
        self._give_back(
            account,
            payout,
            "failed",
            "payout_failure",
            failure_code=code,
            failure_message=FAILURES[code],
        )

    def cancel(self, account, payout, cause=None):
        """Take back a payout that was asked for and has not left yet.

        :raise ApiError: 400 for any other one.
        """
        if payout["automatic"]:
            raise invalid("Automatic payouts cannot be canceled.")
        if payout["status"] != "pending":
            raise invalid("Payouts can only be canceled while they are pending.")
        self._give_back(account, payout, "canceled", "payout_cancel", cause)

    def _give_back(self, account, payout, status, type, cause=None, **values):
        returned = self.world.bookkeeping.give_back(
            account,
            account.store.find(payout["balance_transaction"]),
            type=type,
            reporting_category="payout_reversal",
            description=f"{DESCRIPTION} {status.upper()}",
        )
        self._change(
            account,
            payout,
            status,
            cause,
            status=status,
            failure_balance_transaction=returned["id"],
            **values,
        )

    def update(self, account, payout, metadata, cause=None):
        """Change the metadata, which is all that can be changed."""
        self._change(account, payout, None, cause, metadata=metadata)

    def _change(self, account, payout, what, cause=None, **values):
        previous = {name: payout[name] for name in values}
        payout.update(values)
        self._emit(account, "updated", payout, cause, previous)
        if what:
            self._emit(account, what, payout, cause)

    @staticmethod
    def _must_be(payout, *statuses):
        if payout["status"] not in statuses:
            raise StandInError(f"This payout is {payout['status']}.")

    def _emit(self, account, what, payout, cause=None, previous=None):
        self.world.events.emit(account, f"payout.{what}", payout, cause=cause, previous=previous)


def bank_account(account, currency):
    """Return the bank account that payouts in a currency go to; the first call makes it."""
    for known in account.store.newest_first("bank_account"):
        if known["currency"] == currency:
            return known
    return account.store.add(
        shape(
            stripe.BankAccount,
            omit=("customer", "deleted", "future_requirements", "requirements"),
            id="ba_1" + random_text(23),
            object="bank_account",
            account=account.id,
            account_holder_name=account.display_name,
            account_holder_type="company",
            available_payout_methods=["standard"],
            bank_name="STRIPE TEST BANK",
            country=account.country,
            currency=currency,
            default_for_currency=True,
            fingerprint=random_text(16),
            last4="6789",
            metadata={},
            routing_number="110000000",
            status="new",
        )
    )
