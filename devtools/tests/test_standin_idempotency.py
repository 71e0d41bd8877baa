"""Idempotency keys."""

import threading
import time

import stripe

from .standin_common import (
    client_fixture,  # noqa: F401
    connect,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    session_params,
    standin_fixture,  # noqa: F401
)

KEY = {"idempotency_key": "checkout-1"}


def create(client, **changes):
    """Make a session under one key."""
    return client.v1.checkout.sessions.create(session_params(**changes), KEY)


def test_same_key_and_parameters(standin, client):
    first, second = create(client), create(client)
    assert first.id == second.id
    assert len(client.v1.checkout.sessions.list().data) == 1
    assert second.last_response.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.last_response.headers
    assert second.last_response.headers["original-request"] == first.last_response.request_id
    calls = standin.calls.matching("POST", "/v1/checkout/sessions")
    assert [call.replayed for call in calls] == [False, True]
    assert calls[0].params == calls[1].params


def test_the_stored_answer_is_replayed_not_the_present_state(standin, client):
    session = create(client)
    standin.pay(session.id)
    assert create(client).status == "open"
    assert client.v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_same_key_with_other_parameters(client):
    create(client)
    error = refused(
        client.v1.checkout.sessions.create,
        session_params(metadata={"other": "1"}),
        KEY,
        error=stripe.IdempotencyError,
    )
    assert error.http_status == 400
    assert "same parameters" in error.user_message


def test_same_key_for_another_address(client):
    session = create(client)
    error = refused(
        client.v1.checkout.sessions.expire, session.id, {}, KEY, error=stripe.IdempotencyError
    )
    assert "same endpoint" in error.user_message


def test_validation_failures_are_not_stored(client):
    params = session_params(foo="1")
    refused(client.v1.checkout.sessions.create, params, KEY)
    params = session_params(success_url="nowhere")
    refused(client.v1.checkout.sessions.create, params, KEY)
    assert create(client).status == "open"


def test_failures_of_the_call_itself_are_stored(standin, client):
    session = new_session(client)
    client.v1.checkout.sessions.expire(session.id)
    for _time in range(2):
        refused(client.v1.checkout.sessions.expire, session.id, {}, KEY)
    assert standin.calls[-1].replayed is True


def test_a_500_is_stored(standin, client):
    standin.faults.next(1, "500")
    first = refused(create, client, error=stripe.APIError)
    second = refused(create, client, error=stripe.APIError)
    assert (first.http_status, second.http_status) == (500, 500)
    assert second.headers["idempotent-replayed"] == "true"
    assert new_session(client).status == "open"


def test_a_429_is_not_stored(standin, client):
    standin.faults.next(1, "429")
    refused(create, client, error=stripe.RateLimitError)
    assert create(client).status == "open"


def test_a_key_in_use(standin, client):
    standin.faults.next(1, "slow", method="POST", seconds=60)
    results = []
    thread = threading.Thread(target=lambda: results.append(create(client)))
    thread.start()
    # Carried out, but not answered yet.
    deadline = time.monotonic() + 30
    while not client.v1.checkout.sessions.list().data and time.monotonic() < deadline:
        time.sleep(0.005)
    assert standin.calls.matching("POST")[0].status is None
    error = refused(create, client, error=stripe.APIError)
    assert error.http_status == 409
    assert error.json_body["error"]["code"] == "idempotency_key_in_use"
    standin.faults.clear()
    thread.join()
    assert create(client).id == results[0].id


def test_many_at_once_make_one_session(standin, client):
    outcomes = []

    def work():
        try:
            outcomes.append(create(client).id)
        except stripe.APIError as error:
            outcomes.append(error.http_status)

    threads = [threading.Thread(target=work) for _number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client.v1.checkout.sessions.list().data) == 1
    assert len(set(outcomes) - {409}) == 1


def test_keys_live_24_hours(standin, client):
    first = create(client)
    standin.advance(24 * 3600 - 60)
    assert create(client).id == first.id
    standin.advance(120)
    assert create(client).id != first.id


def test_keys_are_per_account(standin, client):
    other = connect(standin, standin.add_account().secret_key)
    assert create(client).id != create(other).id


def test_too_long_a_key(client):
    params, options = session_params(), {"idempotency_key": "k" * 256}
    refused(client.v1.checkout.sessions.create, params, options, error=stripe.IdempotencyError)


def test_reads_take_no_keys(client):
    session = new_session(client)
    client.v1.checkout.sessions.retrieve(session.id, {}, KEY)
    assert create(client).id != session.id
