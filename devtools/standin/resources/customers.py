"""Customers: only made and read, since a session may name one."""

import stripe

from ..api import Routes
from ..ids import new_id
from ..sdk import object_fields, shape
from .common import check_email, check_list, listed, metadata, stored

KIND = "customer"
# Given as an id or an object that lives elsewhere; the stand-in has none of these.
NOT_KEPT = ("payment_method", "source", "tax", "tax_id_data", "test_clock", "cash_balance")

routes = Routes()


def _check(request):
    if "email" in request.params:
        check_email(request.params["email"], "email")


@routes.add("POST", "/v1/customers", "CustomerCreateParams", KIND, "customer_write", check=_check)
def create(request):
    """Make a customer."""
    values = {
        name: value
        for name, value in request.params.items()
        if name in object_fields(stripe.Customer) and name not in NOT_KEPT and value != ""
    }
    values.update(
        id=new_id("cus", 14),
        object=KIND,
        created=request.now,
        livemode=False,
        metadata=metadata(request.params),
        balance=values.get("balance", 0),
        delinquent=False,
        invoice_prefix=values.get("invoice_prefix", new_id("", 7)[1:].upper()),
    )
    omit = ("cash_balance", "deleted", "sources", "subscriptions", "tax", "tax_ids")
    customer = request.store.add(shape(stripe.Customer, omit=omit, **values))
    request.world.events.emit(request.account, "customer.created", customer, cause=request.cause)
    return customer


@routes.add("GET", "/v1/customers/{customer}", "CustomerRetrieveParams", KIND, "customer_read")
def retrieve(request):
    """Return one customer."""
    return stored(request, KIND, "customer")


@routes.add(
    "GET", "/v1/customers", "CustomerListParams", f"[{KIND}]", "customer_read", check=check_list
)
def list_all(request):
    """Return customers by e-mail address and time."""
    return listed(request, KIND, "email")
