"""Balance transactions: every movement of an account's balance, and the sums of them.

A charge gets its own some time after it was made, a bank debit while it is under way, and its money
is available some days later. One that fails gets a second one, which undoes the first.
Every other movement is booked when it happens and counts as available at once.
"""

from decimal import ROUND_HALF_UP, Decimal

import stripe

from . import currencies
from .ids import random_text
from .sdk import shape

DAY = 24 * 3600
DAYS_UNTIL_AVAILABLE = 2
DAYS_UNTIL_DEBIT_AVAILABLE = 5
DEFAULT_DELAY = 2.0
# Stripe's fixed part of a card fee, in hundredths of the main unit.
FIXED_FEE = 30
DEBIT_PERCENT = "0.8"
DEBIT_FEE_CAP = 500
PROCESSING_FEE = "Stripe processing fees"


class Bookkeeping:
    """Books charges onto the balance.

    :param world: the stand-in.

    ``delay`` is the number of seconds between a charge and its balance transaction, None for
    "only when :meth:`book_all` is called".
    """

    def __init__(self, world):
        self.world = world
        self.reset()

    def reset(self):
        """Return to the default delay and forget what waits."""
        self.delay = DEFAULT_DELAY
        self._waiting = []

    def book_later(self, account, charge):
        """Book a charge once the delay has passed, unless it is booked or will be."""
        if charge["balance_transaction"] or (account, charge) in self._waiting:
            return
        self._waiting.append((account, charge))
        if self.delay is not None:
            due = self.world.clock.time() + self.delay
            self.world.clock.at(due, lambda: self._book(account, charge))

    def book_all(self):
        """Book every charge that waits, now.

        :return: the balance transactions made.
        """
        with self.world.lock:
            return [self._book(account, charge) for account, charge in list(self._waiting)]

    def book_now(self, account, charge):
        """Book a charge before its time, since money can only leave once it has come."""
        self._book(account, charge)

    def take_back(self, account, charge):
        """Undo the movement of a charge that has failed, if it has one, and its fee."""
        if (account, charge) in self._waiting:
            self._waiting.remove((account, charge))
        if charge["balance_transaction"] is None:
            return
        booked = account.store.find(charge["balance_transaction"])
        returned = self.give_back(
            account,
            booked,
            type="payment_failure_refund",
            reporting_category="charge_failure",
            description="Payment failure refund",
            fee=-booked["fee"],
            available_after=max(0, booked["available_on"] - self.world.clock.now()),
        )
        charge["failure_balance_transaction"] = returned["id"]

    def _book(self, account, charge):
        if (account, charge) not in self._waiting:
            return None
        self._waiting.remove((account, charge))
        by_card = charge["payment_method_details"]["type"] == "card"
        days = DAYS_UNTIL_AVAILABLE if by_card else DAYS_UNTIL_DEBIT_AVAILABLE
        transaction = self.add(
            account,
            amount=account.converted(charge["amount"], charge["currency"]),
            currency=account.settlement_currency(charge["currency"]),
            fee=self._fee(account, charge),
            type="charge" if charge["id"].startswith("ch_") else "payment",
            reporting_category="charge",
            source=charge["id"],
            description=charge["description"],
            exchange_rate=account.exchange_rate(charge["currency"]),
            available_after=days * DAY,
        )
        charge["balance_transaction"] = transaction["id"]
        self.world.events.emit(
            account, "charge.updated", charge, previous={"balance_transaction": None}
        )
        return transaction

    def add(
        self,
        account,
        *,
        amount,
        currency,
        type,
        reporting_category,
        source,
        fee=0,
        fee_description=PROCESSING_FEE,
        available_after=0,
        **values,
    ):
        """Add a movement to an account's balance.

        :param amount: in minor units, negative for money that leaves.
        :param currency: of the balance, not of the payment.
        :param fee: Stripe's fee, in minor units of the same currency; negative for one given back.
        :param type: such as ``charge``, ``payout`` or ``stripe_fee``.
        :param source: id of the object that caused it, or None.
        :param available_after: seconds until it counts as available.
        :param values: further fields.
        :return: the balance transaction.
        """
        now = self.world.clock.now()
        available_on = now + available_after
        transaction = shape(
            stripe.BalanceTransaction,
            **values,
            id="txn_3" + random_text(23),
            object="balance_transaction",
            amount=amount,
            available_on=available_on,
            balance_type="payments",
            created=now,
            currency=currency,
            fee=fee,
            fee_details=_fee_details(fee, currency, fee_description),
            net=amount - fee,
            reporting_category=reporting_category,
            source=source,
            status="pending" if available_after else "available",
            type=type,
        )
        account.store.add(transaction)
        if available_after:
            self.world.clock.at(available_on, lambda: transaction.update(status="available"))
        return transaction

    def give_back(self, account, transaction, *, type, reporting_category, **values):
        """Undo a movement by one that is its opposite, to the unit.

        :param transaction: what took the money.
        :param type: such as ``refund_failure``.
        :param values: fields that differ from those of the first movement.
        :return: the new balance transaction.
        """
        kept = {name: transaction[name] for name in ("currency", "source", "exchange_rate")}
        return self.add(
            account,
            **{**kept, "amount": -transaction["amount"], **values},
            type=type,
            reporting_category=reporting_category,
        )

    @staticmethod
    def _fee(account, charge):
        """Return the fee in minor units of the settlement currency."""
        currency = account.settlement_currency(charge["currency"])
        amount = account.converted(charge["amount"], charge["currency"])
        unit = Decimal(10) ** currencies.decimals(currency)
        if charge["payment_method_details"]["type"] == "card":
            fee = amount * Decimal(account.fee_percent) / 100 + unit * FIXED_FEE / 100
        else:
            fee = min(amount * Decimal(DEBIT_PERCENT) / 100, unit * DEBIT_FEE_CAP / 100)
        step = currencies.smallest_step(currency)
        return int((fee / step).quantize(Decimal(1), ROUND_HALF_UP)) * step


def total(account, status, currency):
    """Return the sum of the balance transactions of a status, in minor units.

    :param status: ``available`` or ``pending``.
    """
    return sum(
        transaction["net"]
        for transaction in account.store.newest_first("balance_transaction")
        if transaction["status"] == status and transaction["currency"] == currency
    )


def _fee_details(fee, currency, description):
    if not fee:
        return []
    return [
        {
            "amount": fee,
            "application": None,
            "currency": currency,
            "description": description,
            "type": "stripe_fee",
        }
    ]
