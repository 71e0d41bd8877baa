"""Checks a request's parameters against the SDK's types, as strictly as Stripe does."""

import re
from decimal import Decimal

from . import limits, sdk
from .errors import invalid
from .forms import name_of

INTEGER = re.compile(r"-?[0-9]{1,18}")
DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?")


def typed(tree, params_name):
    """Return the parameters with their types, after every check that needs no other knowledge.

    :param tree: nested dict of strings, as :func:`forms.parse` returns it.
    :param params_name: the SDK's name of the parameters, such as ``checkout.SessionCreateParams``.
    :return: nested dict of str, int, Decimal, bool, list and dict.
    :raise ApiError: 400 in Stripe's words for the first parameter that does not fit.
    """
    schema = sdk.Schema(group=sdk.params_type(params_name))
    unknown = list(_unknown(tree, schema, ()))
    if unknown:
        word = "parameters" if len(unknown) > 1 else "parameter"
        raise invalid(
            f"Received unknown {word}: {', '.join(unknown)}",
            param=unknown[0],
            code="parameter_unknown",
        )
    return _Reader(params_name).group(tree, schema, ())


def _unknown(tree, schema, path):
    """Yield the names of all parameters that the schema does not have, wherever they are."""
    if not isinstance(tree, dict):
        return
    if schema.items:
        for index, value in tree.items():
            yield from _unknown(value, schema.items, (*path, index))
    elif schema.fields is not None and not schema.values:
        for name, value in tree.items():
            if name in schema.fields:
                yield from _unknown(value, schema.fields[name][1], (*path, name))
            else:
                yield name_of((*path, name))


class _Reader:
    """Turns strings into typed values; knows the limits of one call."""

    def __init__(self, params_name):
        self.params_name = params_name

    def value(self, raw, schema, path):
        if isinstance(raw, dict):
            return self.nested(raw, schema, path)
        if raw == "":
            return self.empty(schema, path)
        return self.scalar(raw, schema, path)

    def empty(self, schema, path):
        if schema.clearable:
            return ""
        name = name_of(path)
        raise invalid(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to"
            f" unset a parameter; however '{name}' cannot be unset. You should remove '{name}'"
            " from your request or supply a non-empty value.",
            param=name,
            code="parameter_invalid_empty",
        )

    def nested(self, raw, schema, path):
        if schema.items:
            return self.array(raw, schema, path)
        if schema.values:
            return self.metadata(raw, path)
        if schema.group:
            return self.group(raw, schema, path)
        kind = "integer" if schema.integer else "boolean" if schema.boolean else "string"
        raise invalid(f"Invalid {kind}", param=name_of(path))

    def group(self, raw, schema, path):
        result = {}
        for name, (required, part) in schema.fields.items():
            if name in raw:
                result[name] = self.value(raw[name], part, (*path, name))
            elif required:
                missing = name_of((*path, name))
                raise invalid(
                    f"Missing required param: {missing}.", param=missing, code="parameter_missing"
                )
        return result

    def array(self, raw, schema, path):
        if not all(index.isascii() and index.isdigit() for index in raw):
            raise invalid("Invalid array", param=name_of(path))
        most = limits.most_items(self.params_name, _dotted(path))
        if most is not None and len(raw) > most:
            raise invalid(
                f"Array {name_of(path)} has too many elements: at most {most} are allowed.",
                param=name_of(path),
            )
        ordered = sorted(raw.items(), key=lambda entry: int(entry[0]))
        return [
            self.value(value, schema.items, (*path, number))
            for number, (_index, value) in enumerate(ordered)
        ]

    def metadata(self, raw, path):
        name = name_of(path)
        if len(raw) > limits.METADATA_KEYS:
            raise invalid(
                f"You can only have up to {limits.METADATA_KEYS} metadata keys, but you passed in"
                f" {len(raw)}.",
                param=name,
            )
        for key, value in raw.items():
            if isinstance(value, dict):
                raise invalid("Metadata values must be strings", param=name_of((*path, key)))
            if len(key) > limits.METADATA_KEY:
                raise invalid(
                    f"Metadata keys can have up to {limits.METADATA_KEY} characters, but you"
                    f" passed in a key that is {len(key)} characters. Invalid key: {key}",
                    param=name,
                )
            if len(value) > limits.METADATA_VALUE:
                raise invalid(
                    f"Metadata values can have up to {limits.METADATA_VALUE} characters, but you"
                    f" passed in a value that is {len(value)} characters."
                    f" Invalid value: {_shortened(value)}",
                    param=name_of((*path, key)),
                )
        return dict(raw)

    def scalar(self, raw, schema, path):
        name = name_of(path)
        if schema.enum and raw in schema.enum:
            return raw
        if schema.integer:
            if not INTEGER.fullmatch(raw):
                raise invalid(
                    f"Invalid integer: {raw}", param=name, code="parameter_invalid_integer"
                )
            return int(raw)
        if schema.enum:
            raise invalid(f"Invalid {path[-1]}: must be one of {_either(schema.enum)}", param=name)
        if schema.boolean:
            if raw not in ("true", "false"):
                raise invalid(f"Invalid boolean: {raw}", param=name)
            return raw == "true"
        if schema.decimal:
            if not DECIMAL.fullmatch(raw):
                raise invalid(f"Invalid decimal: {raw}", param=name)
            return Decimal(raw)
        if not schema.text:
            raise invalid("Invalid array" if schema.items else "Invalid object", param=name)
        longest = limits.longest_text(self.params_name, _dotted(path))
        if len(raw) > longest:
            raise invalid(
                f"Invalid string: {_shortened(raw)}; must be at most {longest} characters",
                param=name,
            )
        return raw


def _dotted(path):
    return ".".join(str(step) for step in path if not isinstance(step, int))


def _either(values):
    *others, last = map(str, values)
    if not others:
        return last
    return f"{', '.join(others)}, or {last}" if len(others) > 1 else f"{others[0]} or {last}"


def _shortened(text):
    return text if len(text) <= 30 else f"{text[:10]}...{text[-10:]}"
