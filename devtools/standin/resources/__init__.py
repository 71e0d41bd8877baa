"""The resources of the API, one module each.

A resource is a module with ``routes``; listing it here is all that makes it reachable.
``INCLUDED`` names the fields that only appear when ``expand`` asks for them.
"""

from . import (
    accounts,
    balance,
    balance_transactions,
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    payment_intents,
    payouts,
    refunds,
    webhook_endpoints,
)
from .charges import included_refunds
from .line_items import included_line_items

ROUTERS = [
    module.routes
    for module in (
        accounts,
        balance,
        balance_transactions,
        charges,
        checkout_sessions,
        customers,
        disputes,
        events,
        payment_intents,
        payouts,
        refunds,
        webhook_endpoints,
    )
]

INCLUDED = {
    ("charge", "refunds"): included_refunds,
    ("checkout.session", "line_items"): included_line_items,
}
