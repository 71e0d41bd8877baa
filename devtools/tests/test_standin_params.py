"""Every parameter is checked against the SDK's types and Stripe's limits."""

import pytest
import stripe

from .standin_common import (
    client_fixture,  # noqa: F401
    error_of,
    line_item,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"foo": "1"}, "foo"),
        # Removed in 2026-09-30.endive: the Dashboard decides.
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"automatic_payment_methods": {"enabled": True}}, "automatic_payment_methods"),
        ({"payment_intent_data": {"foo": "1"}}, "payment_intent_data[foo]"),
        (
            {"line_items": [line_item(product_data={"name": "A", "sku": "1"})]},
            "line_items[0][price_data][product_data][sku]",
        ),
        # Options of the SDK are no parameters.
        ({"idempotency_key": "k"}, "idempotency_key"),
    ],
)
def test_unknown_parameter(client, changes, name):
    error = error_of(client, **changes)
    assert error.code == "parameter_unknown"
    assert error.param == name
    assert error.user_message == f"Received unknown parameter: {name}"
    assert error.http_status == 400


def test_all_unknown_parameters_are_named_at_once(client):
    error = error_of(client, foo="1", payment_intent_data={"bar": "2"})
    assert "unknown parameters" in error.user_message
    assert "foo" in error.user_message
    assert "payment_intent_data[bar]" in error.user_message


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"mode": None}, "mode"),
        ({"success_url": None}, "success_url"),
        ({"line_items": None}, "line_items"),
        (
            {"line_items": [{"quantity": 1, "price_data": {"unit_amount": 100}}]},
            "line_items[0][price_data][currency]",
        ),
        ({"line_items": [line_item(product_data={"description": "A"})]}, None),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price_data]"),
        (
            {
                "line_items": [
                    {"price_data": {"currency": "usd", "unit_amount": 1, "product_data": {}}}
                ]
            },
            None,
        ),
        (
            {"line_items": [{"price_data": line_item()["price_data"]}]},
            "line_items[0][quantity]",
        ),
        (
            {
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {"currency": "usd", "product_data": {"name": "A"}},
                    }
                ]
            },
            "line_items[0][price_data][unit_amount]",
        ),
    ],
)
def test_missing_parameter(client, changes, param):
    error = error_of(client, **changes)
    assert error.code == "parameter_missing"
    if param:
        assert error.param == param


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"mode": "buy"}, "mode"),
        ({"locale": "xx"}, "locale"),
        ({"submit_type": "give"}, "submit_type"),
        ({"allowed_payment_method_types": ["cash"]}, "allowed_payment_method_types[0]"),
    ],
)
def test_value_outside_an_enum(client, changes, param):
    error = error_of(client, **changes)
    assert error.param == param
    assert "must be one of" in error.user_message


@pytest.mark.parametrize("value", [12.5, "12.0", "ten", "1e3", " 12", True])
def test_amount_must_be_an_integer(client, value):
    error = error_of(client, line_items=[line_item(value)])
    assert error.code == "parameter_invalid_integer"
    assert error.param == "line_items[0][price_data][unit_amount]"


@pytest.mark.parametrize("amount", [-1, -12050])
def test_amount_must_not_be_negative(client, amount):
    error = error_of(client, line_items=[line_item(amount)])
    assert error.code == "parameter_invalid_integer"


def test_quantity_must_be_positive(client):
    error = error_of(client, line_items=[line_item(quantity=0)])
    assert error.param == "line_items[0][quantity]"


def test_boolean(client):
    error = error_of(client, adaptive_pricing={"enabled": "yes"})
    assert error.param == "adaptive_pricing[enabled]"
    assert "Invalid boolean" in error.user_message


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"client_reference_id": ""}, "client_reference_id"),
        ({"customer_email": ""}, "customer_email"),
        ({"payment_intent_data": {"description": ""}}, "payment_intent_data[description]"),
        ({"expires_at": ""}, "expires_at"),
    ],
)
def test_empty_string(client, changes, param):
    error = error_of(client, **changes)
    assert error.code == "parameter_invalid_empty"
    assert error.param == param


def test_empty_string_clears_what_may_be_cleared(client):
    session = new_session(client, custom_text={"submit": ""})
    assert session.custom_text.submit is None


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        (lambda text: {"client_reference_id": text}, 200),
        (lambda text: {"payment_intent_data": {"description": text}}, 1000),
        (lambda text: {"payment_intent_data": {"statement_descriptor_suffix": text}}, 22),
        (lambda text: {"custom_text": {"submit": {"message": text}}}, 1200),
        (lambda text: {"success_url": "http://h.test/" + text[14:]}, 5000),
        (lambda text: {"line_items": [line_item(product_data={"name": text})]}, 5000),
    ],
)
def test_longest_text(client, changes, most):
    new_session(client, **changes("x" * most))
    error = error_of(client, **changes("x" * (most + 1)))
    assert f"must be at most {most} characters" in error.user_message


def test_metadata_limits(client):
    new_session(client, metadata={f"k{n}": "v" for n in range(50)})
    new_session(client, metadata={"k" * 40: "v" * 500})
    for metadata, text in (
        ({f"k{n}": "v" for n in range(51)}, "50 metadata keys"),
        ({"k" * 41: "v"}, "up to 40 characters"),
        ({"k": "v" * 501}, "up to 500 characters"),
    ):
        assert text in error_of(client, metadata=metadata).user_message
        below = error_of(client, payment_intent_data={"metadata": metadata})
        assert text in below.user_message


def test_at_most_100_line_items(client):
    new_session(client, line_items=[line_item(100)] * 100)
    assert error_of(client, line_items=[line_item(100)] * 101).param == "line_items"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"metadata": "text"}, "Invalid object"),
        ({"line_items": "text"}, "Invalid array"),
        ({"customer_email": {"a": "b"}}, "Invalid string"),
        ({"expires_at": {"a": 1}}, "Invalid integer"),
        ({"line_items": {"first": line_item()}}, "Invalid array"),
    ],
)
def test_wrong_kind_of_value(client, changes, text):
    assert text in error_of(client, **changes).user_message


def test_parameters_of_reads_are_checked_too(client):
    session = new_session(client)
    sessions = client.v1.checkout.sessions
    assert refused(sessions.retrieve, session.id, {"foo": 1}).code == "parameter_unknown"
    assert refused(sessions.list, {"status": "paid"}).param == "status"
    assert refused(sessions.list, {"limit": "1.5"}).code == "parameter_invalid_integer"
    assert refused(sessions.list, {"created": {"after": 1}}).param == "created[after]"


def test_errors_have_stripes_shape(client):
    error = error_of(client, foo="1")
    assert error.json_body["error"]["type"] == "invalid_request_error"
    assert error.json_body["error"]["doc_url"].endswith("/parameter-unknown")
    assert error.request_id.startswith("req_")
    assert error.request_id in error.json_body["error"]["request_log_url"]
    assert isinstance(error, stripe.InvalidRequestError)
