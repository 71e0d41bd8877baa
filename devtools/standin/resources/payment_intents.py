"""PaymentIntents: they exist once a payer has confirmed a Checkout Session."""

from ..api import Routes
from ..errors import invalid
from .common import check_list, listed, stored

KIND = "payment_intent"

routes = Routes()


@routes.add(
    "GET",
    "/v1/payment_intents/{intent}",
    "PaymentIntentRetrieveParams",
    KIND,
    "payment_intent_read",
)
def retrieve(request):
    """Return one PaymentIntent."""
    return stored(request, KIND, "intent")


@routes.add(
    "GET",
    "/v1/payment_intents",
    "PaymentIntentListParams",
    f"[{KIND}]",
    "payment_intent_read",
    check=check_list,
)
def list_all(request):
    """Return PaymentIntents by customer and time."""
    return listed(request, KIND, "customer")


@routes.add(
    "POST",
    "/v1/payment_intents/{intent}/cancel",
    "PaymentIntentCancelParams",
    KIND,
    "payment_intent_write",
)
def cancel(request):
    """Refuse: every PaymentIntent here belongs to a Checkout Session, which is expired instead."""
    stored(request, KIND, "intent")
    raise invalid(
        "You cannot perform this action on PaymentIntents created by Checkout. Expire the"
        " Checkout Session instead.",
        code="payment_intent_unexpected_state",
    )
