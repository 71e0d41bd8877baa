"""Refunds: from the API and the Dashboard, whole and partial, settled, failed and cancelled."""

import pytest
import stripe

from ..standin import StandInError
from .standin_common import (
    client_fixture,  # noqa: F401
    connect,
    event_types,
    intent_of,
    line_item,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    session_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

DEBIT = "us_bank_account"


def charge_of(client, session):
    """Return the charge of a session as it is now."""
    return intent_of(client, session, expand=["latest_charge"]).latest_charge


def paid_by_debit(standin, client):
    """Return a session that a bank debit has paid."""
    session = new_session(client)
    standin.pay(session.id, DEBIT)
    standin.settle_debit(session.id)
    standin.make_balance_transactions()
    return session


def test_whole_refund(standin, client, session):
    intent = intent_of(client, session)
    before = len(event_types(standin))
    refund = client.v1.refunds.create({
        "payment_intent": intent.id,
        "reason": "requested_by_customer",
        "metadata": {"credit_note": "9"},
        "expand": ["balance_transaction", "charge"],
    })
    assert refund.id.startswith("re_")
    assert (refund.amount, refund.currency, refund.status) == (12050, "usd", "succeeded")
    assert (refund.reason, refund.metadata.credit_note) == ("requested_by_customer", "9")
    assert (refund.payment_intent, refund.charge.id) == (intent.id, intent.latest_charge)
    assert refund.destination_details.type == "card"
    moved = refund.balance_transaction
    assert (moved.type, moved.reporting_category) == ("refund", "refund")
    assert (moved.amount, moved.fee, moved.net) == (-12050, 0, -12050)
    assert (moved.source, moved.status) == (refund.id, "available")
    assert (refund.charge.refunded, refund.charge.amount_refunded) == (True, 12050)
    assert event_types(standin)[before:] == ["refund.created", "charge.refunded"]
    event = client.v1.events.list({"type": "charge.refunded"}).data[0]
    assert event.request.id == refund.last_response.request_id
    assert "refunds" not in event.data.object


def test_partial_refunds_add_up(standin, client, session):
    charge = charge_of(client, session)
    first = client.v1.refunds.create({"charge": charge.id, "amount": 5000})
    assert charge_of(client, session).amount_refunded == 5000
    assert charge_of(client, session).refunded is False
    error = refused(client.v1.refunds.create, {"charge": charge.id, "amount": 7051})
    assert (error.http_status, error.param, error.code) == (400, "amount", None)
    assert "Refund amount ($70.51) is greater than unrefunded amount on charge ($70.50)" in (
        error.user_message
    )
    second = client.v1.refunds.create({"charge": charge.id})
    assert (second.amount, charge_of(client, session).refunded) == (7050, True)
    error = refused(client.v1.refunds.create, {"charge": charge.id, "amount": 1})
    assert (error.http_status, error.code) == (400, "charge_already_refunded")
    shown = client.v1.charges.retrieve(charge.id, {"expand": ["refunds"]}).refunds.data
    assert [refund.id for refund in shown] == [second.id, first.id]


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({}, None, "parameter_missing"),
        ({"charge": "ch_gone"}, "charge", "resource_missing"),
        ({"payment_intent": "pi_gone"}, "payment_intent", "resource_missing"),
        ({"charge": "ch_1", "payment_intent": "pi_1"}, "payment_intent", None),
        ({"reason": "regret"}, "reason", None),
        ({"amount": 0}, "amount", "parameter_invalid_integer"),
        ({"amount": -5}, "amount", "parameter_invalid_integer"),
        ({"amount": "10.5"}, "amount", "parameter_invalid_integer"),
        ({"note": "x"}, "note", "parameter_unknown"),
        ({"reverse_transfer": True}, "reverse_transfer", "not_simulated"),
        ({"instructions_email": "a@example.com"}, "instructions_email", "not_simulated"),
    ],
)
def test_bad_parameters(standin, client, session, params, param, code):
    if not {"charge", "payment_intent"} & set(params) and params:
        params = {**params, "charge": charge_of(client, session).id}
    error = refused(client.v1.refunds.create, params)
    assert (error.http_status, error.param, error.code) == (400, param, code)
    assert client.v1.refunds.list().data == []


def test_amounts_that_the_currency_cannot_express(standin, client):
    session = new_session(client, line_items=[line_item(10_000, "isk")])
    standin.pay(session.id)
    charge = charge_of(client, session).id
    error = refused(client.v1.refunds.create, {"charge": charge, "amount": 50})
    assert error.param == "amount"
    assert client.v1.refunds.create({"charge": charge, "amount": 500}).amount == 500


def test_only_what_was_paid_can_be_refunded(standin, client):
    session = new_session(client)
    with pytest.raises(StandInError, match="not paid"):
        standin.refund(session.id)
    standin.pay(session.id, outcome="decline")
    intent = intent_of(client, session)
    error = refused(client.v1.refunds.create, {"payment_intent": intent.id})
    assert (error.http_status, error.code) == (400, "payment_intent_unexpected_state")
    error = refused(client.v1.refunds.create, {"charge": intent.latest_charge})
    assert error.code == "charge_not_refundable"


def test_the_money_comes_before_it_goes(standin, client):
    session = new_session(client)
    standin.pay(session.id)
    standin.refund(session.id, 100)
    moved = client.v1.balance_transactions.list().data
    assert [each.type for each in moved] == ["refund", "charge"]
    assert standin.make_balance_transactions() == []


def test_repeated_request_refunds_once(client, session):
    params = {"charge": charge_of(client, session).id, "amount": 1000}
    key = {"idempotency_key": "refund-1"}
    first, second = client.v1.refunds.create(params, key), client.v1.refunds.create(params, key)
    assert first.id == second.id
    assert charge_of(client, session).amount_refunded == 1000
    refused(client.v1.refunds.create, {**params, "amount": 2}, key, error=stripe.IdempotencyError)


def test_lists(standin, client, session):
    other = new_session(client)
    standin.pay(other.id)
    mine = [standin.refund(session.id, amount)["id"] for amount in (100, 200, 300)]
    theirs = standin.refund(other.id)["id"]
    refunds = client.v1.refunds
    charge, intent = charge_of(client, session).id, intent_of(client, session).id
    assert [each.id for each in refunds.list().data] == [theirs, *mine[::-1]]
    assert [each.id for each in refunds.list({"charge": charge}).data] == mine[::-1]
    page = refunds.list({"payment_intent": intent, "limit": 2})
    assert [each.id for each in page.auto_paging_iter()] == mine[::-1]
    assert refunds.list({"created": {"gt": standin.clock.now()}}).data == []


def test_update_changes_metadata_only(standin, client, session):
    refund = standin.refund(session.id, 100)
    changed = client.v1.refunds.update(refund["id"], {"metadata": {"a": "1"}})
    assert changed.metadata.to_dict() == {"a": "1"}
    assert event_types(standin)[-2:] == ["refund.updated", "charge.refund.updated"]
    event = client.v1.events.list({"type": "refund.updated"}).data[0]
    assert event.data.previous_attributes.to_dict() == {"metadata": {}}
    error = refused(client.v1.refunds.update, refund["id"], {"amount": 50})
    assert error.code == "parameter_unknown"
    error = refused(client.v1.refunds.retrieve, "re_gone")
    assert (error.http_status, error.code) == (404, "resource_missing")


def test_refund_from_the_dashboard(standin, client, session):
    for paid_id in (session.id, intent_of(client, session).id, charge_of(client, session).id):
        made = standin.refund(paid_id, 1000, "duplicate")
        found = client.v1.refunds.retrieve(made["id"])
        assert (found.amount, found.reason, found.metadata.to_dict()) == (1000, "duplicate", {})
    event = client.v1.events.list({"type": "refund.created"}).data[0]
    assert (event.request.id, event.request.idempotency_key) == (None, None)
    with pytest.raises(StandInError, match="greater than unrefunded"):
        standin.refund(session.id, 12050)
    with pytest.raises(StandInError, match="No such charge"):
        standin.refund("ch_gone")


def test_refund_of_a_debit_is_pending_first(standin, client):
    session = paid_by_debit(standin, client)
    charge = charge_of(client, session)
    refund = client.v1.refunds.create({"charge": charge.id, "amount": 2000})
    assert refund.id.startswith("pyr_")
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    moved = client.v1.balance_transactions.retrieve(refund.balance_transaction)
    assert (moved.type, moved.reporting_category) == ("payment_refund", "refund")
    assert charge_of(client, session).amount_refunded == 2000
    settled = standin.settle_refund(refund.id)
    assert (settled["status"], "pending_reason" in settled) == ("succeeded", False)
    event = client.v1.events.list({"type": "refund.updated"}).data[0]
    assert event.data.previous_attributes.status == "pending"
    assert event.data.object.status == "succeeded"
    with pytest.raises(StandInError, match="succeeded"):
        standin.settle_refund(refund.id)


@pytest.mark.parametrize("method", ["card", DEBIT])
def test_a_failed_refund_gives_the_money_back(standin, client, session, method):
    if method == DEBIT:
        session = paid_by_debit(standin, client)
    refund = standin.refund(session.id, 3000)
    before = len(event_types(standin))
    failed = standin.fail_refund(refund["id"], "lost_or_stolen_card")
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    returned = client.v1.balance_transactions.retrieve(failed["failure_balance_transaction"])
    assert (returned.type, returned.reporting_category) == ("refund_failure", "refund_failure")
    assert (returned.net, returned.source) == (3000, refund["id"])
    assert failed["balance_transaction"] == refund["balance_transaction"]
    charge = charge_of(client, session)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert event_types(standin)[before:] == [
        "refund.updated",
        "charge.refund.updated",
        "refund.failed",
    ]
    with pytest.raises(StandInError, match="failed"):
        standin.fail_refund(refund["id"])
    assert standin.refund(session.id)["amount"] == 12050
    with pytest.raises(ValueError, match="Unknown failure"):
        standin.fail_refund(refund["id"], "bad luck")


def test_only_a_refund_that_requires_action_can_be_cancelled(standin, client, session):
    done = standin.refund(session.id, 100)
    error = refused(client.v1.refunds.cancel, done["id"])
    assert "requires_action" in error.user_message
    standin.account.refund_status = "requires_action"
    for cancel in (client.v1.refunds.cancel, standin.cancel_refund):
        waiting = standin.refund(session.id, 200)
        assert waiting["status"] == "requires_action"
        cancel(waiting["id"])
        found = client.v1.refunds.retrieve(
            waiting["id"], {"expand": ["failure_balance_transaction"]}
        )
        assert (found.status, found.failure_balance_transaction.net) == ("canceled", 200)
    assert charge_of(client, session).amount_refunded == 100
    with pytest.raises(StandInError, match="canceled"):
        standin.cancel_refund(waiting["id"])
    standin.account.refund_status = "lost"
    with pytest.raises(ValueError, match="cannot begin as lost"):
        standin.refund(session.id, 1)


def test_refund_of_a_converted_payment(standin, client):
    standin.account.settlement_currencies = ("usd",)
    standin.account.exchange_rates = {"eur": 1.1}
    session = new_session(client, line_items=[line_item(1000, "eur")])
    standin.pay(session.id)
    standin.make_balance_transactions()
    standin.account.exchange_rates = {"eur": 1.2}
    refund = standin.refund(session.id)
    assert (refund["amount"], refund["currency"]) == (1000, "eur")
    moved = client.v1.balance_transactions.retrieve(refund["balance_transaction"])
    assert (moved.amount, moved.currency, moved.exchange_rate) == (-1200, "usd", 1.2)
    # What comes back is what had left, at whatever rate.
    standin.account.exchange_rates = {"eur": 1.3}
    failed = standin.fail_refund(refund["id"])
    returned = client.v1.balance_transactions.retrieve(failed["failure_balance_transaction"])
    assert (returned.amount, returned.exchange_rate) == (1200, 1.2)


def test_permission(standin, client, session):
    reader = connect(standin, standin.add_restricted_key({"rak_charge_read"}))
    charge = reader.v1.charges.list().data[0].id
    assert reader.v1.refunds.list().data == []
    error = refused(reader.v1.refunds.create, {"charge": charge}, error=stripe.PermissionError)
    assert "'rak_charge_write'" in error.user_message
