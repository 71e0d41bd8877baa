"""Parts of the stand-in on their own: clock, forms, currencies, signatures, keys."""

import threading
import time

import pytest
import stripe

from ..standin import auth, currencies, forms, sdk
from ..standin.clock import Clock
from ..standin.errors import ApiError
from ..standin.signing import signature_header


def test_jobs_run_in_the_order_of_their_time():
    clock = Clock(threading.RLock())
    start, seen = clock.time(), []
    for name, seconds in (("third", 30), ("first", 10), ("second", 20), ("never", 100)):
        clock.at(start + seconds, lambda name=name: seen.append((name, clock.time() - start)))
    clock.advance(50)
    assert [name for name, _moment in seen] == ["first", "second", "third"]
    # The clock goes on by itself while a slow machine runs this.
    assert [moment for _name, moment in seen] == pytest.approx([10, 20, 30], abs=5)
    assert clock.time() - start == pytest.approx(50, abs=5)


def test_a_job_may_make_another():
    clock = Clock(threading.RLock())
    seen = []
    clock.at(clock.time() + 10, lambda: clock.at(clock.time() + 10, lambda: seen.append(1)))
    clock.advance(15)
    assert seen == []
    clock.advance(10)
    assert seen == [1]


def test_jobs_run_by_themselves():
    clock = Clock(threading.RLock())
    done = threading.Event()
    clock.start()
    try:
        clock.at(clock.time() + 0.02, done.set)
        assert done.wait(5)
    finally:
        clock.stop()


def test_the_clock_does_not_run_backwards():
    with pytest.raises(ValueError, match="forward"):
        Clock(threading.RLock()).advance(-1)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a[b][c]=1&a[b][d]=2", {"a": {"b": {"c": "1", "d": "2"}}}),
        ("e[0]=x&e[1]=y", {"e": {"0": "x", "1": "y"}}),
        ("e[]=x&e[]=y", {"e": {"0": "x", "1": "y"}}),
        ("m%5Bk%20k%5D=%C3%A9%26", {"m": {"k k": "é&"}}),
    ],
)
def test_forms(text, tree):
    assert forms.parse(text) == tree


@pytest.mark.parametrize("text", ["a=1&a[b]=2", "a[b]=1&a=2", "a[b]=1&a[b][c]=2"])
def test_forms_that_contradict_themselves(text):
    with pytest.raises(ApiError):
        forms.parse(text)


def test_name_of_a_parameter():
    assert forms.name_of(("line_items", 0, "price_data")) == "line_items[0][price_data]"


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (5, "usd", "$0.05"),
        (100000, "gbp", "£1,000.00"),
        (500, "jpy", "¥500"),
        (50000, "ugx", "UGX 500"),
        (1230, "bhd", "BHD 1.230"),
        (150, "chf", "CHF 1.50"),
    ],
)
def test_display(amount, currency, shown):
    assert currencies.display(amount, currency) == shown


def test_currencies_with_exceptions_are_supported():
    special = currencies.ZERO_DECIMAL | currencies.THREE_DECIMAL | currencies.WHOLE_UNITS_ONLY
    assert special | set(currencies.SMALLEST) <= currencies.SUPPORTED


def test_signatures_are_the_sdks():
    body = '{"id": "evt_1", "name": "é"}'
    ours = signature_header(body.encode(), ["whsec_1"], 1_800_000_000)
    theirs = stripe.WebhookSignature.generate_signature_header(body, "whsec_1", 1_800_000_000)
    assert ours == theirs


def test_several_signatures():
    header = signature_header(b"{}", ["whsec_1", "whsec_2"], time.time())
    for secret in ("whsec_1", "whsec_2"):
        assert stripe.WebhookSignature.verify_header("{}", header, secret, 300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header("{}", header, "whsec_3", 300)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk_test_" + "a" * 20 + "wxyz", "sk_test_" + "*" * 20 + "wxyz"),
        ("sk_test_short", "sk_test_*****"),
        ("abcdefgh", "********"),
        ("x", "****"),
    ],
)
def test_masked_keys(key, shown):
    assert auth.masked(key) == shown


def test_parameters_are_the_sdks():
    fields = sdk.fields_of(sdk.params_type("checkout.SessionCreateParams"))
    assert "allowed_payment_method_types" in fields
    assert "payment_method_types" not in fields
    assert "idempotency_key" not in fields
    required, mode = fields["mode"]
    assert (required, mode.enum, mode.text) == (
        False,
        ("payment", "setup", "subscription"),
        False,
    )
    required, events = sdk.fields_of(sdk.params_type("WebhookEndpointCreateParams"))[
        "enabled_events"
    ]
    assert required is True
    assert "checkout.session.completed" in events.items.enum


def test_references_are_the_sdks():
    assert sdk.references(stripe.Charge)["balance_transaction"] == (stripe.BalanceTransaction,)
    assert stripe.Charge in sdk.references(stripe.BalanceTransaction)["source"]
    assert "metadata" not in sdk.references(stripe.Charge)
