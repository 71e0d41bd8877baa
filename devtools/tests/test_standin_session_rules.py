"""What Stripe refuses in a Checkout Session beyond the types of its parameters."""

import pytest

from .standin_common import (
    client_fixture,  # noqa: F401
    error_of,
    line_item,
    new_session,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)


@pytest.mark.parametrize("value", ["client", "a@b", "a b@c.test", "@c.test"])
def test_email(client, value):
    error = error_of(client, customer_email=value)
    assert (error.code, error.param) == ("email_invalid", "customer_email")


@pytest.mark.parametrize("value", ["/done", "example.com/done", "ftp://h.test/", "http://", "x:y"])
@pytest.mark.parametrize("name", ["success_url", "cancel_url"])
def test_urls_are_absolute(client, name, value):
    error = error_of(client, **{name: value})
    assert (error.code, error.param) == ("url_invalid", name)


def test_customer_or_email(client):
    customer = client.v1.customers.create({"email": "client@example.com"})
    error = error_of(client, customer=customer.id)
    assert "only specify one of these parameters" in error.user_message
    session = new_session(client, customer=customer.id, customer_email=None)
    assert session.customer == customer.id


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        (
            {"line_items": [{**line_item(), "price": "price_1"}]},
            "line_items[0][price_data]",
        ),
        (
            {"line_items": [line_item(product="prod_1")]},
            "line_items[0][price_data][product_data]",
        ),
        (
            {"line_items": [line_item(unit_amount_decimal="100")]},
            "line_items[0][price_data][unit_amount_decimal]",
        ),
        (
            {
                "allowed_payment_method_types": ["card"],
                "excluded_payment_method_types": ["us_bank_account"],
            },
            "excluded_payment_method_types",
        ),
    ],
)
def test_parameters_that_exclude_each_other(client, changes, param):
    error = error_of(client, **changes)
    assert "only specify one of these parameters" in error.user_message
    assert error.param == param


def test_decimal_amounts(client):
    item = line_item()
    del item["price_data"]["unit_amount"]
    item["price_data"]["unit_amount_decimal"] = "1250.000"
    assert new_session(client, line_items=[item]).amount_total == 1250
    for value, code in (("12.5", "not_simulated"), ("ten", None), ("1e3", None)):
        item["price_data"]["unit_amount_decimal"] = value
        assert error_of(client, line_items=[item]).code == code


def test_unknown_customer(client):
    error = error_of(client, customer="cus_gone", customer_email=None)
    assert (error.code, error.param, error.http_status) == ("resource_missing", "customer", 400)


@pytest.mark.parametrize("item", [{"price": "price_1", "quantity": 1}, line_item(product="prod_1")])
def test_prices_and_products_do_not_exist(client, item):
    item.get("price_data", {}).pop("product_data", None)
    assert error_of(client, line_items=[item]).code == "resource_missing"


def test_suffix_of_the_bank_statement(client):
    for suffix in ("12345", "INV*1", "INV'1"):
        data = {"statement_descriptor_suffix": suffix}
        assert "statement descriptor" in error_of(client, payment_intent_data=data).user_message
    new_session(client, payment_intent_data={"statement_descriptor_suffix": "INV/2026/1"})


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "subscription"},
        {"ui_mode": "elements"},
        {"discounts": [{"coupon": "C"}]},
        {"automatic_tax": {"enabled": True}},
        {"invoice_creation": {"enabled": True}},
        {"payment_intent_data": {"capture_method": "manual"}},
        {"phone_number_collection": {"enabled": True}},
        {"line_items": [{**line_item(), "adjustable_quantity": {"enabled": True}}]},
    ],
)
def test_what_is_not_simulated_is_refused(client, changes):
    assert error_of(client, **changes).code == "not_simulated"


def test_what_is_switched_off_is_no_matter(client):
    new_session(client, invoice_creation={"enabled": False}, automatic_tax={"enabled": False})
