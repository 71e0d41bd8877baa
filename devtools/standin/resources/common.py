"""What several resources share."""

import re
from urllib.parse import urlsplit

from ..errors import invalid, missing_resource
from ..listing import check_page, equal, in_range, page

EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def stored(request, kind, param, noun=None):
    """Return the object that the path names.

    :param kind: its ``object`` name.
    :param param: name of the path's variable part.
    :param noun: how Stripe names it in errors.
    :raise ApiError: 404 if this account has none.
    """
    object_id = request.ids[param]
    found = request.store.get(kind, object_id)
    if found is None:
        raise missing_resource(noun or kind, object_id, param)
    return found


def check_reference(request, kind, name):
    """Refuse a parameter that names an object this account does not have.

    :raise ApiError: 400 ``resource_missing``.
    """
    if name in request.params and not request.store.get(kind, request.params[name]):
        raise missing_resource(kind, request.params[name], name, status=400)


def check_only_one(params, first, second, group=""):
    """Refuse two parameters that exclude each other.

    :param group: name of the parameter that holds both, if any.
    :raise ApiError: 400 naming the second.
    """
    if first in params and second in params:
        raise invalid(
            f"You may only specify one of these parameters: {first}, {second}.",
            param=f"{group}[{second}]" if group else second,
        )


def check_positive(amount, param):
    """Refuse an amount below one.

    :raise ApiError: 400 ``parameter_invalid_integer``.
    """
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            param=param,
            code="parameter_invalid_integer",
        )


def check_list(request):
    """Refuse a page that cannot be."""
    check_page(request.params)


def listed(request, kind, *filters, keep=None):
    """Return one page of the objects of a kind.

    :param filters: parameters that ask for equality with the field of the same name.
    :param keep: further condition on an object.
    """
    found = [
        obj
        for obj in request.store.newest_first(kind)
        if equal(obj, request.params, *filters)
        and in_range(obj["created"], request.params.get("created"))
        and (keep is None or keep(obj))
    ]
    return page(found, request.params, request.route.template, kind)


def metadata(params, before=None):
    """Return metadata after a request: empty values unset their key, all of them if it is empty.

    :param before: the metadata so far.
    """
    given = params.get("metadata", {})
    if given == "":
        return {}
    merged = {**(before or {}), **given}
    return {key: value for key, value in merged.items() if value != ""}


def check_url(value, param):
    """Refuse what is not an absolute http or https address.

    :raise ApiError: 400 ``url_invalid``.
    """
    try:
        parts = urlsplit(value)
        whole = bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", value)
    except ValueError:
        raise invalid("Not a valid URL", param=param, code="url_invalid") from None
    if parts.scheme not in ("http", "https"):
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.",
            param=param,
            code="url_invalid",
        )
    if not whole:
        raise invalid("Not a valid URL", param=param, code="url_invalid")


def check_email(value, param):
    """Refuse what is not an e-mail address.

    :raise ApiError: 400 ``email_invalid``.
    """
    if not EMAIL.fullmatch(value):
        raise invalid(f"Invalid email address: {value}", param=param, code="email_invalid")
