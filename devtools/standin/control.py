"""Control routes: what a Python test calls directly, for every other program.

Bodies and answers are JSON; arguments are the parameters of the Python method.
Errors are ``{"error": "what is wrong"}`` with status 400, 404 or 409.

==========================================  ====================================================
``GET /_control/``                          this list, as a page
``GET /_control/account``                   id and keys of the default account
``GET /_control/accounts``                  the same for all accounts
``GET /_control/calls``, ``DELETE``         the log of API calls; empty it
``GET /_control/events``                    events of all accounts, the newest first
``GET /_control/held``                      held deliveries
``GET /_control/attempts``                  log of delivery attempts
``GET /_control/session?id=``               one session as the API shows it
``POST /_control/<name>``                   every name in :data:`ACTIONS`
==========================================  ====================================================
"""

import html
import json
from urllib.parse import parse_qs

from . import control_money
from .errors import StandInError


def _as_list(entries):
    return [entry.as_dict() for entry in list(entries) if entry]


def _delivery(delivery):
    return {
        "event": delivery.event,
        "endpoint": delivery.endpoint["id"],
        "url": delivery.url,
        "body": delivery.body.decode(),
        "headers": delivery.headers,
    }


def _events(world):
    with world.lock:
        return [
            account.store.snapshot(event)
            for account in world.accounts
            for event in account.store.newest_first("event")
        ]


def _set_account(world, id=None, **settings):
    account = world.accounts.get(id) if id else world.account
    if account is None:
        raise ValueError(f"No such account: {id}")
    for name, value in settings.items():
        if name not in type(account).__dataclass_fields__ or name in PROTECTED:
            raise ValueError(f"Not a setting of an account: {name}")
        setattr(account, name, value)
    return account.public()


def _add_restricted_key(world, permissions=None, account=None, without=()):
    found = world.accounts.get(account) if account else world.account
    if found is None:
        raise ValueError(f"No such account: {account}")
    return {"key": world.add_restricted_key(permissions, found, without)}


def _settings(world, **values):
    for name, value in values.items():
        owner, attribute = SETTINGS.get(name, (None, None))
        if owner is None:
            raise ValueError(f"Unknown setting: {name}. Known: {', '.join(SETTINGS)}.")
        setattr(owner(world), attribute, value)


PROTECTED = ("id", "secret_key", "publishable_key", "restricted_key", "restricted", "store")
SETTINGS = {
    "retry_delays": (lambda world: world.deliveries, "retry_delays"),
    "delivery_timeout": (lambda world: world.deliveries, "timeout"),
    "extra_headers": (lambda world: world.deliveries, "extra_headers"),
    "balance_transaction_delay": (lambda world: world.bookkeeping, "delay"),
}

# name: (function(world, **arguments), what it does)
ACTIONS = {
    "pay": (
        lambda w, **a: w.pay(**a),
        "pay a session: session_id, method, outcome, amount, email",
    ),
    "settle_debit": (lambda w, session_id: w.settle_debit(session_id), "a debit succeeds"),
    "fail_debit": (lambda w, session_id: w.fail_debit(session_id), "a debit fails"),
    "cancel": (
        lambda w, session_id: {"cancel_url": w.cancel(session_id)},
        "where Cancel leads; changes nothing",
    ),
    "make_balance_transactions": (
        lambda w: w.make_balance_transactions(),
        "book every charge that waits",
    ),
    **control_money.ACTIONS,
    "advance": (lambda w, seconds: {"now": w.advance(seconds)}, "move the clock: seconds"),
    "expire_due": (lambda w: w.expire_due(), "run what is due"),
    "reset": (lambda w: w.reset(), "forget all but the default account's keys"),
    "add_account": (lambda w, **a: w.add_account(**a).public(), "another account"),
    "set_account": (_set_account, "settings of an account: id, default_currency …"),
    "add_restricted_key": (
        _add_restricted_key,
        "a key: permissions (all by default), without, account",
    ),
    "disable_endpoint": (lambda w, endpoint_id: w.disable_endpoint(endpoint_id), "disable it"),
    "roll_secret": (
        lambda w, endpoint_id: {"secret": w.roll_secret(endpoint_id)},
        "roll an endpoint's secret and sign with both",
    ),
    "hold": (lambda w: w.deliveries.hold(), "keep deliveries"),
    "release": (
        lambda w, **a: _as_list(w.deliveries.release(**a)),
        "send held ones: order (fifo, reverse, random, event ids), copies",
    ),
    "pop_all": (
        lambda w: [_delivery(each) for each in w.deliveries.pop_all()],
        "take held deliveries without sending",
    ),
    "delay": (lambda w, seconds: w.deliveries.delay(seconds), "send later: seconds"),
    "double_sign": (
        lambda w, old_secret=None: w.deliveries.double_sign(old_secret),
        "a second v1: old_secret, null ends it",
    ),
    "duplicate_events": (
        lambda w, on=True: w.deliveries.duplicate_events(on),
        "two events for one thing: on",
    ),
    "repeat": (
        lambda w, **a: _as_list(w.deliveries.repeat(**a)),
        "send one event again: event_id, times, parallel",
    ),
    "wait_idle": (lambda w, timeout=30: {"idle": w.wait_idle(timeout)}, "wait: timeout"),
    "faults": (
        lambda w, **a: w.faults.next(**a),
        "break calls: n, kind, path, method, seconds",
    ),
    "clear_faults": (lambda w: w.faults.clear(), "repair everything"),
    "settings": (_settings, "set: " + ", ".join(SETTINGS)),
}

VIEWS = {
    "account": lambda w: w.account.public(),
    "accounts": lambda w: [account.public() for account in w.accounts],
    "calls": lambda w: _as_list(w.calls),
    "events": _events,
    "held": lambda w: [_delivery(each) for each in list(w.deliveries.held)],
    "attempts": lambda w: _as_list(w.deliveries.attempts),
    "faults": lambda w: w.faults.pending,
    "session": lambda w, id: w.session(id),
}


def handle(world, request):
    """Answer a control request.

    :param request: :class:`api.HttpRequest`.
    :return: HTTP status and a JSON-ready document, or a page as a string.
    """
    name = request.path.removeprefix("/_control").strip("/")
    try:
        if request.method == "GET":
            return _view(world, name, request.query)
        if request.method == "DELETE" and name == "calls":
            world.calls.clear()
            return 200, {"ok": True}
        return _act(world, name, request.body)
    except StandInError as error:
        return 409, {"error": str(error)}
    except (TypeError, ValueError) as error:
        return 400, {"error": str(error)}


def _view(world, name, query):
    if not name:
        return 200, _index()
    if name not in VIEWS:
        return 404, {"error": f"No such view: {name}. See /_control/."}
    arguments = {key: values[0] for key, values in parse_qs(query).items()}
    return 200, VIEWS[name](world, **arguments)


def _act(world, name, body):
    if name not in ACTIONS:
        return 404, {"error": f"No such action: {name}. See /_control/."}
    arguments = json.loads(body) if body.strip() else {}
    if not isinstance(arguments, dict):
        raise ValueError("The body must be a JSON object.")
    result = ACTIONS[name][0](world, **arguments)
    return 200, {"ok": True} if result is None else result


def _index():
    rows = "".join(
        f"<tr><td><code>POST /_control/{name}</code></td><td>{html.escape(text)}</td></tr>"
        for name, (_action, text) in ACTIONS.items()
    )
    views = "".join(
        f'<li><a href="/_control/{name}"><code>GET /_control/{name}</code></a></li>'
        for name in VIEWS
        if name != "session"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Stripe stand-in</title>'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;"
        "padding:0 1rem}td{padding:.2rem 1rem .2rem 0;vertical-align:top}</style></head><body>"
        "<h1>Stripe stand-in</h1><p>This is not Stripe. No money moves.</p>"
        f"<h2>Views</h2><ul>{views}</ul><h2>Actions</h2><table>{rows}</table></body></html>"
    )
