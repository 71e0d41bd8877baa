"""Lists in pages, the newest object first.

Source: https://docs.stripe.com/api/pagination
"""

from .errors import invalid, missing_resource

DEFAULT_LIMIT = 10
LARGEST_LIMIT = 100

COMPARISONS = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


def check_page(params):
    """Refuse a page that cannot be: limit out of range, both cursors at once.

    :raise ApiError: 400 naming the parameter.
    """
    limit = params.get("limit", DEFAULT_LIMIT)
    if limit < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            param="limit",
            code="parameter_invalid_integer",
        )
    if limit > LARGEST_LIMIT:
        raise invalid(
            f"This value must be less than or equal to {LARGEST_LIMIT} (`limit` is {limit}).",
            param="limit",
            code="parameter_invalid_integer",
        )
    if "starting_after" in params and "ending_before" in params:
        raise invalid(
            "You may only specify one of these parameters: starting_after, ending_before.",
            param="starting_after",
        )


def page(objects, params, url, noun):
    """Return one page of a list.

    :param objects: all objects that match the filters, in the list's order.
    :param params: with ``limit``, ``starting_after`` and ``ending_before``.
    :param url: address of the list, part of the answer.
    :param noun: how Stripe names such an object in an error.
    :return: Stripe's list object.
    :raise ApiError: 400 for a cursor that is not in the list.
    """
    limit = params.get("limit", DEFAULT_LIMIT)
    position = {obj["id"]: number for number, obj in enumerate(objects)}
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in position:
            raise missing_resource(noun, params[name], name, status=400)
    if "ending_before" in params:
        end = position[params["ending_before"]]
        start = max(0, end - limit)
        more = start > 0
    else:
        start = position[params["starting_after"]] + 1 if "starting_after" in params else 0
        end = start + limit
        more = end < len(objects)
    return {"object": "list", "data": objects[start:end], "has_more": more, "url": url}


def in_range(value, bounds):
    """Tell whether a time passes a ``created`` filter.

    :param value: seconds since 1970.
    :param bounds: an exact time, a dict of gt/gte/lt/lte, or None.
    """
    if bounds is None:
        return True
    if isinstance(bounds, int):
        return value == bounds
    return all(COMPARISONS[name](value, bound) for name, bound in bounds.items())


def equal(obj, params, *names):
    """Tell whether an object has the values that the filters of these names ask for."""
    return all(obj[name] == params[name] for name in names if name in params)
