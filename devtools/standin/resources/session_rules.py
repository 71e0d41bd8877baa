"""What Stripe refuses when a Checkout Session is made, beyond the types of the parameters."""

from .. import currencies
from ..errors import invalid, missing_resource
from . import simulated
from .common import check_email, check_only_one, check_reference, check_url
from .line_items import unit_amount

SHORTEST_LIFE = 30 * 60
LONGEST_LIFE = 24 * 3600
FORBIDDEN_IN_DESCRIPTOR = "<>\\'\"*"


def check_create(request):
    """Refuse what Stripe refuses.

    :raise ApiError: 400 in Stripe's words.
    """
    params = request.params
    _check_mode(params)
    simulated.check(params)
    _check_urls(params)
    _check_expiry(params, request.now)
    _check_payer(request)
    _check_payment_intent_data(params.get("payment_intent_data", {}))
    currency = _check_line_items(params)
    items = params["line_items"]
    total = sum(unit_amount(item["price_data"]) * item["quantity"] for item in items)
    currencies.check_total(total, currency, request.account)
    _check_methods(params, request.account, currency)


def payment_methods(params, account, currency):
    """Return the payment methods that the session offers: the account's, narrowed by the request.

    :param currency: of the session.
    """
    offered = account.methods_for(currency)
    allowed = params.get("allowed_payment_method_types") or offered
    excluded = params.get("excluded_payment_method_types", [])
    return [method for method in offered if method in allowed and method not in excluded]


def _missing(param):
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


def _check_mode(params):
    if "mode" not in params:
        raise _missing("mode")
    for name in ("return_url", "redirect_on_completion"):
        if name in params:
            raise invalid(
                f"`{name}` can not be specified when `ui_mode` is `hosted_page`.", param=name
            )
    if "payment_method_collection" in params:
        raise invalid(
            "You can only set `payment_method_collection` if there are recurring prices.",
            param="payment_method_collection",
        )


def _check_urls(params):
    if "success_url" not in params:
        raise _missing("success_url")
    for name in ("success_url", "cancel_url"):
        if name in params:
            check_url(params[name], name)


def _check_expiry(params, now):
    if "expires_at" not in params:
        return
    life = params["expires_at"] - now
    if life < SHORTEST_LIFE:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session"
            " creation.",
            param="expires_at",
        )
    if life >= LONGEST_LIFE:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )


def _check_payer(request):
    params = request.params
    check_only_one(params, "customer", "customer_email")
    check_reference(request, "customer", "customer")
    if "customer_email" in params:
        check_email(params["customer_email"], "customer_email")


def _check_payment_intent_data(data):
    if "receipt_email" in data:
        check_email(data["receipt_email"], "payment_intent_data[receipt_email]")
    for name in ("statement_descriptor", "statement_descriptor_suffix"):
        if name in data:
            _check_descriptor(data[name], f"payment_intent_data[{name}]")


def _check_descriptor(value, param):
    """Refuse text that cannot stand on a bank statement.

    Source: https://docs.stripe.com/get-started/account/statement-descriptors
    """
    if any(character in FORBIDDEN_IN_DESCRIPTOR for character in value):
        raise invalid(
            "The statement descriptor contains invalid characters. It cannot contain any of"
            f" {' '.join(FORBIDDEN_IN_DESCRIPTOR)}.",
            param=param,
        )
    if not any(character.isascii() and character.isalpha() for character in value):
        raise invalid(
            "The statement descriptor must contain at least one Latin character.", param=param
        )


def _check_line_items(params):
    items = params.get("line_items")
    if not items:
        raise _missing("line_items")
    found = [_check_line_item(item, f"line_items[{i}]") for i, item in enumerate(items)]
    if len(set(found)) > 1:
        raise invalid(
            "All line items must have the same currency, but these have"
            f" {', '.join(sorted(set(found)))}.",
            param="line_items",
        )
    currency = params.get("currency", found[0]).lower()
    if currency != found[0]:
        raise invalid(
            f"The `currency` {currency} is not that of the line items ({found[0]}).",
            param="currency",
        )
    return currency


def _check_line_item(item, name):
    check_only_one(item, "price", "price_data", name)
    if "price" in item:
        raise missing_resource("price", item["price"], f"{name}[price]", status=400)
    if "price_data" not in item:
        raise _missing(f"{name}[price_data]")
    if "quantity" not in item:
        raise invalid(
            f"Quantity is required. Add `quantity` to `{name}`",
            param=f"{name}[quantity]",
            code="parameter_missing",
        )
    if item["quantity"] < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            param=f"{name}[quantity]",
            code="parameter_invalid_integer",
        )
    return _check_price_data(item["price_data"], f"{name}[price_data]")


def _check_price_data(data, name):
    if "recurring" in data:
        raise invalid("You must use one-time prices in `payment` mode.", param=f"{name}[recurring]")
    check_only_one(data, "product", "product_data", name)
    if "product" in data:
        raise missing_resource("product", data["product"], f"{name}[product]", status=400)
    if "product_data" not in data:
        raise _missing(f"{name}[product_data]")
    currencies.check_currency(data["currency"], f"{name}[currency]")
    currency = data["currency"].lower()
    _check_unit_amount(data, currency, name)
    return currency


def _check_unit_amount(data, currency, name):
    check_only_one(data, "unit_amount", "unit_amount_decimal", name)
    given = [key for key in ("unit_amount", "unit_amount_decimal") if key in data]
    if not given:
        raise _missing(f"{name}[unit_amount]")
    param = f"{name}[{given[0]}]"
    amount = data[given[0]]
    if amount != int(amount):
        raise simulated.refusal("line_items.price_data.unit_amount_decimal with a fraction")
    if amount < 0:
        raise invalid("Invalid non-negative integer", param=param, code="parameter_invalid_integer")
    currencies.check_exact(int(amount), currency, param)


def _check_methods(params, account, currency):
    check_only_one(params, "allowed_payment_method_types", "excluded_payment_method_types")
    if not payment_methods(params, account, currency):
        raise invalid(
            "No valid payment method types for this Checkout Session. Please ensure that you have"
            " activated payment methods compatible with your chosen currency in your dashboard"
            " (https://dashboard.stripe.com/settings/payment_methods)."
        )
