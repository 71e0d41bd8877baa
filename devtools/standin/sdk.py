"""Reads the pinned SDK's own types: parameters of requests, fields and references of objects."""

import functools
import types
import typing
from dataclasses import dataclass

import stripe
import typing_extensions
from stripe import _request_options
from stripe._object_classes import get_object_class

API_VERSION = stripe.api_version

# The TypedDicts inherit annotations from this module; one name in them is for type checkers only.
INHERITED_NAMES = {**vars(_request_options), "StripeContext": object}
CLIENT_OPTIONS = frozenset(_request_options.RequestOptions.__annotations__)

UNIONS = (typing.Union, types.UnionType)
WRAPPERS = (
    typing_extensions.NotRequired,
    typing_extensions.Required,
    getattr(typing, "NotRequired", typing_extensions.NotRequired),
    getattr(typing, "Required", typing_extensions.Required),
)


@dataclass
class Schema:
    """What the SDK allows for one parameter; several forms may be allowed at once."""

    text: bool = False
    integer: bool = False
    decimal: bool = False
    boolean: bool = False
    clearable: bool = False
    enum: tuple = ()
    items: "Schema | None" = None
    values: "Schema | None" = None
    group: type | None = None

    @property
    def fields(self):
        """Return ``{name: (required, Schema)}`` of a group of parameters, else None."""
        return fields_of(self.group) if self.group else None


def params_type(name):
    """Return the SDK's TypedDict for the parameters of one call.

    :param name: such as ``checkout.SessionCreateParams``.
    """
    return functools.reduce(getattr, name.split("."), stripe.params)


@functools.cache
def fields_of(typed_dict):
    """Return ``{name: (required, Schema)}`` of a TypedDict of the SDK.

    Options of the SDK itself (key, idempotency key …) share the TypedDict but are never sent.
    """
    hints = typing_extensions.get_type_hints(
        typed_dict, localns=INHERITED_NAMES, include_extras=True
    )
    own = [name for name in hints if name not in CLIENT_OPTIONS]
    return {name: (_is_required(hints[name]), _schema(_unwrap(hints[name]))) for name in own}


def _is_required(hint):
    return "NotRequired" not in str(typing_extensions.get_origin(hint))


def _unwrap(hint):
    while typing_extensions.get_origin(hint) in WRAPPERS:
        (hint,) = typing_extensions.get_args(hint)
    return hint


def _schema(hint):
    found = Schema()
    for option in _options(hint):
        _add(found, option)
    # The SDK writes enums as `Literal[…] | str` so that new values type-check; Stripe is stricter.
    if found.enum:
        found.text = False
    return found


def _options(hint):
    if typing_extensions.get_origin(hint) in UNIONS:
        for option in typing_extensions.get_args(hint):
            yield from _options(option)
    else:
        yield hint


def _add(found, option):
    origin, args = typing_extensions.get_origin(option), typing_extensions.get_args(option)
    if "Literal" in str(origin):
        found.clearable |= "" in args
        found.enum += tuple(value for value in args if value != "")
    elif origin in (list, typing.List):  # noqa: UP006 - what get_origin may return
        found.items = _schema(args[0])
    elif origin is dict:
        found.values = _schema(args[1])
    elif option is str:
        found.text = True
    elif option is bool:
        found.boolean = True
    elif option is int:
        found.integer = True
    elif getattr(option, "__name__", "") in ("Decimal", "float"):
        found.decimal = True
    elif isinstance(option, type) and hasattr(option, "__total__"):
        found.group = option


def object_fields(cls):
    """Return the names of all fields that an object of the API can have."""
    # The class variable that names the object is annotated like a field.
    return tuple(name for name in cls.__annotations__ if name != "OBJECT_NAME")


def values_of(cls, name):
    """Return the values that the SDK's type names for a field of an object."""
    options = _options(cls.__annotations__[name])
    return tuple(value for option in options for value in typing_extensions.get_args(option))


def shape(cls, omit=(), **values):
    """Build an object of the API that carries every field of the SDK's type, null when unset.

    :param cls: the SDK's class, such as ``stripe.Charge``.
    :param omit: fields that Stripe leaves out rather than sending null.
    :param values: the fields that are set.
    :return: a dict.
    :raise TypeError: if a value names a field that the SDK does not have.
    """
    names = object_fields(cls)
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise TypeError(f"{cls.__name__} has no field {', '.join(unknown)}")
    return {name: values.get(name) for name in names if name not in omit or name in values}


@functools.cache
def references(cls):
    """Return ``{field: (classes)}`` for the fields of an object that ``expand`` can fill in.

    Lists that hang below an object are among them, with the class of their entries.
    """
    found = {}
    for name, hint in cls.__annotations__.items():
        options = [option for option in _options(hint) if option is not type(None)]
        if str in options and len(options) > 1:
            named = [_class(option) for option in options if option is not str]
        else:
            named = [
                _class(typing_extensions.get_args(option)[0])
                for option in options
                if getattr(typing_extensions.get_origin(option), "__name__", "") == "ListObject"
            ]
        classes = tuple(cls_ for cls_ in named if cls_)
        if classes:
            found[name] = classes
    return found


@functools.cache
def groups(cls):
    """Return ``{field: class}`` for the groups, and lists of groups, that are part of an object."""
    return {
        name: option
        for name, hint in cls.__annotations__.items()
        for whole in _options(hint)
        for option in (whole, *typing_extensions.get_args(whole))
        if isinstance(option, type) and issubclass(option, stripe.StripeObject)
    }


def _class(option):
    name = getattr(option, "__forward_arg__", None) or getattr(option, "__name__", "")
    found = getattr(stripe, name, None)
    return found if isinstance(found, type) and hasattr(found, "OBJECT_NAME") else None


@functools.cache
def class_named(object_name):
    """Return the SDK's class of the objects whose ``object`` field says ``object_name``."""
    return get_object_class("V1", object_name)
