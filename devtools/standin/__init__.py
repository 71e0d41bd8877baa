"""A stand-in for Stripe, as strict as Stripe, for tests, the demo and the benchmarks.

It is not Stripe and moves no money. ``README.md`` says what it checks and what it does not know.
"""

from .calls import Call
from .delivery import Attempt, Delivery
from .errors import CheckoutError, StandInError
from .facade import StandIn

__all__ = ["Attempt", "Call", "CheckoutError", "Delivery", "StandIn", "StandInError"]
