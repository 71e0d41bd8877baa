"""One delivery: an event on its way to one webhook endpoint."""

import http.client
import json
import threading
import time
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from .signing import signature_header


@dataclass
class Attempt:
    """What came of sending an event once.

    :param status: HTTP status of the answer, None without an answer.
    :param seconds: until the answer came.
    :param error: why there was no answer, else empty.
    :param time: seconds since 1970 on the machine's clock, when it was sent.
    """

    event_id: str
    event_type: str
    url: str
    status: int | None
    seconds: float
    error: str = ""
    time: float = 0.0

    @property
    def succeeded(self):
        """Return whether Stripe takes it as delivered: any 2xx; a redirect is a failure."""
        return self.status is not None and 200 <= self.status < 300

    def as_dict(self):
        """Return the attempt as a JSON-ready dict."""
        return asdict(self)


class Delivery:
    """An event for one endpoint.

    :param deliveries: the settings and the log.
    :param account: whose event it is.
    :param event: the event as it is stored.
    :param endpoint: the endpoint as it is stored.
    """

    def __init__(self, deliveries, account, event, endpoint):
        self._deliveries = deliveries
        self._account = account
        self.event = event
        self.endpoint = endpoint
        # The same dict, so that a rolled secret is used and a deleted endpoint's is not lost.
        self._private = account.store.private[endpoint["id"]]
        # What was under way when the stand-in was reset no longer counts.
        self.generation = deliveries.generation
        self.tries = 0
        self.delivered = False
        self.answered = threading.Event()

    @property
    def url(self):
        """Return the address of the endpoint."""
        return self.endpoint["url"]

    @property
    def body(self):
        """Return the bytes to send: the event in the API version of its endpoint."""
        version = self.endpoint["api_version"] or self.event["api_version"]
        return json.dumps({**self.event, "api_version": version}, indent=2).encode()

    @property
    def headers(self):
        """Return the headers to send, signed at this moment."""
        return self.signed()

    def signed(self, secret=None, timestamp=None):
        """Return the headers with a fresh signature.

        :param secret: sign with this one instead of the endpoint's.
        :param timestamp: the moment to sign for, in seconds since 1970.
        """
        if secret is None:
            secrets = [self._private["secret"], *self._deliveries.second_secrets]
        else:
            secrets = [secret]
        return {
            "Accept": "*/*; q=0.5, application/xml",
            "Cache-Control": "no-cache",
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature_header(self.body, secrets, timestamp),
            **self._deliveries.extra_headers,
        }

    @property
    def is_wanted(self):
        """Return whether the endpoint still exists and is enabled."""
        known = self._account.store.get("webhook_endpoint", self.endpoint["id"])
        return known is not None and known["status"] == "enabled"

    def attempt(self):
        """Send the event once and log it.

        :return: the :class:`Attempt`, None when the endpoint is gone or disabled.
        """
        try:
            if not self.is_wanted:
                return None
            self.tries += 1
            started = time.time()
            body = self.body
            status, error = post(self.url, body, self.signed(), self._deliveries.timeout)
            return self.note(status, error, started)
        finally:
            self.answered.set()

    def note(self, status, error="", started=None):
        """Log an attempt, also one that somebody else made with :attr:`body` and :meth:`signed`.

        :param status: HTTP status of the answer, None without one.
        :param error: what went wrong.
        :param started: when it began, in seconds since 1970; now if None.
        :return: the :class:`Attempt`.
        """
        now = time.time()
        started = now if started is None else started
        attempt = Attempt(
            event_id=self.event["id"],
            event_type=self.event["type"],
            url=self.url,
            status=status,
            seconds=now - started,
            error=error,
            time=started,
        )
        self._deliveries.record(self, attempt)
        return attempt


def post(url, body, headers, timeout):
    """Send a body by POST; redirects are not followed.

    :param timeout: seconds for the connection and for each part of the answer.
    :return: HTTP status and an empty string, or None and what went wrong.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body=body, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status, ""
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        connection.close()
