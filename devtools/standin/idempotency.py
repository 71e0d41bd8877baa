"""Idempotency keys: a repeated request gets the stored answer of the first one.

Source: https://docs.stripe.com/api/idempotent_requests
"""

import threading
from dataclasses import dataclass

from .errors import ApiError

LIFETIME = 24 * 3600
LONGEST_KEY = 255


@dataclass
class Record:
    """The first request with a key, and its answer once there is one."""

    path: str
    params: dict
    created: int
    answer: object = None


class Idempotency:
    """The keys in use; each account has its own, and they live 24 hours."""

    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.Lock()

    def begin(self, account, key, path, params):
        """Take a key for a request, or find the answer that it already has.

        :param params: the parameters as they were sent.
        :return: the stored answer, or None when the request is to be carried out; then
            :meth:`finish` or :meth:`release` must follow.
        :raise ApiError: 400 for a key used with other parameters, 409 for one in use right now.
        """
        if len(key) > LONGEST_KEY:
            raise ApiError(
                f"Invalid idempotency key: keys may have up to {LONGEST_KEY} characters.",
                type="idempotency_error",
            )
        with self._lock:
            keys = account.idempotency
            record = keys.get(key)
            if record and self._clock.now() - record.created >= LIFETIME:
                record = None
            if record is None:
                keys[key] = Record(path, params, self._clock.now())
                return None
            self._compare(record, key, path, params)
            return record.answer

    @staticmethod
    def _compare(record, key, path, params):
        if record.path != path:
            raise ApiError(
                "Keys for idempotent requests can only be used for the same endpoint they were"
                f" first used for ('{path}' vs '{record.path}'). Try using a key other than"
                f" '{key}' if you meant to execute a different request.",
                type="idempotency_error",
            )
        if record.params != params:
            raise ApiError(
                "Keys for idempotent requests can only be used with the same parameters they were"
                f" first used with. Try using a key other than '{key}' if you meant to execute a"
                " different request.",
                type="idempotency_error",
            )
        if record.answer is None:
            raise ApiError(
                "There is currently another in-progress request using this Idempotent Key (that"
                " probably means you submitted twice, and the other request is still going"
                f" through): {key}. Please try again later.",
                status=409,
                type="idempotency_error",
                code="idempotency_key_in_use",
            )

    def finish(self, account, key, answer):
        """Store the answer of the request that took the key, whatever it was."""
        with self._lock:
            record = account.idempotency.get(key)
            if record:
                record.answer = answer

    def release(self, account, key):
        """Give the key back: the request was refused before it began."""
        with self._lock:
            account.idempotency.pop(key, None)
