"""Control routes, the command line, and the life of the stand-in."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import stripe

from .. import standin as package
from ..standin import StandIn
from ..standin.control import ACTIONS, VIEWS
from .standin_common import (
    client_fixture,  # noqa: F401
    connect,
    http,
    new_endpoint,
    new_session,
    receiver_fixture,  # noqa: F401
    refused,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)


def control(standin, name, **arguments):
    """Call a control action; return the document, which must come with 200."""
    body = json.dumps(arguments).encode()
    status, _headers, text = http(f"{standin.url}/_control/{name}", body)
    assert status == 200, text
    return json.loads(text)


def view(standin, name):
    """Return what a control view shows."""
    status, _headers, text = http(f"{standin.url}/_control/{name}")
    assert status == 200, text
    return json.loads(text)


def test_account(standin):
    shown = view(standin, "account")
    assert shown["id"] == standin.account.id
    client = connect(standin, shown["secret_key"])
    assert client.v1.accounts.retrieve_current().id == shown["id"]
    assert shown["publishable_key"].startswith("pk_test_")
    assert shown["restricted_key"].startswith("rk_test_")


def test_index_names_everything(standin):
    _status, headers, text = http(standin.url + "/_control/")
    assert headers["Content-Type"].startswith("text/html")
    assert all(f"POST /_control/{name}<" in text for name in ACTIONS)
    assert all(name in text for name in VIEWS if name != "session")
    assert http(standin.url + "/")[0] == 303


def test_calls(standin, client):
    new_session(client)
    (call,) = view(standin, "calls")
    assert (call["method"], call["path"]) == ("POST", "/v1/checkout/sessions")
    assert http(standin.url + "/_control/calls", method="DELETE")[0] == 200
    assert view(standin, "calls") == []


def test_pay_and_settle(standin, client):
    session = new_session(client)
    assert control(standin, "cancel", session_id=session.id)["cancel_url"] == session.cancel_url
    paid = control(standin, "pay", session_id=session.id, method="us_bank_account")
    assert paid["payment_status"] == "unpaid"
    assert control(standin, "settle_debit", session_id=session.id)["payment_status"] == "paid"
    (made,) = control(standin, "make_balance_transactions")
    assert made["amount"] == 12050
    assert view(standin, f"session?id={session.id}")["status"] == "complete"
    failing = new_session(client)
    control(standin, "pay", session_id=failing.id, method="us_bank_account")
    assert control(standin, "fail_debit", session_id=failing.id)["payment_status"] == "unpaid"


def test_refunds_and_disputes(standin, client):
    session = new_session(client).id
    control(standin, "pay", session_id=session)
    control(standin, "set_account", refund_status="pending")
    settled = control(standin, "refund", paid_id=session, amount=100, reason="duplicate")["id"]
    assert control(standin, "settle_refund", refund_id=settled)["status"] == "succeeded"
    failed = control(standin, "fail_refund", refund_id=settled, reason="declined")
    assert failed["failure_reason"] == "declined"
    control(standin, "set_account", refund_status="requires_action")
    waiting = control(standin, "refund", paid_id=session)["id"]
    assert control(standin, "cancel_refund", refund_id=waiting)["status"] == "canceled"
    inquiry = control(standin, "dispute", paid_id=session, amount=900, inquiry=True)["id"]
    control(standin, "escalate_dispute", dispute_id=inquiry)
    control(standin, "review_dispute", dispute_id=inquiry)
    won = control(standin, "win_dispute", dispute_id=inquiry, return_fee=True)
    assert sum(each["net"] for each in won["balance_transactions"]) == 0
    other = control(standin, "dispute", paid_id=session, inquiry=True)["id"]
    closed = control(standin, "close_inquiry", dispute_id=other)
    assert closed["status"] == "warning_closed"
    lost = control(standin, "dispute", paid_id=session, reason="duplicate")["id"]
    assert control(standin, "lose_dispute", dispute_id=lost)["status"] == "lost"
    assert control(standin, "reinstate_dispute", dispute_id=lost)["status"] == "lost"
    debit = new_session(client).id
    control(standin, "pay", session_id=debit, method="us_bank_account")
    control(standin, "settle_debit", session_id=debit)
    returned = control(standin, "return_debit", paid_id=debit, reason="debit_not_authorized")
    assert returned["status"] == "lost"


def test_payouts_and_other_movements(standin, client):
    fee = control(standin, "charge_stripe_fee", amount=100, description="Radar")
    assert fee["net"] == -100
    control(standin, "add_balance_movement", type="topup", amount=5100, currency="usd")
    (payout,) = control(standin, "pay_out")
    control(standin, "reconcile_payout", payout_id=payout["id"])
    control(standin, "send_payout", payout_id=payout["id"])
    assert control(standin, "settle_payout", payout_id=payout["id"])["status"] == "paid"
    assert control(standin, "fail_payout", payout_id=payout["id"])["status"] == "failed"
    manual = client.v1.payouts.create({"amount": 5000, "currency": "usd"}).id
    assert control(standin, "cancel_payout", payout_id=manual)["status"] == "canceled"
    other = control(standin, "add_account", default_currency="eur")["id"]
    moved = control(standin, "add_balance_movement", type="topup", amount=1, account=other)
    assert moved["currency"] == "eur"
    assert [each["amount"] for each in control(standin, "pay_out", account=other)] == [1]


def test_time(standin, client):
    session = new_session(client)
    before = standin.clock.now()
    assert control(standin, "advance", seconds=90_000)["now"] >= before + 90_000
    control(standin, "expire_due")
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_deliveries(standin, client, receiver):
    endpoint = new_endpoint(client, receiver.url, ["checkout.session.completed"])
    control(standin, "hold")
    control(standin, "double_sign", old_secret="whsec_old")
    control(standin, "settings", extra_headers={"X-Test": "1"}, retry_delays=[0.01])
    control(standin, "pay", session_id=new_session(client).id)
    (held,) = view(standin, "held")
    assert held["headers"]["Stripe-Signature"].count("v1=") == 2
    (attempt,) = control(standin, "release", order="reverse")
    assert attempt["status"] == 200
    assert receiver.received[0][0]["X-Test"] == "1"
    event_id = held["event"]["id"]
    assert len(control(standin, "repeat", event_id=event_id, times=3, parallel=2)) == 3
    assert control(standin, "wait_idle", timeout=5) == {"idle": True}
    assert len(view(standin, "attempts")) == 4
    assert any(event["id"] == event_id for event in view(standin, "events"))
    secret = control(standin, "roll_secret", endpoint_id=endpoint.id)["secret"]
    assert secret.startswith("whsec_")
    control(standin, "hold")
    control(standin, "duplicate_events", on=True)
    control(standin, "pay", session_id=new_session(client).id)
    assert len(control(standin, "pop_all")) == 2
    control(standin, "disable_endpoint", endpoint_id=endpoint.id)
    assert client.v1.webhook_endpoints.retrieve(endpoint.id).status == "disabled"


def test_faults(standin, client):
    control(standin, "faults", n=1, kind="500", path="/v1/balance")
    assert view(standin, "faults")[0]["path"] == "/v1/balance"
    refused(client.v1.balance.retrieve, error=stripe.APIError)
    control(standin, "faults", n=9, kind="429")
    control(standin, "clear_faults")
    assert client.v1.balance.retrieve().livemode is False


def test_accounts(standin):
    made = control(standin, "add_account", display_name="Second company", default_currency="eur")
    account = connect(standin, made["secret_key"]).v1.accounts.retrieve_current()
    assert (account.id, account.default_currency) == (made["id"], "eur")
    control(standin, "set_account", id=made["id"], display_name="Third company")
    names = [account["display_name"] for account in view(standin, "accounts")]
    assert names == ["Demo company", "Third company"]
    key = control(
        standin, "add_restricted_key", account=made["id"], permissions=["rak_balance_read"]
    )["key"]
    client = connect(standin, key)
    assert client.v1.balance.retrieve().livemode is False
    refused(client.v1.accounts.retrieve_current, error=stripe.PermissionError)


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("fly", b"{}", 404),
        ("pay", b"{}", 400),
        ("pay", b"[1]", 400),
        ("pay", b"{", 400),
        ("pay", b'{"session_id": "cs_test_gone"}', 409),
        ("advance", b'{"seconds": -1}', 400),
        ("set_account", b'{"secret_key": "mine"}', 400),
        ("settings", b'{"speed": 1}', 400),
        ("faults", b'{"n": 1, "kind": "flood"}', 400),
        ("disable_endpoint", b'{"endpoint_id": "we_gone"}', 400),
        ("refund", b'{"paid_id": "cs_test_gone"}', 409),
        ("win_dispute", b'{"dispute_id": "du_gone"}', 409),
        ("pay_out", b'{"account": "acct_gone"}', 400),
        ("add_balance_movement", b'{"type": "gift", "amount": 1}', 400),
    ],
)
def test_bad_requests_are_told_plainly(standin, name, body, status):
    found, _headers, text = http(f"{standin.url}/_control/{name}", body)
    assert found == status
    assert json.loads(text)["error"]


def test_unknown_views(standin):
    assert http(standin.url + "/_control/weather")[0] == 404
    assert http(standin.url + "/elsewhere")[0] == 404


def test_reset_keeps_the_keys(standin, client):
    new_session(client)
    keys = standin.account.public()
    standin.advance(1000)
    control(standin, "reset")
    assert standin.account.public() == keys
    assert client.v1.checkout.sessions.list().data == []
    assert len(standin.calls) == 1


def test_command_line():
    # The folder above the package `devtools`, whatever name it was imported by here.
    root = Path(package.__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "devtools.standin"], cwd=root, stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline().strip()
        assert line.startswith("Stripe stand-in on http://127.0.0.1:")
        url = line.removeprefix("Stripe stand-in on ")
        assert json.loads(http(url + "/_control/account")[2])["id"].startswith("acct_")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_stop_ends_connections_and_pauses():
    with StandIn() as standin:
        client = connect(standin)
        client.v1.balance.retrieve()
        url = standin.url
    with pytest.raises(OSError):
        http(url + "/_control/account")
    refused(client.v1.balance.retrieve, error=stripe.APIConnectionError)
