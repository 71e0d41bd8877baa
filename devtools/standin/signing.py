"""Signs webhook deliveries.

Source: https://docs.stripe.com/webhooks#verify-manually
"""

import hashlib
import hmac
import time


def signature_header(body, secrets, timestamp=None):
    """Return the value of ``Stripe-Signature``.

    :param body: the bytes that are sent.
    :param secrets: one ``v1`` signature is made for each, in this order.
    :param timestamp: seconds since 1970, the machine's present by default.
    """
    moment = int(time.time() if timestamp is None else timestamp)
    signed = f"{moment}.".encode() + body
    parts = [f"t={moment}"]
    for secret in secrets:
        digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        parts.append(f"v1={digest}")
    return ",".join(parts)
