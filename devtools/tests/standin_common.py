"""Fixtures and helpers of the stand-in's tests."""

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

from ..standin import StandIn

stripe.enable_telemetry = False


@pytest.fixture(name="server", scope="module")
def server_fixture():
    """One stand-in for all tests of a module."""
    with StandIn() as server:
        yield server


@pytest.fixture(name="standin")
def standin_fixture(server):
    """The stand-in as new; balance transactions are made by hand."""
    server.reset()
    server.balance_transaction_delay = None
    return server


@pytest.fixture(name="client")
def client_fixture(standin):
    """The real SDK, connected with the secret key."""
    return connect(standin)


@pytest.fixture(name="session")
def session_fixture(standin, client):
    """A session of 120.50 USD, paid by card and booked."""
    session = new_session(client)
    standin.pay(session.id)
    standin.make_balance_transactions()
    return session


@pytest.fixture(name="receiver")
def receiver_fixture():
    """A server that takes webhooks."""
    with Receiver() as receiver:
        yield receiver


def connect(standin, key=None, **options):
    """Return the real SDK's client.

    :param key: the default account's secret key if None.
    """
    return stripe.StripeClient(
        key or standin.account.secret_key, base_addresses={"api": standin.url}, **options
    )


def line_item(amount=12050, currency="usd", quantity=1, **price_data):
    """Return one line item with an inline price."""
    return {
        "quantity": quantity,
        "price_data": {
            "currency": currency,
            "unit_amount": amount,
            "product_data": {"name": "INV/2026/00001"},
            **price_data,
        },
    }


def session_params(**changes):
    """Return the parameters of an ordinary session; a change to None leaves one out."""
    params = {
        "mode": "payment",
        "success_url": "http://127.0.0.1:9/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:9/back",
        "customer_email": "client@example.com",
        "metadata": {"reference": "TX1"},
        "payment_intent_data": {"metadata": {"invoice": "7"}, "description": "INV/2026/00001"},
        "line_items": [line_item()],
        **changes,
    }
    return {name: value for name, value in params.items() if value is not None}


def new_session(client, **changes):
    """Make a session through the SDK."""
    return client.v1.checkout.sessions.create(session_params(**changes))


def new_endpoint(client, url, events=("*",)):
    """Register a webhook endpoint through the SDK."""
    return client.v1.webhook_endpoints.create({
        "url": url,
        "enabled_events": list(events),
        "api_version": stripe.api_version,
    })


def intent_of(client, session, **params):
    """Return the PaymentIntent of a session, read from the API."""
    found = client.v1.checkout.sessions.retrieve(session.id)
    return client.v1.payment_intents.retrieve(found.payment_intent, params)


def refused(call, *args, error=stripe.InvalidRequestError):
    """Call the SDK and return the error it must raise."""
    with pytest.raises(error) as caught:
        call(*args)
    return caught.value


def error_of(client, **changes):
    """Return the error of a session with these changes."""
    return refused(client.v1.checkout.sessions.create, session_params(**changes))


def event_types(standin):
    """Return the types of all events, the oldest first."""
    return [event["type"] for event in reversed(standin.account.store.newest_first("event"))]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


def http(url, data=None, method=None, headers=None):
    """Send a request without following redirects.

    :param data: dict for a form, bytes for anything else.
    :return: status, headers and text of the answer.
    """
    body = urllib.parse.urlencode(data).encode() if isinstance(data, dict) else data
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


class Receiver:
    """Takes webhooks and remembers them; ``statuses`` are answered in turn, then 200."""

    def __init__(self):
        self.received = []
        self.statuses = []
        self.before_answer = None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                if receiver.before_answer:
                    receiver.before_answer()
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"

    def __enter__(self):
        serve = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        serve.start()
        return self

    def __exit__(self, *_error):
        self._server.shutdown()
        self._server.server_close()

    def events(self, secret):
        """Return the events received, each one verified by the SDK."""
        return [
            stripe.Webhook.construct_event(body, headers["Stripe-Signature"], secret)
            for headers, body in list(self.received)
        ]

    def types(self):
        """Return the types of the events received."""
        return [json.loads(body)["type"] for _headers, body in list(self.received)]
