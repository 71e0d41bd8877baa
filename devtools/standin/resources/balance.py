"""The balance: the sum of the balance transactions, pending and available."""

import stripe

from ..api import Routes
from ..sdk import shape

routes = Routes()


def _amounts(request, status):
    totals = {request.account.default_currency: 0}
    for transaction in request.store.newest_first("balance_transaction"):
        currency = transaction["currency"]
        totals.setdefault(currency, 0)
        if transaction["status"] == status:
            totals[currency] += transaction["net"]
    return [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted(totals.items())
    ]


@routes.add("GET", "/v1/balance", "BalanceRetrieveParams", "balance", "balance_read")
def retrieve(request):
    """Return today's balance; Stripe has none of the past."""
    return shape(
        stripe.Balance,
        omit=(
            "connect_reserved",
            "instant_available",
            "issuing",
            "refund_and_dispute_prefunding",
        ),
        object="balance",
        available=_amounts(request, "available"),
        livemode=request.store.livemode,
        pending=_amounts(request, "pending"),
    )
