"""Disputes: inquiries, chargebacks, and bank debits that come back after they had succeeded.

Source: https://docs.stripe.com/disputes and the types of the SDK.
"""

from decimal import Decimal

import stripe

from . import currencies
from .errors import StandInError, invalid
from .ids import random_text
from .sdk import object_fields, shape

DAY = 24 * 3600
DAYS_TO_RESPOND = 9
DAYS_OF_AN_INQUIRY = 120
# Visa's codes; https://docs.stripe.com/disputes/categories
NETWORK_CODES = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6.1"}
OTHER_CODE = "13.7"
_REASONS = """
bank_cannot_process check_returned credit_not_processed customer_initiated debit_not_authorized
duplicate fraudulent general incorrect_account_details insufficient_funds noncompliant
product_not_received product_unacceptable subscription_canceled unrecognized
"""
REASONS = tuple(_REASONS.split())
# Stripe leaves these out of a dispute.
OMITTED = ("intended_submission_method", "network_reason_code")
OPEN = ("warning_needs_response", "warning_under_review", "needs_response", "under_review")


class Disputes:
    """Opens disputes and decides them; all under the stand-in's lock.

    :param world: the stand-in.
    """

    def __init__(self, world):
        self.world = world

    def open(self, account, charge, amount=None, reason="fraudulent", inquiry=False):
        """The payer, or the payer's bank, wants the money back.

        A disputed bank debit is lost at once, since no bank hears evidence about it.

        :param amount: in minor units of the charge; all that was not refunded if None.
        :param reason: one of :data:`REASONS`.
        :param inquiry: a question of a card's bank that moves no money.
        :return: the dispute.
        :raise StandInError: if the charge cannot be disputed.
        :raise ValueError: for an unknown reason or an amount below one.
        """
        by_card = charge["payment_method_details"]["type"] == "card"
        self._check(account, charge, amount, reason, inquiry and not by_card)
        if charge["balance_transaction"] is None:
            self.world.bookkeeping.book_now(account, charge)
        if not inquiry:
            self.world.refunds.fail_pending(account, charge)
        if amount is None:
            amount = charge["amount"] - charge["amount_refunded"]
        if amount < 1:
            raise StandInError("This charge is refunded: nothing is left to dispute.")
        status = "warning_needs_response" if inquiry else "needs_response" if by_card else "lost"
        dispute = account.store.add(self._shape(charge, amount, reason, status))
        charge["disputed"] = True
        if not inquiry:
            self._withdraw(account, dispute)
        self._emit(account, "created", dispute)
        if not inquiry:
            self._emit(account, "funds_withdrawn", dispute)
        if by_card:
            self._expect(account, dispute)
        else:
            self._emit(account, "closed", dispute)
        return dispute

    @staticmethod
    def _check(account, charge, amount, reason, inquiry_of_a_debit):
        if reason not in REASONS:
            raise ValueError(f"Unknown reason: {reason}. Known: {', '.join(REASONS)}.")
        if amount is not None and amount < 1:
            raise ValueError("The disputed amount must be 1 or more.")
        if charge["status"] != "succeeded":
            raise StandInError(f"This charge is {charge['status']} and cannot be disputed.")
        if inquiry_of_a_debit:
            raise StandInError("Only card payments have inquiries.")
        for other in account.store.newest_first("dispute"):
            if other["charge"] == charge["id"] and other["status"] in (*OPEN, "lost"):
                raise StandInError(f"This charge has a dispute that is {other['status']}.")

    def _shape(self, charge, amount, reason, status):
        now = self.world.clock.now()
        method = charge["payment_method_details"]["type"]
        details = None
        if method == "card":
            details = {"type": "card", "card": _card(reason, status)}
        # None where no answer is allowed.
        due_by = _due_by(now) if method == "card" else 0
        evidence = dict.fromkeys(object_fields(stripe.Dispute.Evidence))
        del evidence["appeal"]
        return shape(
            stripe.Dispute,
            omit=OMITTED,
            id="du_1" + random_text(23),
            object="dispute",
            amount=amount,
            balance_transactions=[],
            charge=charge["id"],
            created=now,
            currency=charge["currency"],
            enhanced_eligibility_types=[],
            evidence={**evidence, "enhanced_evidence": {}},
            evidence_details={
                "due_by": due_by,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
                "submission_method": "not_submitted",
            },
            is_charge_refundable=status.startswith("warning"),
            livemode=False,
            metadata={},
            payment_intent=charge["payment_intent"],
            payment_method_details=details,
            reason=reason,
            status=status,
        )

    def _withdraw(self, account, dispute):
        currency = account.settlement_currency(dispute["currency"])
        fee = int(Decimal(account.dispute_fee) * 10 ** currencies.decimals(currency))
        dispute["balance_transactions"].append(
            self.world.bookkeeping.add(
                account,
                amount=-account.converted(dispute["amount"], dispute["currency"]),
                currency=currency,
                fee=fee,
                fee_description="Dispute fee",
                type="adjustment",
                reporting_category="dispute",
                source=dispute["id"],
                description=f"Chargeback withdrawal for {dispute['charge']}",
                exchange_rate=account.exchange_rate(dispute["currency"]),
            )
        )

    def _expect(self, account, dispute):
        """Let time decide: evidence that never came loses, inquiries end by themselves."""

        def unanswered():
            # An inquiry that became a chargeback has a later day than it began with.
            due_by = dispute["evidence_details"]["due_by"]
            if dispute["status"] == "needs_response" and self.world.clock.now() > due_by:
                self._close(account, dispute, "lost")

        def forgotten():
            if dispute["status"].startswith("warning_") and dispute["status"] in OPEN:
                self._close(account, dispute, "warning_closed")

        clock = self.world.clock
        clock.at(dispute["evidence_details"]["due_by"] + 1, unanswered)
        clock.at(dispute["created"] + DAYS_OF_AN_INQUIRY * DAY, forgotten)

    def escalate(self, account, dispute):
        """An inquiry becomes a chargeback: now the money leaves.

        :raise StandInError: if it is no open inquiry, or if its charge was refunded meanwhile.
        """
        self._must_be(dispute, "warning_needs_response", "warning_under_review")
        charge = account.store.get("charge", dispute["charge"])
        self.world.refunds.fail_pending(account, charge)
        left = charge["amount"] - charge["amount_refunded"]
        if left <= 0:
            raise StandInError("This charge is refunded: the inquiry cannot become a chargeback.")
        previous = {name: dispute[name] for name in ("status", "is_charge_refundable")}
        dispute.update(
            status="needs_response",
            is_charge_refundable=False,
            amount=min(dispute["amount"], left),
        )
        dispute["evidence_details"]["due_by"] = _due_by(self.world.clock.now())
        dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
        self._withdraw(account, dispute)
        self._emit(account, "updated", dispute, previous=previous)
        self._emit(account, "funds_withdrawn", dispute)
        self._expect(account, dispute)

    def update(self, account, dispute, evidence, metadata, submit, cause=None):
        """Stage evidence, or hand it to the bank.

        :param evidence: texts by field, empty for none.
        :param metadata: all of it, None to leave it.
        :param submit: True hands in what is staged, False stages only.
        :raise ApiError: 400 if the dispute takes no evidence any more.
        """
        open_for_evidence = dispute["status"] in ("needs_response", "warning_needs_response")
        if (evidence or submit) and not open_for_evidence:
            raise invalid("This dispute is already closed or under review.")
        previous = {}
        if metadata is not None:
            previous["metadata"] = dispute["metadata"]
            dispute["metadata"] = metadata
        if evidence:
            previous["evidence"] = {name: dispute["evidence"][name] for name in evidence}
            dispute["evidence"].update(evidence)
            dispute["evidence_details"]["has_evidence"] = True
        if submit:
            previous["status"] = dispute["status"]
            self._submit(dispute)
        self._emit(account, "updated", dispute, cause, previous)

    def _submit(self, dispute):
        details = dispute["evidence_details"]
        details["submission_count"] += 1
        details["submission_method"] = "manual"
        details["past_due"] = self.world.clock.now() > details["due_by"]
        warning = dispute["status"].startswith("warning_")
        dispute["status"] = "warning_under_review" if warning else "under_review"

    def review(self, account, dispute):
        """Hand in evidence from the Dashboard.

        :raise StandInError: if the dispute takes none any more.
        """
        self._must_be(dispute, "needs_response", "warning_needs_response")
        evidence = {"uncategorized_text": "Evidence from the Dashboard"}
        self.update(account, dispute, evidence, None, True)

    def win(self, account, dispute, return_fee=False):
        """The bank decides for the merchant: the money comes back, the fee does not by default.

        :param return_fee: whether Stripe gives the fee back, as it did until 2025 in some
            countries.
        :raise StandInError: if the dispute is not open, or an inquiry.
        """
        self._must_be(dispute, "needs_response", "under_review")
        withdrawn = dispute["balance_transactions"][0]
        self._give_back(account, dispute, fee=-withdrawn["fee"] if return_fee else 0)
        dispute["is_charge_refundable"] = True
        self._close(account, dispute, "won")
        self._emit(account, "funds_reinstated", dispute)

    def reinstate(self, account, dispute, amount=None):
        """Money comes back although the dispute was lost, as after an appeal.

        :param amount: in minor units of the settlement currency; all of it if None.
        :raise StandInError: if the dispute is not lost.
        """
        self._must_be(dispute, "lost")
        self._give_back(account, dispute, fee=0, **({"amount": amount} if amount else {}))
        self._emit(account, "funds_reinstated", dispute)

    def _give_back(self, account, dispute, **values):
        returned = self.world.bookkeeping.give_back(
            account,
            dispute["balance_transactions"][0],
            type="adjustment",
            reporting_category="dispute_reversal",
            description=f"Chargeback reversal for {dispute['charge']}",
            fee_description="Dispute fee refund",
            **values,
        )
        dispute["balance_transactions"].append(returned)

    def lose(self, account, dispute, cause=None):
        """The bank decides for the payer: what was withdrawn stays away.

        :raise StandInError: if the dispute is not open, or an inquiry.
        """
        self._must_be(dispute, "needs_response", "under_review")
        self._close(account, dispute, "lost", cause)

    def close_inquiry(self, account, dispute):
        """An inquiry ends without a chargeback.

        :raise StandInError: if it is no open inquiry.
        """
        self._must_be(dispute, "warning_needs_response", "warning_under_review")
        self._close(account, dispute, "warning_closed")

    def _close(self, account, dispute, status, cause=None):
        dispute["status"] = status
        self._emit(account, "closed", dispute, cause)

    @staticmethod
    def _must_be(dispute, *statuses):
        if dispute["status"] not in statuses:
            raise StandInError(f"This dispute is {dispute['status']}.")

    def _emit(self, account, what, dispute, cause=None, previous=None):
        type = f"charge.dispute.{what}"
        self.world.events.emit(account, type, dispute, cause=cause, previous=previous)


def _due_by(now):
    """Return the last second of the last day to answer."""
    return (now // DAY + 1 + DAYS_TO_RESPOND) * DAY - 1


def _card(reason, status):
    return {
        "brand": "visa",
        "case_type": "inquiry" if status.startswith("warning") else "chargeback",
        "network": "visa",
        "network_reason_code": NETWORK_CODES.get(reason, OTHER_CODE),
    }
