"""Fills in references: ``expand=["latest_charge.balance_transaction"]``.

Source: https://docs.stripe.com/api/expanding_objects
"""

from . import sdk
from .errors import invalid

DEEPEST = 4


def check(paths, returns):
    """Refuse paths that name what cannot be expanded, before anything is done.

    :param paths: such as ``["data.source.payment_intent"]``.
    :param returns: name of the objects in the answer, in brackets when it is a list of them.
    :raise ApiError: 400 naming the path.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise invalid(
                f"You cannot expand more than {DEEPEST} levels of a property: {path}",
                param="expand",
            )
        is_list = returns.startswith("[")
        if is_list and (steps[0] != "data" or len(steps) < 2):
            raise _refusal(path, f" You may want to try expanding 'data.{path}' instead.")
        below = steps[1:] if is_list else steps
        if not _reachable((sdk.class_named(returns.strip("[]")),), below):
            raise _refusal(path)


def _refusal(path, hint=""):
    return invalid(f"This property cannot be expanded ({path}).{hint}", param="expand")


def _reachable(classes, steps):
    """Tell whether the SDK's types have a reference at the end of ``steps``."""
    name, *rest = steps
    referenced = tuple(target for cls in classes for target in sdk.references(cls).get(name, ()))
    if referenced:
        # A list below an object is named on the way to its entries: `line_items.data.price`.
        if rest[:1] == ["data"]:
            rest = rest[1:]
        return not rest or _reachable(referenced, rest)
    groups = tuple(sdk.groups(cls)[name] for cls in classes if name in sdk.groups(cls))
    return bool(groups and rest) and _reachable(groups, rest)


def expand(answer, paths, store, included):
    """Replace ids by the objects they name.

    :param answer: object or list as the API shows it; it is changed.
    :param paths: paths that :func:`check` let pass.
    :param store: the account's objects.
    :param included: ``{(object name, field): function(object, store)}`` for fields that only
        appear when they are asked for.
    :return: the answer.
    """
    for path in paths:
        _fill_in(answer, path.split("."), store, included)
    return answer


def _fill_in(value, steps, store, included):
    if not steps or not isinstance(value, dict):
        return
    name, *rest = steps
    provide = included.get((value.get("object"), name))
    if provide and value.get(name) is None:
        value[name] = provide(value, store)
    reference = value.get(name)
    if isinstance(reference, str):
        found = store.find(reference)
        value[name] = store.snapshot(found) if found else reference
    for entry in value[name] if isinstance(value.get(name), list) else [value.get(name)]:
        _fill_in(entry, rest, store, included)
