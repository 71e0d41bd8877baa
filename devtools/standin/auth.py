"""API keys: whose they are and what they may do."""

import base64
import binascii

from .errors import ApiError

PREFIXES = ("sk_test_", "rk_test_", "pk_test_", "sk_live_", "rk_live_", "pk_live_")

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header,"
    " using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See"
    " https://stripe.com/docs/api#authentication for details, or we can help at"
    " https://support.stripe.com/."
)
LIVE_KEY = (
    "This is the Stripe stand-in, not Stripe: it refuses live keys. Use the test keys it printed."
)
PUBLISHABLE_KEY = (
    "This API call cannot be made with a publishable API key. Please use a secret API key. You can"
    " find a list of your API keys at https://dashboard.stripe.com/account/apikeys."
)


def masked(key):
    """Return a key of which only the kind and the last four characters can be read."""
    prefix = next((prefix for prefix in PREFIXES if key.startswith(prefix)), "")
    hidden = len(key) - len(prefix)
    shown = key[-4:] if hidden >= 12 else ""
    return prefix + "*" * max(hidden - len(shown), 4) + shown


def key_from(header):
    """Return the API key in an ``Authorization`` header, empty if there is none.

    :param header: ``Bearer KEY`` or ``Basic`` with the key as the user name.
    """
    scheme, _space, value = (header or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def authenticate(accounts, key):
    """Find out whose key it is.

    :param accounts: all accounts.
    :param key: as the client sent it.
    :return: the account and the permissions, None for all of them.
    :raise ApiError: 401 for a missing, live, publishable or unknown key.
    """
    if not key:
        raise ApiError(NO_KEY, status=401)
    if "_live_" in key[:8]:
        raise ApiError(LIVE_KEY, status=401, code="api_key_live")
    for account in accounts:
        if key in (account.secret_key, account.restricted_key):
            return account, None
        if key in account.restricted:
            return account, account.restricted[key]
        if key == account.publishable_key:
            raise ApiError(PUBLISHABLE_KEY, status=401, code="secret_key_required")
    raise ApiError(f"Invalid API Key provided: {masked(key)}", status=401)


def add_restricted_key(account, permissions, without=()):
    """Make a restricted key.

    :param permissions: such as ``{"rak_checkout_session_write"}``; write includes read.
    :param without: permissions to leave out again.
    :return: the key.
    """
    names = {name.removeprefix("rak_") for name in permissions}
    names |= {name.removesuffix("_write") + "_read" for name in names if name.endswith("_write")}
    names -= {name.removeprefix("rak_") for name in without}
    key = account.new_key("rk_test_")
    account.restricted[key] = frozenset(names)
    return key


def check_permission(account, key, permissions, needed):
    """Refuse a restricted key that lacks a permission.

    :param permissions: what the key has, None for everything.
    :param needed: such as ``checkout_session_write``.
    :raise ApiError: 403 whose text names the missing permission.
    """
    if permissions is None or needed in permissions:
        return
    raise ApiError(
        f"The provided key '{masked(key)}' does not have the required permissions for this"
        f" endpoint on account '{account.id}'. Having the 'rak_{needed}' permission would allow"
        " this request to continue.",
        status=403,
    )
