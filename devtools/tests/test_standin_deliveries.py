"""Deliveries under a test's control."""

import threading

import pytest
import stripe

from .standin_common import (
    client_fixture,  # noqa: F401
    new_endpoint,
    new_session,
    receiver_fixture,  # noqa: F401
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

ORDER = [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
]


@pytest.fixture(name="endpoint")
def endpoint_fixture(client, receiver):
    """An endpoint that hears everything."""
    return new_endpoint(client, receiver.url)


def test_hold_and_release(standin, client, receiver, endpoint):
    standin.deliveries.hold()
    standin.pay(new_session(client).id)
    assert standin.wait_idle(5)
    assert receiver.received == []
    assert [held.event["type"] for held in standin.deliveries.held] == ORDER
    attempts = standin.deliveries.release()
    assert [attempt.status for attempt in attempts] == [200] * 4
    assert receiver.types() == ORDER
    assert standin.deliveries.held == []
    # Holding is over.
    client.v1.checkout.sessions.expire(new_session(client).id)
    standin.wait_idle(5)
    assert receiver.types()[4:] == ["checkout.session.expired"]


def test_release_in_reverse_and_twice(standin, client, receiver, endpoint):
    standin.deliveries.hold()
    standin.pay(new_session(client).id)
    standin.deliveries.release("reverse", copies=2)
    assert receiver.types() == [type for type in reversed(ORDER) for _copy in range(2)]
    assert len(receiver.events(endpoint.secret)) == 8


def test_release_at_random(standin, client, receiver, endpoint):
    standin.deliveries.hold()
    standin.pay(new_session(client).id)
    standin.deliveries.release("random")
    assert sorted(receiver.types()) == sorted(ORDER)


def test_release_chosen_events(standin, client, receiver, endpoint):
    standin.deliveries.hold()
    standin.pay(new_session(client).id)
    ids = [held.event["id"] for held in standin.deliveries.held]
    standin.deliveries.release([ids[3], ids[1]])
    assert receiver.types() == [ORDER[3], ORDER[1]]
    assert len(standin.deliveries.held) == 2
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    assert len(receiver.received) == 2


@pytest.mark.parametrize("order", ["backwards", ["evt_gone"]])
def test_release_of_what_is_not_there(standin, client, endpoint, order):
    standin.deliveries.hold()
    standin.pay(new_session(client).id)
    with pytest.raises(ValueError, match=r"Unknown order|Not held"):
        standin.deliveries.release(order)
    assert len(standin.deliveries.held) == 4


def test_pop_all_hands_them_over(standin, client, receiver, endpoint):
    standin.deliveries.hold()
    standin.pay(new_session(client).id)
    taken = standin.deliveries.pop_all()
    assert standin.deliveries.held == []
    for delivery in taken:
        event = stripe.Webhook.construct_event(
            delivery.body, delivery.headers["Stripe-Signature"], endpoint.secret
        )
        assert event.id == delivery.event["id"]
        assert delivery.url == receiver.url
    wrong = taken[0].signed(secret="whsec_wrong")["Stripe-Signature"]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(taken[0].body, wrong, endpoint.secret)
    old = taken[0].signed(timestamp=1_700_000_000)["Stripe-Signature"]
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        stripe.Webhook.construct_event(taken[0].body, old, endpoint.secret)
    standin.wait_idle(5)
    assert receiver.received == []


def test_repeat(standin, client, receiver, endpoint):
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    event = client.v1.events.list({"type": "checkout.session.completed"}).data[0]
    receiver.received.clear()
    attempts = standin.deliveries.repeat(event.id, times=10, parallel=8)
    assert len(attempts) == 10
    assert {received.id for received in receiver.events(endpoint.secret)} == {event.id}
    assert len(receiver.received) == 10
    with pytest.raises(ValueError, match="No such event"):
        standin.deliveries.repeat("evt_gone")


def test_repeat_is_really_parallel(standin, client, receiver, endpoint):
    standin.deliveries.hold()
    standin.pay(new_session(client).id)
    event_id = standin.deliveries.pop_all()[-1].event["id"]
    # No answer comes before four requests are there at the same time.
    together = threading.Barrier(4, timeout=30)
    receiver.before_answer = together.wait
    attempts = standin.deliveries.repeat(event_id, times=4, parallel=4)
    assert [attempt.status for attempt in attempts] == [200] * 4


def test_double_sign(standin, client, receiver, endpoint):
    standin.deliveries.double_sign("whsec_old")
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    assert len(receiver.events(endpoint.secret)) == len(receiver.events("whsec_old")) == 4
    signature = receiver.received[0][0]["Stripe-Signature"]
    assert signature.count("v1=") == 2
    standin.deliveries.double_sign(None)
    receiver.received.clear()
    client.v1.checkout.sessions.expire(new_session(client).id)
    standin.wait_idle(5)
    assert receiver.received[0][0]["Stripe-Signature"].count("v1=") == 1


def test_roll_secret(standin, client, receiver, endpoint):
    new = standin.roll_secret(endpoint.id)
    assert new != endpoint.secret
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    assert len(receiver.events(endpoint.secret)) == len(receiver.events(new)) == 4
    standin.deliveries.double_sign(None)
    receiver.received.clear()
    client.v1.checkout.sessions.expire(new_session(client).id)
    standin.wait_idle(5)
    assert len(receiver.events(new)) == 1
    with pytest.raises(stripe.SignatureVerificationError):
        receiver.events(endpoint.secret)


def test_two_events_for_one_thing(standin, client, receiver, endpoint):
    standin.deliveries.duplicate_events(True)
    session = new_session(client)
    standin.pay(session.id)
    standin.wait_idle(5)
    completed = client.v1.events.list({"type": "checkout.session.completed"}).data
    assert len({event.id for event in completed}) == 2
    assert {event.data.object.id for event in completed} == {session.id}
    assert receiver.types().count("checkout.session.completed") == 2


def test_delay(standin, client, receiver, endpoint):
    standin.deliveries.delay(2)
    standin.pay(new_session(client).id)
    assert not standin.wait_idle(0.02)
    assert receiver.received == []
    assert standin.wait_idle(30)
    assert len(receiver.received) == 4


def test_extra_headers(standin, client, receiver, endpoint):
    standin.deliveries.extra_headers = {"Cookie": "test_request_key=1"}
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    assert {headers["Cookie"] for headers, _body in receiver.received} == {"test_request_key=1"}


def test_released_ones_that_are_refused_are_tried_again(standin, client, receiver, endpoint):
    standin.deliveries.retry_delays = (0.01,)
    standin.deliveries.hold()
    client.v1.checkout.sessions.expire(new_session(client).id)
    receiver.statuses = [500]
    (attempt,) = standin.deliveries.release()
    assert attempt.status == 500
    assert standin.wait_idle(5)
    assert [each.status for each in standin.deliveries.attempts] == [500, 200]


def test_reset_forgets_what_is_queued(standin, client, receiver, endpoint):
    standin.deliveries.delay(30)
    standin.pay(new_session(client).id)
    standin.reset()
    assert standin.wait_idle(1)
    assert standin.deliveries.attempts == []
    assert client.v1.webhook_endpoints.list().data == []
