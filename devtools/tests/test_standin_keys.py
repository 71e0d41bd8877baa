"""Keys, permissions, versions and addresses."""

import base64
import json

import pytest
import stripe

from .standin_common import (
    client_fixture,  # noqa: F401
    connect,
    http,
    new_endpoint,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    session_params,
    standin_fixture,  # noqa: F401
)


def test_account_and_balance(standin, client):
    account = client.v1.accounts.retrieve_current()
    assert account.id == standin.account.id
    assert "livemode" not in account
    assert account.default_currency == "usd"
    assert client.v1.accounts.retrieve(account.id).id == account.id
    balance = client.v1.balance.retrieve()
    assert balance.livemode is False
    assert balance.available[0].amount == 0


def test_another_account_is_out_of_reach(standin, client):
    other = standin.add_account()
    error = refused(client.v1.accounts.retrieve, other.id, error=stripe.PermissionError)
    assert error.code == "account_invalid" or "does not have access" in error.user_message
    options = {"stripe_account": other.id}
    refused(client.v1.balance.retrieve, {}, options, error=stripe.PermissionError)


def test_no_key(standin):
    status, _headers, text = http(standin.url + "/v1/balance")
    assert status == 401
    assert "You did not provide an API key" in json.loads(text)["error"]["message"]


@pytest.mark.parametrize("header", ["Bearer", "Basic !", "Token abc", "Basic " + "gA==" * 2])
def test_broken_authorization(standin, header):
    status, _headers, _text = http(standin.url + "/v1/balance", headers={"Authorization": header})
    assert status == 401


def test_basic_authorization(standin):
    value = base64.b64encode(f"{standin.account.secret_key}:".encode()).decode()
    headers = {"Authorization": f"Basic {value}"}
    assert http(standin.url + "/v1/balance", headers=headers)[0] == 200


def test_unknown_key_shows_its_last_four_characters(standin):
    key = "sk_test_" + "z" * 40 + "1234"
    error = refused(connect(standin, key).v1.balance.retrieve, error=stripe.AuthenticationError)
    assert error.user_message.startswith("Invalid API Key provided: sk_test_****")
    assert error.user_message.endswith("*1234")
    assert "z" not in error.user_message.removeprefix("Invalid API Key provided: ")


def test_a_short_unknown_key_is_not_shown_at_all(standin):
    client = connect(standin, "abcdefgh")
    error = refused(client.v1.balance.retrieve, error=stripe.AuthenticationError)
    assert "efgh" not in error.user_message


@pytest.mark.parametrize("prefix", ["sk_live_", "rk_live_", "pk_live_"])
def test_live_keys_are_refused(standin, prefix):
    key = prefix + "a" * 40 + "9876"
    error = refused(connect(standin, key).v1.balance.retrieve, error=stripe.AuthenticationError)
    assert "refuses live keys" in error.user_message
    assert "9876" not in error.user_message
    assert "9876" not in json.dumps([call.as_dict() for call in standin.calls])


def test_publishable_key(standin):
    client = connect(standin, standin.account.publishable_key)
    error = refused(client.v1.balance.retrieve, error=stripe.AuthenticationError)
    assert "publishable API key" in error.user_message


def test_the_restricted_key_of_the_account_may_do_everything(standin):
    client = connect(standin, standin.account.restricted_key)
    assert client.v1.accounts.retrieve_current().id == standin.account.id
    assert new_session(client).status == "open"


def test_a_missing_permission_is_named(standin):
    key = standin.add_restricted_key({"rak_checkout_session_write"})
    client = connect(standin, key)
    session = new_session(client)
    # Write includes read.
    assert client.v1.checkout.sessions.retrieve(session.id).id == session.id
    error = refused(client.v1.accounts.retrieve_current, error=stripe.PermissionError)
    assert "'rak_accounts_kyc_basic_read'" in error.user_message
    assert standin.account.id in error.user_message
    assert key not in error.user_message
    params = {"url": "http://127.0.0.1:9/", "enabled_events": ["*"]}
    error = refused(client.v1.webhook_endpoints.create, params, error=stripe.PermissionError)
    assert "'rak_webhook_write'" in error.user_message


def test_a_key_with_all_permissions_but_one(standin):
    key = standin.add_restricted_key(without={"rak_accounts_kyc_basic_read"})
    client = connect(standin, key)
    assert client.v1.balance.retrieve().livemode is False
    assert new_endpoint(client, "http://127.0.0.1:9/").status == "enabled"
    refused(client.v1.accounts.retrieve_current, error=stripe.PermissionError)


def test_version(standin, client):
    assert client.v1.balance.retrieve({}, {"stripe_version": "2020-08-27"}).livemode is False
    for version in ("2026-10-29.endive", "latest", "2026-10-28"):
        options = {"stripe_version": version}
        error = refused(client.v1.balance.retrieve, {}, options)
        assert version in error.user_message


def test_unknown_address(standin, client):
    error = refused(client.v1.subscriptions.list)
    assert error.http_status == 404
    assert "Unrecognized request URL (GET: /v1/subscriptions)" in error.user_message


def test_json_bodies_are_refused(standin):
    headers = {
        "Authorization": f"Bearer {standin.account.secret_key}",
        "Content-Type": "application/json",
    }
    body = json.dumps(session_params()).encode()
    status, _headers, text = http(standin.url + "/v1/checkout/sessions", body, headers=headers)
    assert status == 400
    assert "content type" in json.loads(text)["error"]["message"]


def test_too_large_a_body(standin):
    headers = {"Authorization": f"Bearer {standin.account.secret_key}", "Content-Length": "9999999"}
    assert http(standin.url + "/v1/customers", b"x", headers=headers)[0] == 413


def test_the_log_of_calls_holds_no_keys(standin, client):
    new_session(client)
    refused(connect(standin, "sk_test_" + "q" * 30).v1.balance.retrieve, error=stripe.StripeError)
    logged = json.dumps([call.as_dict() for call in standin.calls])
    assert standin.account.secret_key not in logged
    assert "q" * 5 not in logged
    call = standin.calls.matching("POST", "/v1/checkout/sessions")[0]
    assert call.params["line_items"][0]["price_data"]["unit_amount"] == 12050
    assert (call.status, call.account, call.replayed) == (200, standin.account.id, False)
    assert call.stripe_version == stripe.api_version
    assert call.idempotency_key
    assert standin.calls[-1].status == 401
