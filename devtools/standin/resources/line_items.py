"""Line items of a Checkout Session."""

import stripe

from ..ids import random_text
from ..sdk import shape


def build(request, params, currency):
    """Return the line items for the ``line_items`` of a request.

    :param params: typed ``line_items``.
    :return: list of objects as the API shows them.
    """
    return [_line_item(request, item, currency) for item in params]


def _line_item(request, item, currency):
    data = item["price_data"]
    amount = unit_amount(data) * item["quantity"]
    product = data.get("product_data", {})
    return shape(
        stripe.LineItem,
        omit=("adjustable_quantity", "discounts", "taxes"),
        id="li_1" + random_text(23),
        object="item",
        amount_discount=0,
        amount_subtotal=amount,
        amount_tax=0,
        amount_total=amount,
        currency=currency,
        description=product["name"],
        metadata=item.get("metadata", {}),
        price=_price(request, data, currency),
        quantity=item["quantity"],
    )


def _price(request, data, currency):
    return shape(
        stripe.Price,
        omit=("currency_options", "deleted", "tiers"),
        id="price_1" + random_text(23),
        object="price",
        active=False,
        billing_scheme="per_unit",
        created=request.now,
        currency=currency,
        livemode=False,
        metadata={},
        product="prod_" + random_text(14),
        tax_behavior=data.get("tax_behavior", "unspecified"),
        type="one_time",
        unit_amount=unit_amount(data),
        unit_amount_decimal=str(unit_amount(data)),
    )


def unit_amount(data):
    """Return the unit amount of a ``price_data`` in minor units; checked to be whole before."""
    return data["unit_amount"] if "unit_amount" in data else int(data["unit_amount_decimal"])


def included_line_items(session, store):
    """Return the list that ``expand=["line_items"]`` adds to a session: its first ten."""
    items = store.private[session["id"]]["line_items"]
    return {
        "object": "list",
        "data": store.snapshot(items[:10]),
        "has_more": len(items) > 10,
        "url": f"/v1/checkout/sessions/{session['id']}/line_items",
    }
