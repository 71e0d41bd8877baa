"""Accounts: who the key belongs to."""

import stripe

from ..api import Routes
from ..errors import ApiError
from ..sdk import shape

routes = Routes()


def render(account):
    """Return the account as the API shows it; it has no ``livemode``."""
    profile = dict.fromkeys(stripe.Account.BusinessProfile.__annotations__)
    profile["name"] = account.display_name
    return shape(
        stripe.Account,
        omit=("company", "deleted", "groups", "individual"),
        id=account.id,
        object="account",
        business_profile=profile,
        capabilities={"card_payments": "active", "transfers": "active"},
        charges_enabled=account.charges_enabled,
        controller={"type": "account"},
        country=account.country,
        created=account.created,
        default_currency=account.default_currency,
        details_submitted=True,
        email=account.email,
        external_accounts={
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{account.id}/external_accounts",
        },
        metadata={},
        payouts_enabled=True,
        settings={
            "dashboard": {"display_name": account.display_name, "timezone": account.timezone},
            "payments": {"statement_descriptor": account.display_name.upper()[:22]},
        },
        type="standard",
    )


@routes.add(
    "GET", "/v1/account", "AccountRetrieveCurrentParams", "account", "accounts_kyc_basic_read"
)
def retrieve_current(request):
    """Return the account of the key."""
    return render(request.account)


@routes.add(
    "GET",
    "/v1/accounts/{account}",
    "AccountRetrieveParams",
    "account",
    "accounts_kyc_basic_read",
)
def retrieve(request):
    """Return the account of the key by its id; there are no connected accounts."""
    if request.ids["account"] != request.account.id:
        raise ApiError(
            f"The provided key does not have access to account '{request.ids['account']}' (or that"
            " account does not exist). Application access may have been revoked.",
            status=403,
            code="account_invalid",
        )
    return render(request.account)
