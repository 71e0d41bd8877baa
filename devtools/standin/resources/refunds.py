"""Refunds.

Source: https://docs.stripe.com/api/refunds and the types of the SDK.
"""

from .. import currencies
from ..api import Routes
from ..errors import invalid
from . import simulated
from .common import (
    check_list,
    check_only_one,
    check_positive,
    check_reference,
    listed,
    metadata,
    stored,
)

KIND = "refund"
# The Dashboard has one permission for both: "Charges and Refunds".
WRITE, READ = "charge_write", "charge_read"

routes = Routes()


def _check_create(request):
    params = request.params
    simulated.check_group(params, simulated.REFUND)
    check_only_one(params, "charge", "payment_intent")
    if "charge" not in params and "payment_intent" not in params:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or"
            " charge.",
            code="parameter_missing",
        )
    check_reference(request, "charge", "charge")
    check_reference(request, "payment_intent", "payment_intent")
    if "amount" in params:
        check_positive(params["amount"], "amount")
        currency = _paid(request)["currency"]
        currencies.check_exact(params["amount"], currency, "amount")


def _paid(request):
    params, store = request.params, request.store
    kind = "charge" if "charge" in params else "payment_intent"
    return store.get(kind, params[kind])


@routes.add("POST", "/v1/refunds", "RefundCreateParams", KIND, WRITE, check=_check_create)
def create(request):
    """Refund a charge or the charge of a PaymentIntent."""
    paid = _paid(request)
    if paid["object"] == "payment_intent":
        if paid["status"] != "succeeded":
            raise invalid(
                f"This PaymentIntent ({paid['id']}) does not have a successful charge to refund.",
                param="payment_intent",
                code="payment_intent_unexpected_state",
            )
        paid = request.store.get("charge", paid["latest_charge"])
    return request.world.refunds.make(
        request.account,
        paid,
        request.params.get("amount"),
        reason=request.params.get("reason"),
        metadata=metadata(request.params),
        cause=request.cause,
    )


@routes.add("GET", "/v1/refunds/{refund}", "RefundRetrieveParams", KIND, READ)
def retrieve(request):
    """Return one refund."""
    return stored(request, KIND, "refund")


@routes.add("GET", "/v1/refunds", "RefundListParams", f"[{KIND}]", READ, check=check_list)
def list_all(request):
    """Return refunds by charge, PaymentIntent and time."""
    return listed(request, KIND, "charge", "payment_intent")


@routes.add("POST", "/v1/refunds/{refund}", "RefundUpdateParams", KIND, WRITE)
def update(request):
    """Change the metadata."""
    refund = stored(request, KIND, "refund")
    if "metadata" in request.params:
        changed = metadata(request.params, refund["metadata"])
        request.world.refunds.update(request.account, refund, changed, request.cause)
    return refund


@routes.add("POST", "/v1/refunds/{refund}/cancel", "RefundCancelParams", KIND, WRITE)
def cancel(request):
    """Cancel a refund that waits for the payer."""
    refund = stored(request, KIND, "refund")
    request.world.refunds.cancel(request.account, refund, request.cause)
    return refund
