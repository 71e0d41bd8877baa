"""Payment methods of the test mode: numbers to type, and how they show on objects."""

import stripe

from .ids import random_text
from .sdk import shape

NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))

# Source of the numbers and their answers: https://docs.stripe.com/testing
SUCCESS_CARD = "4242424242424242"
DECLINED_CARDS = {
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000000069": "expired_card",
    "4000000000000127": "incorrect_cvc",
}
MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
}
# These are a code of their own; the others are the decline code of `card_declined`.
OWN_CODES = ("expired_card", "incorrect_cvc")

DEBIT_LABELS = {
    "us_bank_account": "US bank account",
    "sepa_debit": "SEPA Direct Debit",
    "bacs_debit": "Bacs Direct Debit",
    "acss_debit": "Pre-authorized debit",
    "au_becs_debit": "BECS Direct Debit",
}


def details(method):
    """Return how the payer's card or account shows on payment method and charge."""
    if method == "card":
        return {
            "brand": "visa",
            "country": "US",
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": random_text(16),
            "funding": "credit",
            "last4": "4242",
        }
    shown = {"fingerprint": random_text(16), "last4": "6789"}
    if method == "us_bank_account":
        shown.update(
            account_holder_type="company",
            account_type="checking",
            bank_name="STRIPE TEST BANK",
            routing_number="110000000",
        )
    return shown


def make(account, method, email, now):
    """Make the payment method that a payer entered.

    :param method: ``card`` or a kind of bank debit.
    :param email: of the payer.
    :param now: seconds since 1970.
    :return: the object, kept among the account's.
    """
    shown = {"allow_redisplay", "customer", "customer_account"}
    hidden = tuple(set(stripe.PaymentMethod.__annotations__) - shown)
    return account.store.add(
        shape(
            stripe.PaymentMethod,
            omit=hidden,
            id="pm_1" + random_text(23),
            object="payment_method",
            allow_redisplay="limited",
            billing_details=billing_details(email),
            created=now,
            livemode=False,
            metadata={},
            type=method,
            **{method: details(method)},
        )
    )


def billing_details(email):
    """Return the billing details of a payer who gave an e-mail address only."""
    return {
        "address": dict(NO_ADDRESS),
        "email": email,
        "name": None,
        "phone": None,
        "tax_id": None,
    }


def customer_details(email, name=None):
    """Return the ``customer_details`` of a session whose payer is known by e-mail address."""
    return {
        "address": dict(NO_ADDRESS),
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def decline_error(code, method):
    """Return the ``last_payment_error`` of a refused payment, without its payment method.

    :param code: decline code.
    """
    if method != "card":
        return {
            "type": "invalid_request_error",
            "code": "payment_intent_payment_attempt_failed",
            "decline_code": code,
            "message": "The bank refused the debit.",
        }
    return {
        "type": "card_error",
        "code": code if code in OWN_CODES else "card_declined",
        "decline_code": code,
        "message": MESSAGES.get(code, MESSAGES["generic_decline"]),
    }
