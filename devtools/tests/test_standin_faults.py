"""The API broken on purpose."""

import http.client as http_client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import stripe

from .standin_common import (
    client_fixture,  # noqa: F401
    connect,
    http,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    session_params,
    standin_fixture,  # noqa: F401
)

CREATE = {"path": "/v1/checkout/sessions", "method": "POST"}


def sessions(standin):
    """Return how many sessions were made."""
    return len(standin.account.store.newest_first("checkout.session"))


def hurried(standin):
    """Return a client that waits for an answer for a moment only."""
    return connect(standin, http_client=stripe.RequestsClient(timeout=1))


@pytest.mark.parametrize(
    ("kind", "error"), [("500", stripe.APIError), ("429", stripe.RateLimitError)]
)
def test_errors(standin, client, kind, error):
    standin.faults.next(2, kind)
    for _time in range(2):
        refused(new_session, client, error=error)
    assert sessions(standin) == 0
    assert new_session(client).status == "open"
    assert [call.fault for call in standin.calls] == [kind, kind, ""]


def test_reset_does_nothing(standin, client):
    standin.faults.next(1, "reset")
    refused(new_session, client, error=stripe.APIConnectionError)
    assert sessions(standin) == 0
    assert standin.calls[0].status is None


def test_reset_is_a_real_reset(standin):
    standin.faults.next(1, "reset")
    connection = http_client.HTTPConnection(urlsplit(standin.url).netloc, timeout=5)
    connection.request("GET", "/v1/balance")
    with pytest.raises(ConnectionResetError) as caught:
        connection.getresponse()
    # An orderly end would raise its subclass RemoteDisconnected.
    assert caught.type is ConnectionResetError
    connection.close()


def test_timeout_does_nothing(standin):
    standin.faults.next(1, "timeout", seconds=30)
    refused(new_session, hurried(standin), error=stripe.APIConnectionError)
    assert sessions(standin) == 0


def test_lost_answer_is_carried_out(standin, client):
    standin.faults.next(1, "lost_answer", **CREATE)
    key = {"idempotency_key": "k"}
    create = client.v1.checkout.sessions.create
    refused(create, session_params(), key, error=stripe.APIConnectionError)
    assert sessions(standin) == 1
    found = create(session_params(), key)
    assert sessions(standin) == 1
    assert standin.calls[-1].replayed is True
    assert client.v1.checkout.sessions.retrieve(found.id).status == "open"


def test_500_after_is_carried_out(standin, client):
    standin.faults.next(1, "500_after", **CREATE)
    create = client.v1.checkout.sessions.create
    for _time in range(2):
        refused(create, session_params(), {"idempotency_key": "k"}, error=stripe.APIError)
    assert sessions(standin) == 1
    assert standin.calls[-1].replayed is True


def test_slow_answer_comes_too_late(standin):
    standin.faults.next(1, "slow", seconds=30)
    refused(new_session, hurried(standin), error=stripe.APIConnectionError)
    assert sessions(standin) == 1


def test_who_waits_is_answered_once_everything_is_repaired(standin, client):
    standin.faults.next(1, "slow", seconds=60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(new_session, client)
        while not sessions(standin):
            time.sleep(0.01)
        assert not waiting.done()
        standin.faults.clear()
        assert waiting.result(30).status == "open"


def test_the_sdks_own_retries_get_through(standin):
    standin.faults.next(1, "reset")
    client = connect(standin, max_network_retries=1)
    assert new_session(client).status == "open"
    assert sessions(standin) == 1
    assert len(standin.calls) == 2


def test_the_sdk_is_told_not_to_retry_what_would_be_replayed(standin):
    standin.faults.next(1, "500")
    error = refused(new_session, connect(standin, max_network_retries=2), error=stripe.APIError)
    assert error.http_status == 500
    assert len(standin.calls) == 1


def test_only_matching_calls_break(standin, client):
    standin.faults.next(1, "500", path="/v1/checkout/sessions/*", method="get")
    session = new_session(client)
    assert client.v1.balance.retrieve().livemode is False
    retrieve = client.v1.checkout.sessions.retrieve
    assert refused(retrieve, session.id, error=stripe.APIError).http_status == 500
    assert retrieve(session.id).id == session.id


def test_control_routes_never_break(standin):
    standin.faults.next(5, "500")
    assert http(standin.url + "/_control/account")[0] == 200
    assert standin.faults.pending[0]["left"] == 5
    standin.faults.clear()
    assert standin.faults.pending == []


def test_unknown_kind(standin):
    with pytest.raises(ValueError, match="Unknown kind of fault: flood"):
        standin.faults.next(1, "flood")
