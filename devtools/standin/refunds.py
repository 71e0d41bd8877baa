"""Refunds: money that goes back to the payer, and what may become of it on the way.

Source: https://docs.stripe.com/refunds and the types of the SDK.
"""

import stripe

from . import currencies
from .errors import ApiError, StandInError, invalid
from .ids import random_text
from .sdk import shape

BEGINNINGS = ("succeeded", "pending", "requires_action")
FAILURES = (
    "charge_for_pending_refund_disputed",
    "declined",
    "expired_or_canceled_card",
    "insufficient_funds",
    "lost_or_stolen_card",
    "merchant_request",
    "unknown",
)
# Stripe leaves these out of a refund until they say something.
OMITTED = (
    "description",
    "failure_balance_transaction",
    "failure_reason",
    "instructions_email",
    "next_action",
    "pending_reason",
    "presentment_details",
)


class Refunds:
    """Makes refunds and plays what banks do with them; all under the stand-in's lock.

    :param world: the stand-in.
    """

    def __init__(self, world):
        self.world = world

    def make(self, account, charge, amount=None, *, reason=None, metadata=None, cause=None):
        """Refund a charge; the money leaves the balance at once.

        :param amount: in minor units of the charge; all that is left of it if None.
        :param reason: ``duplicate``, ``fraudulent``, ``requested_by_customer`` or None.
        :param cause: see :meth:`events.Events.emit`.
        :return: the refund.
        :raise ApiError: 400 if the charge cannot be refunded by this amount.
        """
        self._check(account, charge, amount)
        if charge["balance_transaction"] is None:
            self.world.bookkeeping.book_now(account, charge)
        if amount is None:
            amount = charge["amount"] - charge["amount_refunded"]
        refund = self._shape(account, charge, amount, reason, metadata or {})
        account.store.add(refund)
        refund["balance_transaction"] = self._withdraw(account, charge, refund)["id"]
        self._count(charge, amount)
        self._emit(account, "refund.created", refund, cause)
        self._emit(account, "charge.refunded", charge, cause)
        return refund

    @staticmethod
    def _check(account, charge, amount):
        currency, left = charge["currency"], charge["amount"] - charge["amount_refunded"]
        if charge["status"] != "succeeded":
            raise invalid(
                f"Charge {charge['id']} has not succeeded and cannot be refunded.",
                code="charge_not_refundable",
            )
        if any(
            dispute["charge"] == charge["id"] and not dispute["is_charge_refundable"]
            for dispute in account.store.newest_first("dispute")
        ):
            raise ApiError(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.",
                code="charge_disputed",
            )
        if left <= 0:
            raise ApiError(
                f"Charge {charge['id']} has already been refunded.",
                code="charge_already_refunded",
            )
        if amount is not None and amount > left:
            raise invalid(
                f"Refund amount ({currencies.display(amount, currency)}) is greater than"
                f" unrefunded amount on charge ({currencies.display(left, currency)})",
                param="amount",
            )

    def _shape(self, account, charge, amount, reason, metadata):
        method = charge["payment_method_details"]["type"]
        status = account.refund_status or ("succeeded" if method == "card" else "pending")
        if status not in BEGINNINGS:
            raise ValueError(f"A refund cannot begin as {status}, only {', '.join(BEGINNINGS)}.")
        values = {}
        if status == "pending":
            values["pending_reason"] = "processing"
        return shape(
            stripe.Refund,
            omit=OMITTED,
            **values,
            # Refunds of payments that are not by card have a name of their own: `pyr_`.
            id=("re_3" if method == "card" else "pyr_1") + random_text(23),
            object="refund",
            amount=amount,
            charge=charge["id"],
            created=self.world.clock.now(),
            currency=charge["currency"],
            customer=charge["customer"],
            destination_details=_destination(method),
            metadata=metadata,
            payment_intent=charge["payment_intent"],
            payment_method=charge["payment_method"],
            reason=reason,
            status=status,
        )

    def _withdraw(self, account, charge, refund):
        by_card = charge["payment_method_details"]["type"] == "card"
        return self.world.bookkeeping.add(
            account,
            amount=-account.converted(refund["amount"], refund["currency"]),
            currency=account.settlement_currency(refund["currency"]),
            type="refund" if by_card else "payment_refund",
            reporting_category="refund",
            source=refund["id"],
            description=f"REFUND FOR {'CHARGE' if by_card else 'PAYMENT'}",
            exchange_rate=account.exchange_rate(refund["currency"]),
        )

    @staticmethod
    def _count(charge, amount):
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] >= charge["amount"]

    def update(self, account, refund, metadata, cause=None):
        """Change the metadata, which is all that can be changed."""
        previous = {"metadata": refund["metadata"]}
        refund["metadata"] = metadata
        self._updated(account, refund, previous, cause)

    def settle(self, account, refund):
        """The bank has taken the money to the payer.

        :raise StandInError: if the refund is not under way.
        """
        if refund["status"] not in ("pending", "requires_action"):
            raise StandInError(f"This refund is {refund['status']}.")
        previous = {"status": refund["status"]}
        refund["status"] = "succeeded"
        if refund.pop("pending_reason", None):
            previous["pending_reason"] = "processing"
        self._updated(account, refund, previous)

    def fail(self, account, refund, reason="unknown"):
        """The payer's bank sends the money back, maybe after the refund had succeeded.

        :param reason: one of :data:`FAILURES`.
        :raise StandInError: if the refund has failed or was cancelled before.
        :raise ValueError: for an unknown reason.
        """
        if reason not in FAILURES:
            raise ValueError(f"Unknown failure: {reason}. Known: {', '.join(FAILURES)}.")
        if refund["status"] in ("failed", "canceled"):
            raise StandInError(f"This refund is {refund['status']}.")
        self._undo(account, refund, "failed", None, failure_reason=reason)
        self._emit(account, "refund.failed", refund)

    def cancel(self, account, refund, cause=None):
        """Stop a refund that waits for the payer.

        :raise ApiError: 400 for any other one.
        """
        if refund["status"] != "requires_action":
            raise invalid(
                "You can only cancel a refund with a status of requires_action. This refund has a"
                f" status of {refund['status']}."
            )
        self._undo(account, refund, "canceled", cause)

    def _undo(self, account, refund, status, cause, **values):
        """Bring the money back: it can be refunded again."""
        charge = account.store.get("charge", refund["charge"])
        withdrawn = account.store.find(refund["balance_transaction"])
        returned = self.world.bookkeeping.give_back(
            account,
            withdrawn,
            type="refund_failure",
            reporting_category="refund_failure",
            description="REFUND FAILURE" if status == "failed" else "REFUND CANCELED",
        )
        previous = {"status": refund["status"]}
        refund.pop("pending_reason", None)
        refund.update(values, status=status, failure_balance_transaction=returned["id"])
        self._count(charge, -refund["amount"])
        self._updated(account, refund, previous, cause)

    def fail_pending(self, account, charge):
        """A dispute stops the refunds of its charge that are still on the way."""
        for refund in account.store.newest_first("refund"):
            on_the_way = refund["status"] in ("pending", "requires_action")
            if refund["charge"] == charge["id"] and on_the_way:
                self.fail(account, refund, "charge_for_pending_refund_disputed")

    def _updated(self, account, refund, previous, cause=None):
        for type in ("refund.updated", "charge.refund.updated"):
            self._emit(account, type, refund, cause, previous)

    def _emit(self, account, type, obj, cause=None, previous=None):
        self.world.events.emit(account, type, obj, cause=cause, previous=previous)


def _destination(method):
    if method != "card":
        return {"type": method}
    card = {
        "reference": None,
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {"card": card, "type": "card"}
