"""Why attempts to pay are declined: Stripe's codes in words that staff understand.

https://docs.stripe.com/declines/codes, https://docs.stripe.com/error-codes. They are for staff
alone: clients are told no more than that they were declined, as Stripe asks for.
"""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

_UNKNOWN = _lt("no reason given")
_BLOCKED = _lt("the card is blocked, or fraud is suspected")
_UNFIT = _lt("the card is not for such payments")
_LIMIT = _lt("a limit of the card is reached")
_UNCHECKED = _lt("the payer did not pass the bank's check")
_UNREACHED = _lt("the bank could not be asked")
_CODE = _lt("wrong security code")
_NUMBER = _lt("wrong card number")
_DAY = _lt("wrong expiry date")

MEANINGS = {
    'authentication_required': _UNCHECKED,
    'call_issuer': _UNKNOWN,
    'card_declined': _UNKNOWN,
    'card_not_supported': _UNFIT,
    'card_velocity_exceeded': _LIMIT,
    'currency_not_supported': _UNFIT,
    'do_not_honor': _UNKNOWN,
    'expired_card': _lt("the card has expired"),
    'fraudulent': _BLOCKED,
    'generic_decline': _UNKNOWN,
    'incorrect_cvc': _CODE,
    'incorrect_number': _NUMBER,
    'insufficient_funds': _lt("not enough money on the account"),
    'invalid_cvc': _CODE,
    'invalid_expiry_month': _DAY,
    'invalid_expiry_year': _DAY,
    'invalid_number': _NUMBER,
    'issuer_not_available': _UNREACHED,
    'lost_card': _BLOCKED,
    'merchant_blacklist': _BLOCKED,
    'payment_intent_authentication_failure': _UNCHECKED,
    'pickup_card': _BLOCKED,
    'processing_error': _UNREACHED,
    'reenter_transaction': _UNREACHED,
    'restricted_card': _BLOCKED,
    'stolen_card': _BLOCKED,
    'transaction_not_allowed': _UNKNOWN,
    'try_again_later': _UNREACHED,
    'withdrawal_count_limit_exceeded': _LIMIT,
}
