"""Pure helpers: amounts in minor units, API keys, redaction. Nothing here needs a database."""

import ipaddress
import math
import re
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation

from . import const

_PERMISSION_PATTERN = re.compile(r'\brak_[a-z0-9_]+')
_KEY_ACCOUNT_PATTERN = re.compile(r'(?:sk|rk|pk)_(?:test|live)_5(1[A-Za-z0-9]{13})[A-Za-z0-9]{60}')
_KEY_PATTERN = re.compile(r'\b((?:sk|rk|pk)_(?:test|live)_|whsec_)[A-Za-z0-9_]+', re.IGNORECASE)
_SIGNATURE_PATTERN = re.compile(r't=[0-9]+,(?:.*,)?v1=[0-9a-f]{64}(?:,|$)')


class InexactAmount(ValueError):
    """An amount that cannot be expressed in the units in which Stripe takes the currency."""


def _minor_unit_rule(currency_name):
    """Return how Stripe counts a currency.

    :param str currency_name: The ISO 4217 code.
    :return: The number of minor units in one major unit, and the number of minor units that any
             amount must be a multiple of.
    :rtype: tuple[int, int]
    """
    if currency_name in const.ZERO_DECIMAL_CURRENCIES:
        return 1, 1
    if currency_name in const.WHOLE_UNIT_CURRENCIES:
        return 100, 100
    if currency_name in const.THREE_DECIMAL_CURRENCIES:
        return 1000, 10
    return 100, 1


def to_minor_units(amount, currency_name):
    """Convert an amount to Stripe's minor units, exactly.

    :param float amount: The amount in major units, as Odoo's monetary fields hold it.
    :param str currency_name: The ISO 4217 code.
    :return: The amount in minor units.
    :rtype: int
    :raise InexactAmount: If Stripe cannot take the amount without rounding it.
    """
    factor, step = _minor_unit_rule(currency_name)
    # Floats carry noise (1111.1100000000001): six decimals are far below any currency's unit and
    # far above the noise, so that nothing but the noise is taken off.
    try:
        minor = round(Decimal(amount), 6) * factor
    except InvalidOperation:  # More digits than Decimal keeps: a browser can send any number.
        minor = None
    if minor is None or minor % step:
        raise InexactAmount(f"{amount} {currency_name} is not exact in Stripe's units")
    return int(minor)


def to_major_units(minor_amount, currency_name):
    """Convert an amount in Stripe's minor units to major units.

    :param int minor_amount: The amount in minor units.
    :param str currency_name: The ISO 4217 code.
    :return: The amount in major units.
    :rtype: float
    """
    factor, _step = _minor_unit_rule(currency_name)
    return float(Decimal(minor_amount) / factor)


def round_up(amount, currency_name):
    """Round an amount up to what Stripe can take exactly.

    :param float amount: The amount in major units.
    :param str currency_name: The ISO 4217 code.
    :return: The amount in major units.
    :rtype: float
    """
    factor, step = _minor_unit_rule(currency_name)
    minor = math.ceil(round(Decimal(amount), 6) * factor / step) * step
    return to_major_units(minor, currency_name)


def can_be_charged(amount, currency_name):
    """Tell whether Stripe takes a payment of an amount.

    :param float amount: The amount in major units.
    :param str currency_name: The ISO 4217 code.
    :return: Whether the amount is exact and within Stripe's limits.
    :rtype: bool
    """
    try:
        minor = to_minor_units(amount, currency_name)
    except InexactAmount:
        return False
    return _get_minimum_charge(currency_name) <= minor <= const.MAXIMUM_CHARGE


def get_minimum_charge(currency_name):
    """Return the smallest amount that Stripe takes, as far as Stripe says.

    :param str currency_name: The ISO 4217 code.
    :return: The amount in major units.
    :rtype: float
    """
    return to_major_units(_get_minimum_charge(currency_name), currency_name)


def _get_minimum_charge(currency_name):
    return const.MINIMUM_CHARGE.get(currency_name, _minor_unit_rule(currency_name)[1])


def parse_amount(text):
    """Read an amount that a browser sent.

    :param str text: What a number field holds: digits with a point, in any language.
    :return: The amount in major units; None for anything but a finite number.
    :rtype: float|None
    """
    try:
        amount = float(text)
    except (TypeError, ValueError):
        return None
    return amount if math.isfinite(amount) else None


def parse_session_id(text):
    """Read the id of a Checkout Session that a browser sent.

    :param str|None text: What stands in the address.
    :return: The id; empty for what is none, such as a NUL, which PostgreSQL does not take.
    :rtype: str
    """
    return text if text and text.isascii() and text.isprintable() else ''


def parse_day(text):
    """Read a day that a browser sent.

    :param str text: What a field holds: year, month and day (ISO 8601).
    :return: The day; None for anything else.
    :rtype: date|None
    """
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def to_checkout_locale(lang):
    """Choose the language in which Checkout speaks to a client.

    :param str lang: The code of Odoo's language, such as `fr_BE`; may be empty.
    :return: The nearest of Stripe's locales; `'auto'`, the browser's, where there is none.
    :rtype: str
    """
    tag = (lang or '').partition('@')[0].replace('_', '-')
    language = tag.partition('-')[0]
    for locale in (tag, const.CHECKOUT_LOCALE_ALIASES.get(tag), language):
        if locale in const.CHECKOUT_LOCALES:
            return locale
    return const.CHECKOUT_LOCALE_ALIASES.get(language, 'auto')


def get_key_mode(key, kind):
    """Read the mode from the prefix of an API key.

    :param str key: The API key.
    :param str kind: `'secret'` (restricted keys are secret keys too) or `'publishable'`.
    :return: `'test'` or `'live'`; None if the key is not of that kind.
    :rtype: str|None
    """
    for prefix in const.KEY_PREFIXES[kind]:
        if key.startswith(prefix) and len(key) > len(prefix):
            return prefix.split('_')[1]
    return None


def read_key_account(key):
    """Read from an API key what tells its account from others.

    Not documented, but seen in keys of 99 characters and more: `acct_1Abc…` has keys such as
    `pk_test_51Abc…`. See https://github.com/theopenco/llmgateway/pull/2083 for a pair that differs.

    :param str key: The API key.
    :return: The beginning of the account's id; None for a key of another form, which tells nothing.
    :rtype: str|None
    """
    match = _KEY_ACCOUNT_PATTERN.match(key)
    return match[1] if match else None


def redact(text):
    """Mask every API key and webhook secret in a text.

    :param str text: Any text, such as the message of an error.
    :return: The text with only the prefix and the last four characters of each key.
    :rtype: str
    """
    return _KEY_PATTERN.sub(lambda match: f'{match[1]}…{match[0][-4:]}', text or '')


def mask_key(key):
    """Show of an API key what tells it from another: its prefix and its last four characters.

    :param str key: The API key, or whatever was typed in its place.
    :return: The masked key, empty for an empty one.
    :rtype: str
    """
    if not key:
        return ''
    prefixes = const.KEY_PREFIXES['secret'] + const.KEY_PREFIXES['publishable']
    prefix = next((prefix for prefix in prefixes if key.startswith(prefix)), '')
    return f'{prefix}…{key[-4:]}'


def find_permissions(text):
    """Find the permissions of a restricted key that an error of Stripe names.

    :param str text: The message of a 403.
    :return: The names, such as `rak_webhook_write`, each once and in order.
    :rtype: list[str]
    """
    return list(dict.fromkeys(_PERMISSION_PATTERN.findall(text or '')))


def is_signature(header):
    """Tell whether a header has the form in which Stripe signs, whatever the secret.

    See https://docs.stripe.com/webhooks#verify-manually.

    :param str header: The header `Stripe-Signature`.
    :rtype: bool
    """
    return bool(_SIGNATURE_PATTERN.match(header))


def is_local_host(host):
    """Tell whether a host is one that nobody outside can reach.

    :param str|None host: A host name or an IP address.
    :rtype: bool
    """
    if not host or host == 'localhost' or host.endswith(('.localhost', '.local', '.internal')):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return '.' not in host  # A name; without a dot it is of the local network.


def to_timestamp(moment):
    """Convert naive UTC, as Odoo holds it, to a Unix time, as Stripe takes it.

    :param datetime moment: The moment, UTC.
    :rtype: int
    """
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


def to_datetime(timestamp):
    """Convert a Unix time, as Stripe says it, to naive UTC, as Odoo holds it.

    :param int timestamp: The Unix time.
    :rtype: datetime
    """
    return datetime.fromtimestamp(timestamp, tz=timezone.utc).replace(tzinfo=None)
