"""What Stripe says about currencies: which exist, their minor units, smallest and largest amounts.

Sources: https://docs.stripe.com/currencies (supported currencies, zero-decimal and three-decimal
currencies, special cases, minimum and maximum charge amounts).
"""

from .errors import ApiError, invalid

_SUPPORTED = """
usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn
bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf
gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr
lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen
pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd
top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
"""
_ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"

SUPPORTED = frozenset(_SUPPORTED.split())
ZERO_DECIMAL = frozenset(_ZERO_DECIMAL.split())
THREE_DECIMAL = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
# Sent in hundredths although only whole units exist.
WHOLE_UNITS_ONLY = frozenset(("isk", "ugx"))

# By the currency that the payment settles in.
SMALLEST = {
    "usd": 50,
    "aed": 200,
    "aud": 50,
    "bgn": 100,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 1500,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "inr": 50,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 1000,
}
LARGEST = 99_999_999
SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "inr": "₹"}


def decimals(currency):
    """Return how many decimals an amount in minor units of ``currency`` has."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def smallest_step(currency):
    """Return the number of minor units that every amount must be a multiple of."""
    if currency in WHOLE_UNITS_ONLY:
        return 100
    return 10 if currency in THREE_DECIMAL else 1


def display(amount, currency):
    """Write an amount for people.

    :param amount: in minor units.
    :param currency: lower-case ISO code.
    :return: such as ``$1,234.50`` or ``ISK 500``.
    """
    places = 0 if currency in WHOLE_UNITS_ONLY else decimals(currency)
    number = f"{amount / 10 ** decimals(currency):,.{places}f}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{currency.upper()} {number}"


def check_currency(currency, param):
    """Refuse a currency that Stripe does not know.

    :raise ApiError: 400 naming ``param``.
    """
    if currency.lower() not in SUPPORTED:
        known = ", ".join(sorted(SUPPORTED))
        raise invalid(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {known}",
            param=param,
        )


def check_exact(amount, currency, param):
    """Refuse an amount that the currency cannot express.

    :param amount: in minor units.
    :raise ApiError: 400 naming ``param``.
    """
    step = smallest_step(currency)
    if amount % step:
        raise invalid(
            f"Invalid amount: {amount}. Amounts in {currency} must be divisible by {step}.",
            param=param,
            code="parameter_invalid_integer",
        )


def check_total(amount, currency, account):
    """Refuse a total that is too small or too large to be charged.

    :param amount: in minor units of ``currency``.
    :param account: decides the currency in which the payment settles.
    :raise ApiError: 400 ``amount_too_small`` or ``amount_too_large``.
    """
    settlement = account.settlement_currency(currency)
    least = SMALLEST.get(settlement, smallest_step(settlement))
    if account.converted(amount, currency) < least:
        shown = display(least, settlement)
        if settlement == currency:
            text = f"must add up to at least {shown} {settlement}"
        else:
            text = f"must convert to at least {shown} {settlement}"
        raise ApiError(f"The Checkout Session's total amount due {text}", code="amount_too_small")
    if amount > LARGEST:
        shown = display(LARGEST, currency)
        raise ApiError(
            f"The Checkout Session's total amount due must be no more than {shown} {currency}",
            code="amount_too_large",
        )
