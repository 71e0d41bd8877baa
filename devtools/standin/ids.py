"""Object ids that look like Stripe's: a prefix that names the kind, then random letters."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits


def random_text(length):
    """Return ``length`` random letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def new_id(prefix, length=24):
    """Return a new object id.

    :param prefix: the kind, such as ``pi`` or ``cs_test``.
    :param length: number of characters after the prefix.
    """
    return f"{prefix}_{random_text(length)}"
