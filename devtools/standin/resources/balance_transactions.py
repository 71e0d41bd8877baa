"""Balance transactions: every movement of the balance."""

from ..api import Routes
from ..errors import invalid, missing_resource
from .common import check_list, listed, stored

KIND = "balance_transaction"
PERMISSION = "balance_transaction_source_read"

routes = Routes()


@routes.add(
    "GET", "/v1/balance_transactions/{id}", "BalanceTransactionRetrieveParams", KIND, PERMISSION
)
def retrieve(request):
    """Return one balance transaction."""
    return stored(request, KIND, "id")


def _check(request):
    check_list(request)
    if "payout" in request.params:
        payout = request.store.get("payout", request.params["payout"])
        if payout is None:
            raise missing_resource("payout", request.params["payout"], "payout", status=400)
        if not payout["automatic"]:
            raise invalid(
                "Balance transaction history can only be filtered on automatic transfers, not"
                " manual.",
                param="payout",
            )


@routes.add(
    "GET",
    "/v1/balance_transactions",
    "BalanceTransactionListParams",
    f"[{KIND}]",
    PERMISSION,
    check=_check,
)
def list_all(request):
    """Return balance transactions by type, source, currency, payout and time.

    Those of an automatic payout include the payout's own, which is all that is listed until
    ``payout.reconciliation_completed`` says that the list is complete.
    """
    payout = request.store.get("payout", request.params.get("payout"))

    def in_payout(transaction):
        if payout is None:
            return True
        if payout["reconciliation_status"] != "completed":
            return transaction["source"] == payout["id"]
        return request.store.private[transaction["id"]].get("payout") == payout["id"]

    return listed(request, KIND, "type", "source", "currency", keep=in_payout)
