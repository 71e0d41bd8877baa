"""Pages of lists, events, and expansion."""

import pytest

from .standin_common import (
    client_fixture,  # noqa: F401
    new_session,
    refused,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

DAY = 24 * 3600


@pytest.fixture(name="ids")
def ids_fixture(client):
    """Ids of twelve sessions, the newest first."""
    return [new_session(client).id for _number in range(12)][::-1]


def test_ten_by_default(client, ids):
    found = client.v1.checkout.sessions.list()
    assert [session.id for session in found.data] == ids[:10]
    assert found.has_more is True
    assert found.url == "/v1/checkout/sessions"


@pytest.mark.parametrize(
    ("params", "start", "end", "more"),
    [
        ({"limit": 3}, 0, 3, True),
        ({"limit": 12}, 0, 12, False),
        ({"limit": 100}, 0, 12, False),
        ({"limit": 3, "starting_after": 2}, 3, 6, True),
        ({"limit": 3, "starting_after": 8}, 9, 12, False),
        ({"starting_after": 11}, 12, 12, False),
        ({"limit": 3, "ending_before": 8}, 5, 8, True),
        ({"limit": 3, "ending_before": 2}, 0, 2, False),
        ({"ending_before": 0}, 0, 0, False),
    ],
)
def test_pages(client, ids, params, start, end, more):
    for cursor in ("starting_after", "ending_before"):
        if cursor in params:
            params = {**params, cursor: ids[params[cursor]]}
    found = client.v1.checkout.sessions.list(params)
    assert [session.id for session in found.data] == ids[start:end]
    assert found.has_more is more


def test_auto_paging(client, ids):
    found = client.v1.checkout.sessions.list({"limit": 5})
    assert [session.id for session in found.auto_paging_iter()] == ids


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"starting_after": "cs_test_gone"}, "starting_after"),
        ({"starting_after": "a", "ending_before": "b"}, "starting_after"),
        ({"offset": 10}, "offset"),
    ],
)
def test_bad_page(client, ids, params, param):
    assert refused(client.v1.checkout.sessions.list, params).param == param


def test_created_filter(standin, client):
    old = new_session(client)
    standin.advance(1000)
    new = new_session(client)
    sessions = client.v1.checkout.sessions

    def found(**created):
        return [session.id for session in sessions.list({"created": created}).data]

    assert found(gt=old.created) == [new.id]
    assert found(gte=old.created) == [new.id, old.id]
    assert found(lt=new.created) == [old.id]
    assert found(lte=new.created, gt=old.created) == [new.id]
    assert [each.id for each in sessions.list({"created": old.created}).data] == [old.id]


def test_events_by_type(standin, client):
    standin.pay(new_session(client).id)
    client.v1.checkout.sessions.expire(new_session(client).id)
    events = client.v1.events

    def types(**params):
        return [event.type for event in events.list(params).data]

    assert types(type="checkout.session.completed") == ["checkout.session.completed"]
    assert types(type="checkout.session.*") == [
        "checkout.session.expired",
        "checkout.session.completed",
    ]
    both = ["charge.succeeded", "checkout.session.expired"]
    assert sorted(types(types=both)) == sorted(both)
    refused(events.list, {"type": "charge.succeeded", "types": both})
    refused(events.list, {"types": [f"charge.{number}" for number in range(21)]})


def test_events_are_kept_for_30_days(standin, client):
    standin.pay(new_session(client).id)
    event = client.v1.events.list().data[0]
    standin.advance(30 * DAY - 60)
    assert client.v1.events.retrieve(event.id).id == event.id
    standin.advance(120)
    assert client.v1.events.list().data == []
    assert refused(client.v1.events.retrieve, event.id).http_status == 404


def test_events_name_the_request_that_caused_them(standin, client):
    session = new_session(client)
    options = {"idempotency_key": "expire-1"}
    answer = client.v1.checkout.sessions.expire(session.id, {}, options)
    event = client.v1.events.list().data[0]
    assert event.request.id == answer.last_response.request_id
    assert event.request.idempotency_key == "expire-1"
    standin.pay(new_session(client).id)
    assert client.v1.events.list().data[0].request.id is None


def test_expand_several_levels(standin, client):
    session = new_session(client)
    standin.pay(session.id)
    standin.make_balance_transactions()
    found = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge.balance_transaction"]}
    )
    charge = found.payment_intent.latest_charge
    assert charge.balance_transaction.net == 12050 - charge.balance_transaction.fee
    listed = client.v1.checkout.sessions.list({"expand": ["data.payment_intent", "data.customer"]})
    assert listed.data[0].payment_intent.id == found.payment_intent.id
    assert listed.data[0].customer is None
    stored = client.v1.checkout.sessions.retrieve(session.id)
    assert isinstance(stored.payment_intent, str)


def test_expand_on_create(client):
    assert new_session(client, expand=["line_items"]).line_items.data[0].quantity == 1


def test_refunds_of_a_charge_are_listed_on_demand(standin, client):
    standin.pay(new_session(client).id)
    charge = client.v1.charges.list().data[0]
    assert "refunds" not in charge
    full = client.v1.charges.retrieve(charge.id, {"expand": ["refunds"]})
    assert full.refunds.data == []


def test_expand_what_is_null(client):
    session = new_session(client)
    expand = {"expand": ["payment_intent.latest_charge"]}
    assert client.v1.checkout.sessions.retrieve(session.id, expand).payment_intent is None


@pytest.mark.parametrize(
    "path",
    [
        "metadata",
        "foo",
        "payment_intent.foo",
        "payment_intent.latest_charge.foo",
        "line_items.price",
        "payment_intent.metadata",
        "data.payment_intent",
        "customer_details.email",
        "payment_intent.latest_charge.balance_transaction.source.payment_intent",
        "",
    ],
)
def test_what_cannot_be_expanded(client, path):
    session = new_session(client)
    params = {"expand": [path]}
    error = refused(client.v1.checkout.sessions.retrieve, session.id, params)
    assert error.http_status == 400


def test_expand_in_lists_starts_with_data(client):
    error = refused(client.v1.checkout.sessions.list, {"expand": ["payment_intent"]})
    assert "'data.payment_intent'" in error.user_message


def test_a_refused_expand_makes_nothing(client):
    error = refused(lambda: new_session(client, expand=["foo"]))
    assert "cannot be expanded (foo)" in error.user_message
    assert client.v1.checkout.sessions.list().data == []


@pytest.fixture(name="movements")
def movements_fixture(standin):
    """Ids of 230 balance transactions, the newest first."""
    add = standin.add_balance_movement
    made = [add("topup" if number % 2 else "stripe_fee", number + 1) for number in range(230)]
    return [each["id"] for each in made][::-1]


def test_balance_transactions_in_pages(client, movements):
    transactions = client.v1.balance_transactions
    first = transactions.list({"limit": 100})
    assert ([each.id for each in first.data], first.has_more) == (movements[:100], True)
    last = transactions.list({"limit": 100, "starting_after": movements[199]})
    assert ([each.id for each in last.data], last.has_more) == (movements[200:], False)
    back = transactions.list({"limit": 100, "ending_before": movements[150]})
    assert ([each.id for each in back.data], back.has_more) == (movements[50:150], True)
    assert [each.id for each in first.auto_paging_iter()] == movements
    backwards = transactions.list({"limit": 100, "ending_before": movements[-1]})
    assert [each.id for each in backwards.auto_paging_iter()] == movements[:-1][::-1]
    refused(transactions.list, {"limit": 101})
    refused(transactions.list, {"starting_after": "txn_gone"})


def test_filtered_balance_transactions_in_pages(client, movements):
    params = {"type": "topup", "limit": 50}
    pages = client.v1.balance_transactions.list(params).auto_paging_iter()
    assert [each.id for each in pages] == movements[::2]


def test_sources_of_balance_transactions(standin, client):
    session = new_session(client)
    standin.pay(session.id)
    standin.make_balance_transactions()
    standin.refund(session.id, 1000)
    standin.dispute(session.id)
    standin.advance(3 * DAY)
    standin.add_balance_movement("topup", 20_000)
    standin.pay_out()
    found = client.v1.balance_transactions.list({"expand": ["data.source.payment_intent"]}).data
    kinds = [each.source and each.source.object for each in found]
    assert kinds == ["payout", None, "dispute", "refund", "charge"]
    intents = [each.source.payment_intent.object for each in found[2:]]
    assert intents == ["payment_intent"] * 3
    for each in found[2:]:
        only = client.v1.balance_transactions.list({"source": each.source.id}).data
        assert [one.id for one in only] == [each.id]
