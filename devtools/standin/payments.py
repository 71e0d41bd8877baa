"""The PaymentIntent of a Checkout Session and its charges."""

import stripe

from . import payment_methods
from .ids import random_text
from .sdk import shape


class Payment:
    """The payment of one session; it exists once the payer has confirmed.

    :param world: the stand-in.
    :param account: whose session it is.
    :param session: the session.
    """

    def __init__(self, world, account, session):
        self.world = world
        self.account = account
        self.session = session

    @property
    def intent(self):
        """Return the PaymentIntent, None before the payer's first try."""
        return self.account.store.get("payment_intent", self.session["payment_intent"])

    @property
    def charge(self):
        """Return the charge of the latest try."""
        return self.account.store.get("charge", self.intent["latest_charge"])

    @property
    def is_by_card(self):
        """Tell whether the latest try was by card."""
        return self.charge["payment_method_details"]["type"] == "card"

    def start(self, method, email):
        """Begin a try: the first one makes the PaymentIntent.

        :param method: ``card`` or a kind of bank debit.
        :param email: of the payer, None when unknown.
        """
        if self.intent is None:
            self._make_intent()
        else:
            self.intent["amount"] = self.session["amount_total"]
        paid_with = payment_methods.make(self.account, method, email, self.world.clock.now())
        self.intent["payment_method"] = paid_with["id"]
        self._make_charge(paid_with)

    def succeed(self):
        """The money is captured."""
        intent, charge = self.intent, self.charge
        intent.update(status="succeeded", amount_received=intent["amount"], last_payment_error=None)
        charge.update(
            status="succeeded", paid=True, captured=True, amount_captured=charge["amount"]
        )
        charge["outcome"] = _outcome("authorized", "approved_by_network", "Payment complete.")
        self._emit("charge.succeeded", charge)
        self._emit("payment_intent.succeeded", intent)
        self.world.bookkeeping.book_later(self.account, charge)

    def process(self):
        """A bank debit is under way; its outcome comes days later, its balance transaction before.

        https://support.stripe.com/questions/changes-to-balance-transaction-behavior-for-debit-payment-methods
        """
        self.intent["status"] = "processing"
        self._emit("payment_intent.processing", self.intent)
        self._emit("charge.pending", self.charge)
        self.world.bookkeeping.book_later(self.account, self.charge)

    def decline(self, code):
        """The card is refused; the payer may try again."""
        self.fail(code)

    def fail(self, code):
        """The try has failed.

        :param code: decline code.
        """
        intent, charge = self.intent, self.charge
        method = charge["payment_method_details"]["type"]
        error = payment_methods.decline_error(code, method)
        paid_with = self.account.store.get("payment_method", charge["payment_method"])
        intent.update(
            status="requires_payment_method",
            payment_method=None,
            last_payment_error={
                **error,
                "charge": charge["id"],
                "payment_method": self.account.store.snapshot(paid_with),
            },
        )
        charge.update(
            status="failed",
            paid=False,
            failure_code=error["code"],
            failure_message=error["message"],
            outcome=_outcome("issuer_declined", "declined_by_network", error["message"], code),
        )
        self.world.bookkeeping.take_back(self.account, charge)
        self._emit("charge.failed", charge)
        self._emit("payment_intent.payment_failed", intent)

    def cancel(self):
        """The session has expired after a refused try."""
        self.intent.update(
            status="canceled",
            canceled_at=self.world.clock.now(),
            cancellation_reason="expired",
        )
        self._emit("payment_intent.canceled", self.intent)

    def _make_intent(self):
        data = self.account.store.private[self.session["id"]]["payment_intent_data"]
        intent_id = "pi_3" + random_text(23)
        intent = shape(
            stripe.PaymentIntent,
            omit=("hooks", "payment_details", "payment_record", "presentment_details"),
            id=intent_id,
            object="payment_intent",
            amount=self.session["amount_total"],
            amount_capturable=0,
            amount_details={"tip": {}},
            amount_received=0,
            capture_method="automatic_async",
            client_secret=f"{intent_id}_secret_{random_text(25)}",
            confirmation_method="automatic",
            created=self.world.clock.now(),
            currency=self.session["currency"],
            customer=self.session["customer"],
            description=data.get("description"),
            livemode=False,
            metadata=data.get("metadata", {}),
            payment_method_options=self.session["payment_method_options"],
            payment_method_types=self.session["payment_method_types"],
            receipt_email=data.get("receipt_email"),
            shipping=data.get("shipping"),
            statement_descriptor=data.get("statement_descriptor"),
            statement_descriptor_suffix=data.get("statement_descriptor_suffix"),
            status="requires_payment_method",
            transfer_group=data.get("transfer_group"),
        )
        self.account.store.add(intent)
        self.session["payment_intent"] = intent_id
        self._emit("payment_intent.created", intent)

    def _make_charge(self, paid_with):
        intent, method = self.intent, paid_with["type"]
        # Payments that are not by card are charges under another name: `py_`.
        prefix = "ch_3" if method == "card" else "py_3"
        charge = shape(
            stripe.Charge,
            omit=(
                "authorization_code",
                "level3",
                "presentment_details",
                "radar_options",
                "refunds",
                "transfer",
            ),
            id=prefix + random_text(23),
            object="charge",
            amount=intent["amount"],
            amount_captured=0,
            amount_refunded=0,
            billing_details=paid_with["billing_details"],
            calculated_statement_descriptor=self.account.display_name.upper()[:22],
            captured=False,
            created=self.world.clock.now(),
            currency=intent["currency"],
            customer=intent["customer"],
            description=intent["description"],
            disputed=False,
            fraud_details={},
            livemode=False,
            metadata=dict(intent["metadata"]),
            paid=False,
            payment_intent=intent["id"],
            payment_method=paid_with["id"],
            payment_method_details={"type": method, method: dict(paid_with[method])},
            receipt_email=intent["receipt_email"],
            refunded=False,
            statement_descriptor_suffix=intent["statement_descriptor_suffix"],
            status="pending",
            transfer_group=intent["transfer_group"],
        )
        self.account.store.add(charge)
        intent["latest_charge"] = charge["id"]

    def _emit(self, type, obj):
        self.world.events.emit(self.account, type, obj)


def _outcome(type, network_status, message, reason=None):
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": reason,
        "risk_level": "normal",
        "seller_message": message,
        "type": type,
    }
