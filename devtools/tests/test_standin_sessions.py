"""Checkout Sessions: life, amounts, lists, expansion."""

import pytest
import stripe

from .standin_common import (
    client_fixture,  # noqa: F401
    connect,
    event_types,
    line_item,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    session_params,
    standin_fixture,  # noqa: F401
)

HOUR = 3600


def test_new_session(standin, client):
    session = new_session(client, client_reference_id="TX1", locale="de")
    assert session.id.startswith("cs_test_")
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_total, session.currency) == (12050, "usd")
    assert session.url == f"{standin.url}/c/pay/{session.id}"
    assert session.payment_intent is None
    assert session.livemode is False
    assert session.metadata.to_dict() == {"reference": "TX1"}
    assert session.client_reference_id == "TX1"
    assert session.locale == "de"
    assert session.expires_at == session.created + 24 * HOUR
    assert "presentment_details" not in session
    assert "line_items" not in session


def test_every_field_of_the_sdk_is_there(client):
    session = new_session(client)
    left_out = {
        "OBJECT_NAME",
        "line_items",
        "optional_items",
        "presentment_details",
        "redirect_on_completion",
    }
    assert set(stripe.checkout.Session.__annotations__) - left_out <= set(session.to_dict())


def test_total_is_the_sum_of_the_line_items(client):
    session = new_session(client, line_items=[line_item(1000, quantity=3), line_item(50)])
    assert session.amount_total == session.amount_subtotal == 3050
    assert session.total_details.amount_tax == 0


def test_retrieve(client):
    session = new_session(client)
    found = client.v1.checkout.sessions.retrieve(session.id)
    assert found.to_dict() == session.to_dict()


def test_retrieve_what_is_not_there(client):
    error = refused(client.v1.checkout.sessions.retrieve, "cs_test_gone")
    assert (error.http_status, error.code) == (404, "resource_missing")
    assert "cs_test_gone" in error.user_message


def test_sessions_of_another_account_are_not_there(standin, client):
    other = connect(standin, standin.add_account().secret_key)
    session = new_session(other)
    assert refused(client.v1.checkout.sessions.retrieve, session.id).http_status == 404
    assert client.v1.checkout.sessions.list().data == []


@pytest.mark.parametrize("life", [30 * 60, HOUR, 24 * HOUR - 60])
def test_expires_at_in_range(standin, client, life):
    # More than a slow machine needs to ask; the exact limits are tested on a clock that stands.
    expires_at = standin.clock.now() + life + 30
    assert new_session(client, expires_at=expires_at).expires_at == expires_at


@pytest.mark.parametrize("life", [-HOUR, 0, 30 * 60 - 5, 24 * HOUR, 24 * HOUR + 120, 48 * HOUR])
def test_expires_at_out_of_range(standin, client, life):
    # What is too late as yet must still be so when a slow machine has asked.
    expires_at = standin.clock.now() + life + (30 if life == 24 * HOUR else 0)
    error = refused(client.v1.checkout.sessions.create, session_params(expires_at=expires_at))
    assert error.param == "expires_at"


def test_exactly_24_hours_is_refused(standin, client):
    clock = standin.clock
    clock.now = lambda: 1_800_000_000
    try:
        params = session_params(expires_at=1_800_000_000 + 24 * HOUR)
        error = refused(client.v1.checkout.sessions.create, params)
        assert "less than 24 hours" in error.user_message
        new_session(client, expires_at=1_800_000_000 + 24 * HOUR - 1)
        new_session(client, expires_at=1_800_000_000 + 30 * 60)
        params = session_params(expires_at=1_800_000_000 + 30 * 60 - 1)
        error = refused(client.v1.checkout.sessions.create, params)
        assert "at least 30 minutes" in error.user_message
    finally:
        del clock.now


def test_expires_at_goes_by_the_stand_ins_clock(standin, client):
    standin.advance(10 * 24 * HOUR)
    session = new_session(client, expires_at=standin.clock.now() + HOUR)
    assert session.created >= standin.clock.now() - 60


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("usd", 49),
        ("eur", 49),
        ("gbp", 29),
        ("jpy", 49),
        ("mxn", 999),
        ("huf", 17499),
        ("usd", 0),
    ],
)
def test_amount_too_small(client, currency, amount):
    items = [line_item(amount, currency)]
    error = refused(client.v1.checkout.sessions.create, session_params(line_items=items))
    assert error.code == "amount_too_small"


@pytest.mark.parametrize(("currency", "amount"), [("usd", 50), ("gbp", 30), ("jpy", 50)])
def test_smallest_amount(client, currency, amount):
    assert new_session(client, line_items=[line_item(amount, currency)]).amount_total == amount


def test_smallest_amount_goes_by_the_settlement_currency(standin, client):
    standin.account.settlement_currencies = ("usd",)
    standin.account.exchange_rates = {"jpy": 0.0065}
    params = session_params(line_items=[line_item(76, "jpy")])
    assert refused(client.v1.checkout.sessions.create, params).code == "amount_too_small"
    assert new_session(client, line_items=[line_item(77, "jpy")]).amount_total == 77


def test_largest_amount(client):
    assert new_session(client, line_items=[line_item(99_999_999)]).amount_total == 99_999_999
    params = session_params(line_items=[line_item(50_000_000, quantity=2)])
    assert refused(client.v1.checkout.sessions.create, params).code == "amount_too_large"


@pytest.mark.parametrize(
    ("currency", "amount"), [("isk", 50050), ("ugx", 500001), ("kwd", 5005), ("bhd", 1001)]
)
def test_amount_that_the_currency_cannot_express(client, currency, amount):
    items = [line_item(amount, currency)]
    error = refused(client.v1.checkout.sessions.create, session_params(line_items=items))
    assert error.code == "parameter_invalid_integer"
    assert "divisible" in error.user_message


@pytest.mark.parametrize(("currency", "amount"), [("isk", 50000), ("ugx", 500000), ("kwd", 5010)])
def test_amount_that_is_exact(client, currency, amount):
    assert new_session(client, line_items=[line_item(amount, currency)]).amount_total == amount


@pytest.mark.parametrize("currency", ["xxx", "usdollar", "btc"])
def test_unknown_currency(client, currency):
    items = [line_item(1000, currency)]
    error = refused(client.v1.checkout.sessions.create, session_params(line_items=items))
    assert error.param == "line_items[0][price_data][currency]"


def test_currencies_may_be_written_in_capitals(client):
    session = new_session(client, currency="USD", line_items=[line_item(1000, "USD")])
    assert session.currency == "usd"


def test_the_currency_of_the_session_is_that_of_its_items(client):
    error = refused(client.v1.checkout.sessions.create, session_params(currency="eur"))
    assert error.param == "currency"


def test_one_currency_for_all_line_items(client):
    items = [line_item(1000, "usd"), line_item(1000, "eur")]
    refused(client.v1.checkout.sessions.create, session_params(line_items=items))


def test_methods_are_those_of_the_dashboard_and_currency(client):
    assert new_session(client).payment_method_types == ["card", "us_bank_account"]
    euro = [line_item(1000, "eur")]
    assert new_session(client, line_items=euro).payment_method_types == ["card", "sepa_debit"]


def test_methods_can_be_narrowed(client):
    only = new_session(client, allowed_payment_method_types=["card"])
    assert only.payment_method_types == ["card"]
    without = new_session(client, excluded_payment_method_types=["card"])
    assert without.payment_method_types == ["us_bank_account"]
    params = session_params(allowed_payment_method_types=["klarna"])
    error = refused(client.v1.checkout.sessions.create, params)
    assert "No valid payment method types" in error.user_message


def test_expire(standin, client):
    session = new_session(client)
    expired = client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url, expired.payment_status) == ("expired", None, "unpaid")
    assert event_types(standin) == ["checkout.session.expired"]


def test_only_an_open_session_can_be_expired(standin, client):
    session = new_session(client)
    client.v1.checkout.sessions.expire(session.id)
    error = refused(client.v1.checkout.sessions.expire, session.id)
    assert "status of `expired`" in error.user_message
    paid = new_session(client)
    standin.pay(paid.id)
    error = refused(client.v1.checkout.sessions.expire, paid.id)
    assert "status of `complete`" in error.user_message
    assert error.http_status == 400


def test_a_session_expires_in_time(standin, client):
    session = new_session(client, expires_at=standin.clock.now() + HOUR)
    standin.advance(HOUR - 60)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    standin.advance(120)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert event_types(standin) == ["checkout.session.expired"]
    event = client.v1.events.list().data[0]
    assert event.created == session.expires_at


def test_no_answer_shows_a_session_that_should_have_expired(standin, client, monkeypatch):
    session = new_session(client)
    later = standin.clock.time() + 25 * HOUR
    # The clock's own thread has not noticed yet.
    monkeypatch.setattr(standin.clock, "time", lambda: later)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_a_paid_session_does_not_expire(standin, client):
    session = new_session(client)
    standin.pay(session.id)
    standin.advance(25 * HOUR)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "complete"
    assert "checkout.session.expired" not in event_types(standin)


def test_update_metadata(client):
    session = new_session(client, metadata={"a": "1", "b": "2"})
    changed = client.v1.checkout.sessions.update(session.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    params = {"shipping_options": ""}
    assert refused(client.v1.checkout.sessions.update, session.id, params)


def test_list_filters(standin, client):
    first, second = new_session(client), new_session(client, customer_email="other@example.com")
    third = new_session(client)
    standin.pay(first.id)
    client.v1.checkout.sessions.expire(third.id)
    sessions = client.v1.checkout.sessions

    def ids(**params):
        return [session.id for session in sessions.list(params).data]

    assert ids() == [third.id, second.id, first.id]
    assert ids(status="open") == [second.id]
    assert ids(status="complete") == [first.id]
    intent = sessions.retrieve(first.id).payment_intent
    assert ids(payment_intent=intent) == [first.id]
    assert ids(customer_details={"email": "other@example.com"}) == [second.id]
    assert ids(created={"gt": standin.clock.now() + 10}) == []


def test_line_items(client):
    items = [line_item(1000 + number) for number in range(12)]
    session = new_session(client, line_items=items)
    full = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})
    assert len(full.line_items.data) == 10
    assert full.line_items.has_more is True
    listed = client.v1.checkout.sessions.line_items.list(session.id, {"limit": 100})
    assert [item.amount_total for item in listed.data] == [1000 + n for n in range(12)]
    assert listed.data[0].description == "INV/2026/00001"
    assert listed.data[0].price.unit_amount == 1000


def test_customer_details_know_the_email_from_the_start(client):
    assert new_session(client).customer_details.email == "client@example.com"
    assert new_session(client, customer_email=None).customer_details is None
