"""Checkout Sessions.

Source: https://docs.stripe.com/api/checkout/sessions and the types of the SDK.
"""

import stripe

from ..api import Routes
from ..errors import invalid
from ..ids import random_text
from ..listing import page
from ..payment_methods import customer_details
from ..sdk import shape
from . import line_items
from .common import check_list, listed, metadata, stored
from .session_rules import LONGEST_LIFE, check_create, payment_methods
from .simulated import refusal

KIND = "checkout.session"
# Shown as the request set them, null otherwise.
ECHOED = (
    "branding_settings",
    "cancel_url",
    "client_reference_id",
    "customer",
    "customer_email",
    "integration_identifier",
    "locale",
    "origin_context",
    "submit_type",
    "success_url",
)
OMITTED = ("line_items", "presentment_details", "optional_items", "redirect_on_completion")
TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")

routes = Routes()


@routes.add(
    "POST",
    "/v1/checkout/sessions",
    "checkout.SessionCreateParams",
    KIND,
    "checkout_session_write",
    check=check_create,
)
def create(request):
    """Make an open session; its PaymentIntent comes when the payer confirms."""
    params = request.params
    currency = params["line_items"][0]["price_data"]["currency"].lower()
    items = line_items.build(request, params["line_items"], currency)
    session = _session(request, currency, sum(item["amount_total"] for item in items))
    request.store.add(
        session, line_items=items, payment_intent_data=params.get("payment_intent_data", {})
    )
    request.world.payer.expire_in_time(request.account, session)
    return session


def _session(request, currency, total):
    params, account = request.params, request.account
    session_id = "cs_test_a1" + random_text(56)
    adaptive = params.get("adaptive_pricing", {}).get("enabled", account.adaptive_pricing)
    texts = params.get("custom_text", {})
    customer = request.store.get("customer", params.get("customer")) or {}
    email = params.get("customer_email") or customer.get("email")
    return shape(
        stripe.checkout.Session,
        omit=OMITTED,
        **{name: params[name] for name in ECHOED if name in params},
        id=session_id,
        object=KIND,
        adaptive_pricing={"enabled": adaptive},
        allowed_payment_method_types=params.get("allowed_payment_method_types"),
        amount_subtotal=total,
        amount_total=total,
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        created=request.now,
        currency=currency,
        custom_fields=[],
        customer_details=customer_details(email) if email else None,
        custom_text={name: texts.get(name) or None for name in TEXTS},
        excluded_payment_method_types=params.get("excluded_payment_method_types"),
        expires_at=params.get("expires_at", request.now + LONGEST_LIFE),
        invoice_creation={"enabled": False, "invoice_data": _INVOICE_DATA},
        livemode=False,
        metadata=metadata(params),
        mode="payment",
        payment_method_options=params.get("payment_method_options", {}),
        payment_method_types=payment_methods(params, account, currency),
        payment_status="unpaid",
        phone_number_collection={"enabled": False},
        shipping_options=[],
        status="open",
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        ui_mode="hosted_page",
        url=f"{request.world.url}/c/pay/{session_id}",
    )


_INVOICE_DATA = {
    "account_tax_ids": None,
    "custom_fields": None,
    "description": None,
    "footer": None,
    "issuer": None,
    "metadata": {},
    "rendering_options": None,
}


@routes.add(
    "GET",
    "/v1/checkout/sessions/{session}",
    "checkout.SessionRetrieveParams",
    KIND,
    "checkout_session_read",
)
def retrieve(request):
    """Return one session."""
    return stored(request, KIND, "session")


@routes.add(
    "GET",
    "/v1/checkout/sessions",
    "checkout.SessionListParams",
    f"[{KIND}]",
    "checkout_session_read",
    check=check_list,
)
def list_all(request):
    """Return sessions by status, PaymentIntent, customer, e-mail address and time."""
    email = request.params.get("customer_details", {}).get("email")

    def has_email(session):
        return email is None or (session["customer_details"] or {}).get("email") == email

    filters = ("customer", "payment_intent", "payment_link", "status", "subscription")
    return listed(request, KIND, *filters, keep=has_email)


@routes.add(
    "GET",
    "/v1/checkout/sessions/{session}/line_items",
    "checkout.SessionLineItemListParams",
    "[item]",
    "checkout_session_read",
    check=check_list,
)
def list_line_items(request):
    """Return the line items of a session, in the order of the request."""
    session = stored(request, KIND, "session")
    items = request.store.private[session["id"]]["line_items"]
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return page(items, request.params, url, "line item")


@routes.add(
    "POST",
    "/v1/checkout/sessions/{session}",
    "checkout.SessionUpdateParams",
    KIND,
    "checkout_session_write",
)
def update(request):
    """Change the metadata; nothing else of a hosted session is simulated."""
    session = stored(request, KIND, "session")
    other = set(request.params) - {"metadata", "expand"}
    if other:
        name = sorted(other)[0]
        raise refusal(f"{name} in an update")
    if "metadata" in request.params:
        session["metadata"] = metadata(request.params, session["metadata"])
    return session


@routes.add(
    "POST",
    "/v1/checkout/sessions/{session}/expire",
    "checkout.SessionExpireParams",
    KIND,
    "checkout_session_write",
)
def expire(request):
    """Expire an open session."""
    session = stored(request, KIND, "session")
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of `{session['status']}`."
        )
    request.world.payer.expire(request.account, session, cause=request.cause)
    return session
