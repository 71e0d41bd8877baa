"""Payouts.

Source: https://docs.stripe.com/api/payouts and the types of the SDK.
"""

from .. import currencies
from ..api import Routes
from ..errors import missing_resource
from ..listing import in_range
from ..payouts import bank_account
from . import simulated
from .common import check_list, check_positive, listed, metadata, stored

KIND = "payout"
OPTIONAL = ("description", "statement_descriptor")

routes = Routes()


def _check_create(request):
    params = request.params
    simulated.check_group(params, simulated.PAYOUT)
    currencies.check_currency(params["currency"], "currency")
    check_positive(params["amount"], "amount")
    currency = params["currency"].lower()
    currencies.check_exact(params["amount"], currency, "amount")
    known = bank_account(request.account, currency)["id"]
    if params.get("destination", known) != known:
        destination = params["destination"]
        raise missing_resource("external account", destination, "destination", status=400)


@routes.add("POST", "/v1/payouts", "PayoutCreateParams", KIND, "payout_write", check=_check_create)
def create(request):
    """Pay out an amount of the available balance."""
    params = request.params
    return request.world.payouts.request(
        request.account,
        params["amount"],
        params["currency"].lower(),
        cause=request.cause,
        metadata=metadata(params),
        **{name: params[name] for name in OPTIONAL if name in params},
    )


@routes.add("GET", "/v1/payouts/{payout}", "PayoutRetrieveParams", KIND, "payout_read")
def retrieve(request):
    """Return one payout."""
    return stored(request, KIND, "payout")


@routes.add("GET", "/v1/payouts", "PayoutListParams", f"[{KIND}]", "payout_read", check=check_list)
def list_all(request):
    """Return payouts by status, destination, time and day of arrival."""

    def arrives(payout):
        return in_range(payout["arrival_date"], request.params.get("arrival_date"))

    return listed(request, KIND, "status", "destination", keep=arrives)


@routes.add("POST", "/v1/payouts/{payout}", "PayoutUpdateParams", KIND, "payout_write")
def update(request):
    """Change the metadata."""
    payout = stored(request, KIND, "payout")
    if "metadata" in request.params:
        changed = metadata(request.params, payout["metadata"])
        request.world.payouts.update(request.account, payout, changed, request.cause)
    return payout


@routes.add("POST", "/v1/payouts/{payout}/cancel", "PayoutCancelParams", KIND, "payout_write")
def cancel(request):
    """Cancel a pending payout that was asked for."""
    payout = stored(request, KIND, "payout")
    request.world.payouts.cancel(request.account, payout, request.cause)
    return payout
