"""Charges: the attempts to take a payer's money."""

from ..api import Routes
from .common import check_list, listed, stored

KIND = "charge"

routes = Routes()


@routes.add("GET", "/v1/charges/{charge}", "ChargeRetrieveParams", KIND, "charge_read")
def retrieve(request):
    """Return one charge."""
    return stored(request, KIND, "charge")


@routes.add("GET", "/v1/charges", "ChargeListParams", f"[{KIND}]", "charge_read", check=check_list)
def list_all(request):
    """Return charges by customer, PaymentIntent and time."""
    return listed(request, KIND, "customer", "payment_intent", "transfer_group")


def included_refunds(charge, store):
    """Return the list that ``expand=["refunds"]`` adds to a charge."""
    refunds = [
        refund for refund in store.newest_first("refund") if refund["charge"] == charge["id"]
    ]
    return {
        "object": "list",
        "data": store.snapshot(refunds[:10]),
        "has_more": len(refunds) > 10,
        "url": f"/v1/charges/{charge['id']}/refunds",
    }
