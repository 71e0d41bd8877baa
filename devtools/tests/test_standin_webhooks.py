"""Webhook endpoints, and deliveries as they go out by themselves."""

import json
import time

import pytest
import stripe

from .standin_common import (
    client_fixture,  # noqa: F401
    new_endpoint,
    new_session,
    receiver_fixture,  # noqa: F401
    refused,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

URL = "https://example.com/webhook"
COMPLETED = "checkout.session.completed"


def test_the_secret_is_shown_once(client):
    made = new_endpoint(client, URL, [COMPLETED])
    assert made.secret.startswith("whsec_")
    assert made.api_version == stripe.api_version
    endpoints = client.v1.webhook_endpoints
    assert "secret" not in endpoints.retrieve(made.id)
    assert "secret" not in endpoints.list().data[0]
    assert "secret" not in endpoints.update(made.id, {"description": "changed"})


def test_an_idempotent_replay_holds_the_secret_again(client):
    params, key = {"url": URL, "enabled_events": ["*"]}, {"idempotency_key": "k"}
    create = client.v1.webhook_endpoints.create
    assert create(params, key).secret == create(params, key).secret


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"url": "example.com"}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"enabled_events": ["invoice.payed"]}, "enabled_events[0]"),
        ({"api_version": "2026-01-01"}, "api_version"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_bad_endpoint(client, changes, param):
    params = {"url": URL, "enabled_events": ["*"], **changes}
    assert refused(client.v1.webhook_endpoints.create, params).param == param


def test_url_and_events_are_required(client):
    create = client.v1.webhook_endpoints.create
    assert refused(create, {"url": URL}).param == "enabled_events"
    assert refused(create, {"enabled_events": ["*"]}).param == "url"


def test_at_most_16(standin, client):
    made = [new_endpoint(client, URL) for _number in range(16)]
    params = {"url": URL, "enabled_events": ["*"]}
    error = refused(client.v1.webhook_endpoints.create, params)
    assert "maximum of 16" in error.user_message
    client.v1.webhook_endpoints.delete(made[0].id)
    assert new_endpoint(client, URL).status == "enabled"


def test_update(client):
    made = new_endpoint(client, URL)
    changed = client.v1.webhook_endpoints.update(
        made.id,
        {"url": URL + "2", "enabled_events": [COMPLETED], "disabled": True, "metadata": {"a": "1"}},
    )
    assert (changed.url, changed.enabled_events) == (URL + "2", [COMPLETED])
    assert (changed.status, changed.metadata.a) == ("disabled", "1")
    params = {"api_version": stripe.api_version}
    error = refused(client.v1.webhook_endpoints.update, made.id, params)
    assert error.code == "parameter_unknown"


def test_delete(client):
    made = new_endpoint(client, URL)
    assert client.v1.webhook_endpoints.delete(made.id).deleted is True
    assert refused(client.v1.webhook_endpoints.retrieve, made.id).http_status == 404
    assert refused(client.v1.webhook_endpoints.delete, made.id).http_status == 404


def test_delivery_is_signed(standin, client, receiver):
    endpoint = new_endpoint(client, receiver.url, [COMPLETED])
    session = new_session(client)
    standin.pay(session.id)
    assert standin.wait_idle(5)
    (event,) = receiver.events(endpoint.secret)
    assert event.type == COMPLETED
    assert event.data.object.id == session.id
    headers, body = receiver.received[0]
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_other")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", headers["Stripe-Signature"], endpoint.secret)


def test_the_body_is_in_the_endpoints_version(standin, client, receiver):
    params = {"url": receiver.url, "enabled_events": ["*"], "api_version": "2020-08-27"}
    client.v1.webhook_endpoints.create(params)
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    versions = {json.loads(body)["api_version"] for _headers, body in receiver.received}
    assert versions == {"2020-08-27"}
    assert client.v1.events.list().data[0].api_version == stripe.api_version


def test_only_what_was_asked_for_is_sent(standin, client, receiver):
    new_endpoint(client, receiver.url, ["checkout.session.expired", "charge.succeeded"])
    standin.pay(new_session(client).id)
    client.v1.checkout.sessions.expire(new_session(client).id)
    standin.wait_idle(5)
    assert sorted(receiver.types()) == ["charge.succeeded", "checkout.session.expired"]


def test_only_the_accounts_own_endpoints_hear(standin, client, receiver):
    other = standin.add_account()
    theirs = stripe.StripeClient(other.secret_key, base_addresses={"api": standin.url})
    new_endpoint(theirs, receiver.url)
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    assert receiver.received == []


@pytest.mark.parametrize("status", [500, 400, 404, 302])
def test_what_is_refused_is_sent_again(standin, client, receiver, status):
    standin.deliveries.retry_delays = (0.01, 0.02)
    endpoint = new_endpoint(client, receiver.url, [COMPLETED])
    receiver.statuses = [status, status]
    standin.pay(new_session(client).id)
    assert standin.wait_idle(5)
    assert [attempt.status for attempt in standin.deliveries.attempts] == [status, status, 200]
    # Each attempt is signed: the SDK takes all three.
    assert len(receiver.events(endpoint.secret)) == 3
    assert client.v1.events.list({"type": COMPLETED}).data[0].pending_webhooks == 0


def test_each_attempt_is_signed_afresh(standin, client):
    new_endpoint(client, "http://127.0.0.1:9/")
    standin.deliveries.hold()
    standin.pay(new_session(client).id)
    delivery = standin.deliveries.held[0]
    first = delivery.headers["Stripe-Signature"]
    then = time.time() + 60
    assert delivery.signed(timestamp=then)["Stripe-Signature"] != first


def test_no_answer_is_a_failure(standin, client):
    standin.deliveries.retry_delays = (0.01,)
    new_endpoint(client, "http://127.0.0.1:9/", [COMPLETED])
    standin.pay(new_session(client).id)
    assert standin.wait_idle(5)
    attempts = standin.deliveries.attempts
    assert [attempt.status for attempt in attempts] == [None, None]
    assert attempts[0].error
    event = client.v1.events.list({"type": COMPLETED}).data[0]
    assert event.pending_webhooks == 1


def test_undelivered_events_can_be_found(standin, client, receiver):
    standin.deliveries.retry_delays = ()
    new_endpoint(client, receiver.url, [COMPLETED, "charge.succeeded"])
    receiver.statuses = [500, 500]
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    events = client.v1.events

    def types(**params):
        return sorted(event.type for event in events.list(params).data)

    assert types(delivery_success=False) == ["charge.succeeded", COMPLETED]
    undelivered = events.list({"type": COMPLETED}).data[0].id
    standin.deliveries.repeat(undelivered, times=1)
    assert types(delivery_success=False) == ["charge.succeeded"]
    # Without an endpoint that wants them the others count as delivered.
    assert COMPLETED in types(delivery_success=True)


def test_a_disabled_endpoint_hears_nothing(standin, client, receiver):
    endpoint = new_endpoint(client, receiver.url)
    standin.disable_endpoint(endpoint.id)
    assert client.v1.webhook_endpoints.retrieve(endpoint.id).status == "disabled"
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    assert receiver.received == []
    client.v1.webhook_endpoints.update(endpoint.id, {"disabled": False})
    standin.pay(new_session(client).id)
    standin.wait_idle(5)
    assert COMPLETED in receiver.types()


def test_a_deleted_endpoint_is_not_retried(standin, client, receiver):
    standin.deliveries.retry_delays = (0.1,)
    endpoint = new_endpoint(client, receiver.url, [COMPLETED])
    receiver.statuses = [500]
    receiver.before_answer = lambda: client.v1.webhook_endpoints.delete(endpoint.id)
    standin.pay(new_session(client).id)
    assert standin.wait_idle(5)
    assert len(receiver.received) == 1
