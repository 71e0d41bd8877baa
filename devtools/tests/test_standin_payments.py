"""What payers and banks do: payments, declines, debits."""

import threading

import pytest

from ..standin import CheckoutError
from .standin_common import (
    client_fixture,  # noqa: F401
    event_types,
    intent_of,
    line_item,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

DEBIT = "us_bank_account"


def test_card(standin, client):
    session = new_session(client)
    paid = standin.pay(session.id)
    assert (paid["status"], paid["payment_status"], paid["url"]) == ("complete", "paid", None)
    assert paid == standin.session(session.id)
    intent = intent_of(client, session, expand=["latest_charge", "payment_method"])
    assert (intent.status, intent.amount, intent.amount_received) == ("succeeded", 12050, 12050)
    charge = intent.latest_charge
    assert charge.id.startswith("ch_")
    assert (charge.status, charge.paid, charge.captured) == ("succeeded", True, True)
    assert charge.payment_method_details.card.last4 == "4242"
    assert intent.payment_method.type == "card"
    assert event_types(standin) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_metadata_reaches_the_payment_by_its_own_road_only(standin, client):
    session = new_session(
        client,
        metadata={"on": "session"},
        payment_intent_data={"metadata": {"on": "payment"}, "description": "INV/1"},
    )
    standin.pay(session.id)
    intent = intent_of(client, session, expand=["latest_charge"])
    assert intent.metadata.to_dict() == {"on": "payment"}
    assert intent.latest_charge.metadata.to_dict() == {"on": "payment"}
    assert intent.description == intent.latest_charge.description == "INV/1"
    assert client.v1.checkout.sessions.retrieve(session.id).metadata.on == "session"


def test_the_event_shows_the_session_as_it_was(standin, client):
    session = new_session(client)
    standin.pay(session.id)
    event = client.v1.events.list({"type": "checkout.session.completed"}).data[0]
    assert event.data.object.id == session.id
    assert event.data.object.payment_status == "paid"
    # Method, charge and fee are not in it.
    assert isinstance(event.data.object.payment_intent, str)
    assert "latest_charge" not in event.data.object


def test_decline_leaves_the_session_open(standin, client):
    session = new_session(client)
    after = standin.pay(session.id, outcome="decline")
    assert (after["status"], after["payment_status"]) == ("open", "unpaid")
    intent = intent_of(client, session)
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error.decline_code == "generic_decline"
    assert event_types(standin) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]


def test_success_after_a_decline_is_the_same_payment(standin, client):
    session = new_session(client)
    standin.pay(session.id, outcome="insufficient_funds")
    first = intent_of(client, session)
    standin.pay(session.id)
    second = intent_of(client, session)
    assert first.id == second.id
    assert first.latest_charge != second.latest_charge
    assert second.last_payment_error is None
    charges = client.v1.charges.list({"payment_intent": first.id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


def test_expiry_after_a_decline_cancels_the_payment(standin, client):
    session = new_session(client)
    standin.pay(session.id, outcome="decline")
    client.v1.checkout.sessions.expire(session.id)
    intent = intent_of(client, session)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "expired")


def test_unknown_outcome(standin, client):
    session = new_session(client)
    with pytest.raises(ValueError, match="Unknown decline"):
        standin.pay(session.id, outcome="sucess")


def test_debit_settles(standin, client):
    session = new_session(client)
    after = standin.pay(session.id, DEBIT)
    assert (after["status"], after["payment_status"]) == ("complete", "unpaid")
    assert intent_of(client, session).status == "processing"
    assert event_types(standin) == [
        "payment_intent.created",
        "payment_intent.processing",
        "charge.pending",
        "checkout.session.completed",
    ]
    standin.settle_debit(session.id)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert intent_of(client, session).latest_charge.startswith("py_")
    assert event_types(standin)[4:] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]


def test_events_keep_what_was_true_when_they_happened(standin, client):
    session = new_session(client)
    standin.pay(session.id, DEBIT)
    standin.settle_debit(session.id)
    events = client.v1.events.list({"type": "checkout.session.*"}).data
    assert [(event.type, event.data.object.payment_status) for event in events] == [
        ("checkout.session.async_payment_succeeded", "paid"),
        ("checkout.session.completed", "unpaid"),
    ]


def test_debit_fails(standin, client):
    session = new_session(client)
    standin.pay(session.id, DEBIT)
    standin.fail_debit(session.id)
    after = client.v1.checkout.sessions.retrieve(session.id)
    assert (after.status, after.payment_status) == ("complete", "unpaid")
    assert intent_of(client, session).status == "requires_payment_method"
    assert event_types(standin)[4:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]


def test_a_debit_ends_once(standin, client):
    session = new_session(client)
    with pytest.raises(CheckoutError, match="No bank debit"):
        standin.settle_debit(session.id)
    standin.pay(session.id, DEBIT)
    standin.settle_debit(session.id)
    with pytest.raises(CheckoutError, match="No bank debit"):
        standin.fail_debit(session.id)


def test_only_offered_methods_can_pay(standin, client):
    session = new_session(client, line_items=[line_item(1000, "eur")])
    with pytest.raises(CheckoutError, match="only card, sepa_debit"):
        standin.pay(session.id, DEBIT)
    assert standin.pay(session.id, "sepa_debit")["payment_status"] == "unpaid"


def test_only_an_open_session_can_be_paid(standin, client):
    session = new_session(client)
    standin.pay(session.id)
    with pytest.raises(CheckoutError, match="complete"):
        standin.pay(session.id)
    expired = new_session(client)
    client.v1.checkout.sessions.expire(expired.id)
    with pytest.raises(CheckoutError, match="expired"):
        standin.pay(expired.id)
    with pytest.raises(CheckoutError, match="No such"):
        standin.pay("cs_test_gone")


def test_many_payers_capture_once(standin, client):
    session = new_session(client)
    outcomes = []

    def work():
        try:
            outcomes.append(standin.pay(session.id)["payment_status"])
        except CheckoutError:
            outcomes.append("refused")

    threads = [threading.Thread(target=work) for _number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["paid"] + ["refused"] * 11
    assert len(client.v1.charges.list().data) == 1
    assert event_types(standin).count("checkout.session.completed") == 1


def test_paying_and_expiring_at_once(standin, client):
    for _time in range(10):
        session = new_session(client)
        outcomes = []

        def expire(session=session, outcomes=outcomes):
            try:
                client.v1.checkout.sessions.expire(session.id)
                outcomes.append("expired")
            except Exception:
                outcomes.append("not expired")

        thread = threading.Thread(target=expire)
        thread.start()
        try:
            standin.pay(session.id)
            outcomes.append("paid")
        except CheckoutError:
            outcomes.append("not paid")
        thread.join()
        assert sorted(outcomes) in (["expired", "not paid"], ["not expired", "paid"])


def test_another_amount_than_asked_for(standin, client):
    session = new_session(client)
    assert standin.pay(session.id, amount=9999)["amount_total"] == 9999
    assert intent_of(client, session).amount_received == 9999


def test_cancel_changes_nothing(standin, client):
    session = new_session(client)
    assert standin.cancel(session.id) == session.cancel_url
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert event_types(standin) == []


def test_the_payment_of_a_session_cannot_be_cancelled(standin, client):
    session = new_session(client)
    standin.pay(session.id, outcome="decline")
    error = refused(client.v1.payment_intents.cancel, intent_of(client, session).id)
    assert "created by Checkout" in error.user_message


def test_customer_of_a_session(standin, client):
    customer = client.v1.customers.create({"email": "client@example.com", "name": "Demo client"})
    session = new_session(client, customer=customer.id, customer_email=None)
    paid = standin.pay(session.id)
    assert paid["customer_details"]["name"] == "Demo client"
    assert intent_of(client, session).customer == customer.id
    assert client.v1.customers.retrieve(customer.id).email == "client@example.com"
    assert client.v1.customers.list({"email": "client@example.com"}).data[0].id == customer.id
    refused(client.v1.customers.create, {"email": "nobody"})
