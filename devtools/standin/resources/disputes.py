"""Disputes: only banks open them.

Source: https://docs.stripe.com/api/disputes and the types of the SDK.
"""

import stripe

from .. import sdk
from ..api import Routes
from ..errors import StandInError, invalid, missing_resource
from . import simulated
from .common import check_list, listed, metadata, stored

KIND = "dispute"
FILES = frozenset(sdk.references(stripe.Dispute.Evidence))
NOT_SIMULATED = ("appeal", "enhanced_evidence")

routes = Routes()


@routes.add("GET", "/v1/disputes/{dispute}", "DisputeRetrieveParams", KIND, "dispute_read")
def retrieve(request):
    """Return one dispute."""
    return stored(request, KIND, "dispute")


@routes.add(
    "GET", "/v1/disputes", "DisputeListParams", f"[{KIND}]", "dispute_read", check=check_list
)
def list_all(request):
    """Return disputes by charge, PaymentIntent and time."""
    return listed(request, KIND, "charge", "payment_intent")


def _check_update(request):
    simulated.check_group(request.params, simulated.DISPUTE)
    for name, value in request.params.get("evidence", {}).items():
        if name in NOT_SIMULATED:
            raise simulated.refusal(f"evidence.{name}")
        if name in FILES:
            raise missing_resource("file upload", value, f"evidence[{name}]", status=400)


@routes.add(
    "POST",
    "/v1/disputes/{dispute}",
    "DisputeUpdateParams",
    KIND,
    "dispute_write",
    check=_check_update,
)
def update(request):
    """Change evidence and metadata; evidence is submitted unless the request says otherwise."""
    dispute, params = stored(request, KIND, "dispute"), request.params
    evidence = params.get("evidence", {})
    changed = metadata(params, dispute["metadata"]) if "metadata" in params else None
    submit = params.get("submit", bool(evidence))
    if evidence or submit or changed is not None:
        request.world.disputes.update(
            request.account, dispute, evidence, changed, submit, request.cause
        )
    return dispute


@routes.add("POST", "/v1/disputes/{dispute}/close", "DisputeCloseParams", KIND, "dispute_write")
def close(request):
    """Accept a dispute: it is lost, for good."""
    dispute = stored(request, KIND, "dispute")
    try:
        request.world.disputes.lose(request.account, dispute, request.cause)
    except StandInError:
        raise invalid(f"This dispute cannot be closed: it is {dispute['status']}.") from None
    return dispute
