"""Stripe accounts with their keys, settings and objects."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from . import currencies
from .ids import random_text
from .sdk import API_VERSION
from .store import Store

# Delayed methods that a Stripe account offers by currency.
BANK_DEBITS = {
    "usd": "us_bank_account",
    "eur": "sepa_debit",
    "gbp": "bacs_debit",
    "cad": "acss_debit",
    "aud": "au_becs_debit",
}


@dataclass
class Account:
    """One test account.

    :param display_name: the merchant's name that payers see.
    :param settlement_currencies: currencies that settle unconverted, None for all of them.
    :param exchange_rates: what one unit of a currency is worth in the default currency.
    :param payment_methods: methods switched on in the Dashboard; bank debits are offered for
        sessions in their own currency only.
    :param fee_percent: Stripe's share of a card payment.
    :param refund_status: what new refunds begin as (``succeeded``, ``pending`` or
        ``requires_action``); by the payment method if None: cards at once, bank debits pending.
    :param dispute_fee: what a dispute costs, in main units of the settlement currency.
    :param charges_enabled: whether Stripe lets the account take payments.
    """

    display_name: str = "Demo company"
    email: str = "billing@example.com"
    country: str = "US"
    default_currency: str = "usd"
    settlement_currencies: tuple | None = None
    exchange_rates: dict = field(default_factory=dict)
    payment_methods: tuple = ("card", *BANK_DEBITS.values())
    fee_percent: str = "2.9"
    refund_status: str | None = None
    dispute_fee: str = "15.00"
    api_version: str = API_VERSION
    adaptive_pricing: bool = True
    timezone: str = "Etc/UTC"
    charges_enabled: bool = True
    id: str = field(default_factory=lambda: "acct_1" + random_text(15))
    secret_key: str = ""
    publishable_key: str = ""
    restricted_key: str = ""
    restricted: dict = field(default_factory=dict)
    store: Store = field(default_factory=Store)
    idempotency: dict = field(default_factory=dict)
    created: int = 0

    def __post_init__(self):
        self.secret_key = self.secret_key or self.new_key("sk_test_")
        self.publishable_key = self.publishable_key or self.new_key("pk_test_")
        self.restricted_key = self.restricted_key or self.new_key("rk_test_")

    def new_key(self, prefix):
        """Return a key that begins with the account's id, as those of Stripe do."""
        return f"{prefix}5{self.id.removeprefix('acct_')}{random_text(82)}"

    def public(self):
        """Return what a setup script needs to connect to this account, keys included."""
        return {
            "id": self.id,
            "secret_key": self.secret_key,
            "publishable_key": self.publishable_key,
            "restricted_key": self.restricted_key,
            "display_name": self.display_name,
            "country": self.country,
            "default_currency": self.default_currency,
        }

    def settlement_currency(self, currency):
        """Return the currency in which a payment in ``currency`` reaches the balance."""
        if self.settlement_currencies is None or currency in self.settlement_currencies:
            return currency
        return self.default_currency

    def exchange_rate(self, currency):
        """Return the rate to the settlement currency as a float, None without conversion.

        As Stripe states it, between minor units: of a yen worth 0.0065 dollars it is 0.65 (cents).
        """
        target = self.settlement_currency(currency)
        if target == currency:
            return None
        rate = Decimal(str(self.exchange_rates.get(currency, 1)))
        shift = currencies.decimals(target) - currencies.decimals(currency)
        return float(rate * Decimal(10) ** shift)

    def converted(self, amount, currency):
        """Return an amount in minor units of the settlement currency.

        :param amount: in minor units of ``currency``.
        """
        rate = self.exchange_rate(currency)
        if rate is None:
            return amount
        exact = Decimal(amount) * Decimal(str(rate))
        return int(exact.quantize(Decimal(1), ROUND_HALF_UP))

    def methods_for(self, currency):
        """Return the payment methods that a session in ``currency`` can offer."""
        debits = set(BANK_DEBITS.values()) - {BANK_DEBITS.get(currency)}
        return [method for method in self.payment_methods if method not in debits]


class Accounts:
    """All accounts of the stand-in, found by their keys."""

    def __init__(self):
        self.default = Account()
        self._all = [self.default]

    def __iter__(self):
        return iter(self._all)

    def add(self, **settings):
        """Make another account and return it; the settings are those of :class:`Account`."""
        account = Account(**settings)
        self._all.append(account)
        return account

    def get(self, account_id):
        """Return the account with this id, None if there is none."""
        return next((account for account in self._all if account.id == account_id), None)

    def reset(self):
        """Forget everything but the default account's id and keys."""
        kept = self.default
        self.default = Account(
            id=kept.id,
            secret_key=kept.secret_key,
            publishable_key=kept.publishable_key,
            restricted_key=kept.restricted_key,
        )
        self._all = [self.default]
