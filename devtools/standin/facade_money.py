"""The part of the stand-in's Python face that moves money after a payment.

Everything here is what the Dashboard, a bank or Stripe does: without an idempotency key, and
without the caller's metadata. Objects come back as the API shows them, as dicts.
"""

import stripe

from . import sdk
from .errors import ApiError, StandInError

# https://docs.stripe.com/reports/reporting-categories, where it is not the type itself.
REPORTING_CATEGORIES = {
    "adjustment": "other_adjustment",
    "payment": "charge",
    "payment_refund": "refund",
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "reserved_funds": "risk_reserved_funds",
    "stripe_fee": "fee",
    "stripe_fx_fee": "fee",
    "tax_fee": "tax",
}
TYPES = sdk.values_of(stripe.BalanceTransaction, "type")


class Money:
    """Refunds, disputes, payouts and other movements of the balance, as methods of the stand-in."""

    def _find(self, kind, object_id):
        for account in self.accounts:
            found = account.store.get(kind, object_id)
            if found:
                return account, found
        raise StandInError(f"No such {kind}: {object_id}")

    def _find_charge(self, paid_id):
        """Return account and charge of a session, PaymentIntent or charge."""
        if paid_id.startswith("cs_"):
            paid_id = self._find("checkout.session", paid_id)[1]["payment_intent"]
            if paid_id is None:
                raise StandInError("This Checkout Session was not paid.")
        if paid_id.startswith("pi_"):
            paid_id = self._find("payment_intent", paid_id)[1]["latest_charge"]
        return self._find("charge", paid_id)

    def _play(self, kind, object_id, action, *args):
        """Let something happen to an object; return a copy of it as it is afterwards."""
        with self.lock:
            self.clock.run_due()
            account, found = self._find(kind, object_id)
            try:
                action(account, found, *args)
            except ApiError as error:
                raise StandInError(error.message) from None
            return account.store.snapshot(found)

    # Refunds

    def refund(self, paid_id, amount=None, reason=None):
        """Refund a payment from the Dashboard.

        :param paid_id: id of the session, PaymentIntent or charge.
        :param amount: in minor units; all that is left if None.
        :param reason: ``duplicate``, ``fraudulent``, ``requested_by_customer`` or None.
        :return: the refund.
        :raise StandInError: if Stripe would refuse.
        """
        with self.lock:
            self.clock.run_due()
            account, charge = self._find_charge(paid_id)
            try:
                made = self.refunds.make(account, charge, amount, reason=reason)
            except ApiError as error:
                raise StandInError(error.message) from None
            return account.store.snapshot(made)

    def settle_refund(self, refund_id):
        """Let a refund that is under way succeed; return it."""
        return self._play("refund", refund_id, self.refunds.settle)

    def fail_refund(self, refund_id, reason="unknown"):
        """Let a refund fail, under way or after it had succeeded: the money comes back.

        :param reason: Stripe's ``failure_reason``, such as ``lost_or_stolen_card``.
        :return: the refund.
        """
        return self._play("refund", refund_id, self.refunds.fail, reason)

    def cancel_refund(self, refund_id):
        """Cancel a refund that waits for the payer (``requires_action``); return it."""
        return self._play("refund", refund_id, self.refunds.cancel)

    # Disputes

    def dispute(self, paid_id, amount=None, reason="fraudulent", inquiry=False):
        """Dispute a payment. One by bank debit is lost at once.

        :param paid_id: id of the session, PaymentIntent or charge.
        :param amount: in minor units; all that was not refunded if None.
        :param reason: Stripe's, such as ``product_not_received``.
        :param inquiry: a question that moves no money.
        :return: the dispute.
        :raise StandInError: if the payment cannot be disputed.
        """
        with self.lock:
            self.clock.run_due()
            account, charge = self._find_charge(paid_id)
            made = self.disputes.open(account, charge, amount, reason, inquiry)
            return account.store.snapshot(made)

    def return_debit(self, paid_id, reason="insufficient_funds"):
        """Let the bank take back a debit that had succeeded: a dispute that is lost at once.

        :param reason: ``insufficient_funds``, ``debit_not_authorized`` …
        :return: the dispute.
        :raise StandInError: if it was no bank debit.
        """
        with self.lock:
            _account, charge = self._find_charge(paid_id)
            if charge["payment_method_details"]["type"] == "card":
                raise StandInError("This was paid by card: use dispute().")
            return self.dispute(paid_id, reason=reason)

    def escalate_dispute(self, dispute_id):
        """Let an inquiry become a chargeback: now the money leaves; return the dispute."""
        return self._play("dispute", dispute_id, self.disputes.escalate)

    def review_dispute(self, dispute_id):
        """Hand in evidence from the Dashboard (``under_review``); return the dispute."""
        return self._play("dispute", dispute_id, self.disputes.review)

    def win_dispute(self, dispute_id, return_fee=False):
        """Let the bank decide for the merchant: the money comes back; return the dispute.

        :param return_fee: whether Stripe gives its fee back too.
        """
        return self._play("dispute", dispute_id, self.disputes.win, return_fee)

    def lose_dispute(self, dispute_id):
        """Let the bank decide for the payer; return the dispute."""
        return self._play("dispute", dispute_id, self.disputes.lose)

    def reinstate_dispute(self, dispute_id, amount=None):
        """Let money come back although the dispute was lost; return the dispute.

        :param amount: in minor units of the settlement currency; all of it if None.
        """
        return self._play("dispute", dispute_id, self.disputes.reinstate, amount)

    def close_inquiry(self, dispute_id):
        """End an inquiry without a chargeback (``warning_closed``); return the dispute."""
        return self._play("dispute", dispute_id, self.disputes.close_inquiry)

    # Payouts

    def pay_out(self, currency=None, account=None):
        """Pay out all that is available, as the schedule does.

        :param currency: of the balance; all currencies if None.
        :param account: the default account if None.
        :return: the payouts made, one per currency that had something to pay out.
        """
        with self.lock:
            self.clock.run_due()
            account = account or self.account
            transactions = account.store.newest_first("balance_transaction")
            found = [currency] if currency else sorted({each["currency"] for each in transactions})
            made = [self.payouts.gather(account, each) for each in found]
            return account.store.snapshot([payout for payout in made if payout])

    def reconcile_payout(self, payout_id):
        """Finish the list of what an automatic payout holds, an hour early; return it."""
        return self._play("payout", payout_id, self.payouts.reconcile)

    def send_payout(self, payout_id):
        """Hand a pending payout to the bank (``in_transit``); return it."""
        return self._play("payout", payout_id, self.payouts.send)

    def settle_payout(self, payout_id):
        """Let a payout arrive (``paid``), with every step that comes before; return it."""
        return self._play("payout", payout_id, self.payouts.settle)

    def fail_payout(self, payout_id, code="account_closed"):
        """Let the bank send a payout back, even one that was paid; return it.

        :param code: Stripe's ``failure_code``.
        """
        return self._play("payout", payout_id, self.payouts.fail, code)

    def cancel_payout(self, payout_id):
        """Cancel a pending payout that was asked for; return it."""
        return self._play("payout", payout_id, self.payouts.cancel)

    # The rest of the balance

    def charge_stripe_fee(self, amount, description="Billing", currency=None, account=None):
        """Let Stripe charge for something that is no payment.

        :param amount: in minor units, positive.
        :param currency: of the balance; the account's own if None.
        :param account: the default account if None.
        :return: the balance transaction.
        """
        return self.add_balance_movement("stripe_fee", -amount, currency, description, account)

    def add_balance_movement(self, type, amount, currency=None, description=None, account=None):
        """Add a movement of another kind, available at once and without a source.

        :param type: one of Stripe's, such as ``topup``, ``transfer`` or ``reserve_transaction``.
        :param amount: in minor units, negative for money that leaves.
        :param currency: of the balance; the account's own if None.
        :param account: the default account if None.
        :return: the balance transaction.
        :raise ValueError: for a type that Stripe does not have.
        """
        if type not in TYPES:
            raise ValueError(f"Unknown type: {type}. Known: {', '.join(TYPES)}.")
        with self.lock:
            self.clock.run_due()
            account = account or self.account
            made = self.bookkeeping.add(
                account,
                amount=amount,
                currency=currency or account.default_currency,
                type=type,
                reporting_category=REPORTING_CATEGORIES.get(type, type),
                source=None,
                description=description,
            )
            return account.store.snapshot(made)
