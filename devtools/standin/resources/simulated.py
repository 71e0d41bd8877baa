"""Which parameters the stand-in simulates.

A parameter that Stripe knows and the stand-in does not act on is refused: to accept it silently
would let a test pass that Stripe fails.
"""

from ..errors import invalid

SESSION = frozenset((
    "adaptive_pricing",
    "allowed_payment_method_types",
    "branding_settings",
    "cancel_url",
    "client_reference_id",
    "currency",
    "custom_text",
    "customer",
    "customer_email",
    "excluded_payment_method_types",
    "expand",
    "expires_at",
    "integration_identifier",
    "line_items",
    "locale",
    "metadata",
    "mode",
    "origin_context",
    "payment_intent_data",
    "payment_method_options",
    "submit_type",
    "success_url",
))
PAYMENT_INTENT = frozenset((
    "description",
    "metadata",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
))
REFUND = frozenset(("amount", "charge", "expand", "metadata", "payment_intent", "reason"))
DISPUTE = frozenset(("evidence", "expand", "metadata", "submit"))
PAYOUT = frozenset((
    "amount",
    "currency",
    "description",
    "destination",
    "expand",
    "metadata",
    "statement_descriptor",
))
LINE_ITEM = frozenset(("metadata", "price", "price_data", "quantity"))
# Values that ask for what happens anyway.
DEFAULTS = {
    "billing_address_collection": "auto",
    "capture_method": "automatic_async",
    "customer_creation": "if_required",
    "method": "standard",
    "mode": "payment",
    "source_type": "card",
    "ui_mode": "hosted_page",
}


def check(params):
    """Refuse a session that the stand-in could not play like Stripe.

    :param params: typed parameters of the create call.
    :raise ApiError: 400 ``not_simulated``, in the stand-in's own words.
    """
    check_group(params, SESSION, "")
    check_group(params.get("payment_intent_data", {}), PAYMENT_INTENT, "payment_intent_data.")
    for item in params.get("line_items", []):
        check_group(item, LINE_ITEM, "line_items.")
    if params.get("mode", "payment") != "payment":
        raise refusal(f"mode={params['mode']}")


def check_group(group, simulated, prefix=""):
    """Refuse a parameter that is neither simulated nor asks for what happens anyway.

    :param group: typed parameters.
    :param simulated: names of those that the stand-in acts on.
    :param prefix: name of the group with a dot, empty at the top.
    :raise ApiError: 400 ``not_simulated``.
    """
    for name, value in group.items():
        if name not in simulated and not _is_off(value) and value != DEFAULTS.get(name):
            raise refusal(prefix + name)


def _is_off(value):
    """Tell whether a value switches a feature off, which is what happens anyway."""
    return value is False or value == {"enabled": False} or value in ([], {})


def refusal(what):
    """Return the error for something that Stripe may know and the stand-in does not play."""
    return invalid(
        f"The Stripe stand-in does not simulate `{what}`. Stripe itself may accept it.",
        param=what.partition(".")[0].partition("=")[0],
        code="not_simulated",
    )
