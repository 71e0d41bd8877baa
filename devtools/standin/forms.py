"""Reads form-encoded bodies and query strings in Stripe's bracket notation."""

import re
from urllib.parse import parse_qsl

from .errors import invalid

BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def parse(text):
    """Return the nested parameters of a form-encoded text.

    Lists stay dicts keyed by their index: only the schema knows which of them are lists.

    :param text: such as ``metadata[a]=1&expand[0]=customer``.
    :return: nested dict whose leaves are strings.
    :raise ApiError: if one name is used both for a value and for a group of values.
    """
    tree = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        steps = _steps(name)
        place = tree
        for step in steps[:-1]:
            place = place.setdefault(_index(step, place), {})
            if not isinstance(place, dict):
                raise invalid(f"Invalid object: {name}", param=name)
        last = _index(steps[-1], place)
        if isinstance(place.get(last), dict):
            raise invalid(f"Invalid object: {name}", param=name)
        place[last] = value
    return tree


def _steps(name):
    head, bracket, rest = name.partition("[")
    if not bracket or not head:
        return [name]
    return [head, *BRACKETS.findall(bracket + rest)]


def _index(step, place):
    return step if step else str(len(place))


def name_of(path):
    """Return how Stripe writes the parameter at ``path``.

    :param path: steps, such as ``("line_items", 0, "price_data")``.
    """
    head, *rest = map(str, path)
    return head + "".join(f"[{step}]" for step in rest)
