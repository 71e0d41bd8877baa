"""Payouts: automatic and asked for, arrived, failed and cancelled."""

import pytest
import stripe

from ..standin import StandInError
from .standin_common import (
    client_fixture,  # noqa: F401
    connect,
    event_types,
    line_item,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

DAY = 24 * 3600
NET = 11671  # of 120.50 USD by card


@pytest.fixture(name="funded")
def funded_fixture(standin, client):
    """The stand-in with 116.71 USD available."""
    fund(standin, client)
    return standin


def fund(standin, client, currency="usd"):
    """Let a payer pay 120.50 and the money become available."""
    session = new_session(client, line_items=[line_item(12050, currency)])
    standin.pay(session.id)
    standin.make_balance_transactions()
    standin.advance(2 * DAY + 1)
    return session


def available(client):
    """Return what is available in USD."""
    entries = client.v1.balance.retrieve().available
    return next(entry.amount for entry in entries if entry.currency == "usd")


def payout_events(standin):
    """Return what happened to payouts, the oldest first."""
    types = event_types(standin)
    return [type.removeprefix("payout.") for type in types if type.startswith("payout.")]


def test_automatic_payout_gathers_what_is_available(funded, client):
    funded.charge_stripe_fee(100)
    pending = new_session(client)
    funded.pay(pending.id)
    funded.make_balance_transactions()
    (made,) = funded.pay_out()
    payout = client.v1.payouts.retrieve(made["id"], {"expand": ["destination"]})
    assert (payout.amount, payout.currency, payout.automatic) == (NET - 100, "usd", True)
    assert (payout.status, payout.reconciliation_status) == ("pending", "in_progress")
    assert payout.destination.object == "bank_account"
    assert payout.arrival_date % DAY == 0
    moved = client.v1.balance_transactions.retrieve(payout.balance_transaction)
    assert (moved.type, moved.reporting_category) == ("payout", "payout")
    assert (moved.net, moved.source) == (100 - NET, payout.id)
    assert available(client) == 0
    assert funded.pay_out() == []


def test_payout_in_time(funded, client):
    payout = funded.pay_out()[0]

    def status():
        return client.v1.payouts.retrieve(payout["id"]).status

    funded.advance(13 * 3600)
    assert status() == "in_transit"
    funded.advance(payout["arrival_date"] - funded.clock.now() + 1)
    assert status() == "paid"
    assert payout_events(funded) == [
        "created",
        "reconciliation_completed",
        "updated",
        "updated",
        "paid",
    ]
    event = client.v1.events.list({"type": "payout.updated"}).data[1]
    assert event.data.previous_attributes.to_dict() == {"status": "pending"}


def test_the_list_of_a_payout_is_complete_when_stripe_says_so(funded, client):
    fee = funded.charge_stripe_fee(100)["id"]
    payout = funded.pay_out()[0]
    transactions = client.v1.balance_transactions

    def found():
        return [each.id for each in transactions.list({"payout": payout["id"]}).data]

    own = payout["balance_transaction"]
    assert found() == [own]
    done = funded.reconcile_payout(payout["id"])
    assert done["reconciliation_status"] == "completed"
    charge = transactions.list({"type": "charge"}).data[0].id
    assert found() == [own, fee, charge]
    assert sum(each.net for each in transactions.list({"payout": payout["id"]}).data) == 0
    funded.reconcile_payout(payout["id"])
    funded.advance(2 * 3600)
    assert payout_events(funded) == ["created", "reconciliation_completed"]
    error = refused(transactions.list, {"payout": "po_gone"})
    assert (error.param, error.code) == ("payout", "resource_missing")


def test_each_movement_is_paid_out_once(funded, client):
    held = []
    for _time in range(3):
        funded.add_balance_movement("topup", 1000)
        payout = funded.pay_out()[0]["id"]
        funded.reconcile_payout(payout)
        held.append(payout)
    lists = [client.v1.balance_transactions.list({"payout": payout}).data for payout in held]
    types = [[each.type for each in found] for found in lists]
    assert types == [["payout", "topup", "charge"], ["payout", "topup"], ["payout", "topup"]]


def test_payouts_of_several_currencies(funded, client):
    fund(funded, client, "eur")
    assert funded.pay_out("gbp") == []
    assert [payout["currency"] for payout in funded.pay_out()] == ["eur", "usd"]
    fund(funded, client, "eur")
    (payout,) = funded.pay_out("eur")
    assert client.v1.payouts.retrieve(payout["id"]).amount == NET


def test_manual_payout(funded, client):
    payout = client.v1.payouts.create({
        "amount": 5000,
        "currency": "USD",
        "description": "Rent",
        "statement_descriptor": "DEMO",
        "metadata": {"a": "1"},
        "expand": ["balance_transaction"],
    })
    assert (payout.amount, payout.currency, payout.automatic) == (5000, "usd", False)
    assert (payout.status, payout.reconciliation_status) == ("pending", "not_applicable")
    assert (payout.description, payout.metadata.a) == ("Rent", "1")
    assert payout.balance_transaction.net == -5000
    assert available(client) == NET - 5000
    error = refused(client.v1.balance_transactions.list, {"payout": payout.id})
    assert "only be filtered on automatic transfers, not manual" in error.user_message
    funded.settle_payout(payout.id)
    assert payout_events(funded) == ["created", "updated", "updated", "paid"]
    # The next automatic one takes what is left.
    assert [rest["amount"] for rest in funded.pay_out()] == [NET - 5000]


def test_no_more_than_there_is(funded, client):
    key = {"idempotency_key": "payout-1"}
    params = {"amount": NET + 1, "currency": "usd"}
    for _time in range(2):
        error = refused(client.v1.payouts.create, params, key)
        assert (error.http_status, error.code) == (400, "balance_insufficient")
        assert "$116.71" in error.user_message
        # The answer belongs to the key, even when there is enough.
        funded.add_balance_movement("topup", 1000)
    assert client.v1.payouts.create({**params, "description": "Again"}).amount == NET + 1
    refused(client.v1.payouts.create, {"amount": 100, "currency": "eur"})


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"amount": None}, "amount", "parameter_missing"),
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"currency": "xxx"}, "currency", None),
        ({"currency": "isk", "amount": 50}, "amount", "parameter_invalid_integer"),
        ({"destination": "ba_gone"}, "destination", "resource_missing"),
        ({"statement_descriptor": "x" * 23}, "statement_descriptor", None),
        ({"method": "instant"}, "method", "not_simulated"),
        ({"source_type": "fpx"}, "source_type", "not_simulated"),
        ({"speed": "1"}, "speed", "parameter_unknown"),
    ],
)
def test_bad_parameters(funded, client, changes, param, code):
    params = {"amount": 100, "currency": "usd", "method": "standard", **changes}
    params = {name: value for name, value in params.items() if value is not None}
    error = refused(client.v1.payouts.create, params)
    assert (error.http_status, error.param, error.code) == (400, param, code)
    assert client.v1.payouts.list().data == []


@pytest.mark.parametrize("stage", ["pending", "in_transit", "paid"])
def test_a_failed_payout_comes_back(funded, client, stage):
    payout = funded.pay_out()[0]["id"]
    if stage != "pending":
        funded.send_payout(payout)
    if stage == "paid":
        funded.settle_payout(payout)
    failed = funded.fail_payout(payout, "no_account")
    assert (failed["status"], failed["failure_code"]) == ("failed", "no_account")
    assert failed["failure_message"]
    returned = client.v1.balance_transactions.retrieve(failed["failure_balance_transaction"])
    assert (returned.type, returned.reporting_category) == ("payout_failure", "payout_reversal")
    assert (returned.net, returned.source) == (NET, payout)
    assert available(client) == NET
    assert payout_events(funded)[-2:] == ["updated", "failed"]
    funded.advance(10 * DAY)
    assert client.v1.payouts.retrieve(payout).status == "failed"
    # The money leaves with the next one.
    assert funded.pay_out()[0]["amount"] == NET
    with pytest.raises(StandInError, match="failed"):
        funded.fail_payout(payout)
    with pytest.raises(ValueError, match="Unknown failure"):
        funded.fail_payout(payout, "bad_luck")


def test_only_a_pending_manual_payout_can_be_cancelled(funded, client):
    create = {"amount": 1000, "currency": "usd"}
    first, second = (client.v1.payouts.create(create).id for _time in range(2))
    cancelled = client.v1.payouts.cancel(first, {"expand": ["failure_balance_transaction"]})
    returned = cancelled.failure_balance_transaction
    assert (cancelled.status, returned.type, returned.net) == ("canceled", "payout_cancel", 1000)
    assert returned.reporting_category == "payout_reversal"
    assert payout_events(funded)[-2:] == ["updated", "canceled"]
    funded.send_payout(second)
    error = refused(client.v1.payouts.cancel, second)
    assert "while they are pending" in error.user_message
    with pytest.raises(StandInError, match="pending"):
        funded.cancel_payout(first)
    automatic = funded.pay_out()[0]["id"]
    assert "Automatic" in refused(client.v1.payouts.cancel, automatic).user_message


def test_update_changes_metadata_only(funded, client):
    payout = funded.pay_out()[0]["id"]
    assert client.v1.payouts.update(payout, {"metadata": {"a": "1"}}).metadata.a == "1"
    assert payout_events(funded)[-1] == "updated"
    error = refused(client.v1.payouts.update, payout, {"amount": 1})
    assert error.code == "parameter_unknown"
    assert refused(client.v1.payouts.retrieve, "po_gone").http_status == 404


def test_lists(funded, client):
    first = funded.pay_out()[0]
    funded.settle_payout(first["id"])
    funded.advance(3 * DAY)
    funded.add_balance_movement("topup", 1000)
    second = funded.pay_out()[0]
    payouts = client.v1.payouts

    def found(**params):
        return [each.id for each in payouts.list(params).data]

    assert found() == [second["id"], first["id"]]
    assert found(status="paid") == [first["id"]]
    assert found(arrival_date={"gt": first["arrival_date"]}) == [second["id"]]
    assert found(created={"lt": second["created"]}) == [first["id"]]
    assert found(destination=first["destination"]) == found()
    assert found(limit=1, starting_after=second["id"]) == [first["id"]]


def test_permission(standin, client):
    reader = connect(standin, standin.add_restricted_key({"rak_payout_read"}))
    assert reader.v1.payouts.list().data == []
    params = {"amount": 100, "currency": "usd"}
    error = refused(reader.v1.payouts.create, params, error=stripe.PermissionError)
    assert "'rak_payout_write'" in error.user_message
