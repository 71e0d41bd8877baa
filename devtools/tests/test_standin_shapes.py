"""Objects have the shape of the SDK's own types, and nothing else."""

import pytest
import stripe

from ..standin import disputes, refunds, sdk
from .standin_common import (
    client_fixture,  # noqa: F401
    new_endpoint,
    new_session,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

# Free maps, whose keys no type names.
FREE = ("metadata", "previous_attributes", "source_types", "capabilities", "fraud_details")


def unknown_fields(value, cls, path):
    """Yield the paths of all fields that the SDK's class does not have."""
    known = set(sdk.object_fields(cls))
    groups = sdk.groups(cls)
    for name, field in value.items():
        here = f"{path}.{name}"
        if name not in known:
            yield here
        elif name in groups and name not in FREE:
            for each in field if isinstance(field, list) else [field]:
                if isinstance(each, dict):
                    yield from unknown_fields(each, groups[name], here)


def reads(client, session):
    """Return every object that the API can show."""
    v1 = client.v1
    found = v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})
    intent = v1.payment_intents.retrieve(found.payment_intent, {"expand": ["payment_method"]})
    charge = v1.charges.retrieve(intent.latest_charge)
    shown = [found, intent, charge, found.line_items.data[0]]
    if intent.payment_method:
        shown.append(intent.payment_method)
    shown += [found.line_items.data[0].price, *v1.events.list().data, v1.balance.retrieve()]
    shown += v1.balance_transactions.list().data
    return [*shown, v1.accounts.retrieve_current()]


@pytest.mark.parametrize("how", ["card", "decline", "settled", "failed"])
def test_no_field_is_invented(standin, client, how):
    session = new_session(client, custom_text={"submit": {"message": "Thank you"}})
    if how in ("card", "decline"):
        standin.pay(session.id, outcome="success" if how == "card" else "decline")
    else:
        standin.pay(session.id, "us_bank_account")
        (standin.settle_debit if how == "settled" else standin.fail_debit)(session.id)
    standin.make_balance_transactions()
    shown = [*reads(client, session), client.v1.customers.create({"email": "a@example.com"})]
    shown.append(new_endpoint(client, "https://example.com/"))
    for each in shown:
        assert list(unknown_fields(each.to_dict(), type(each), type(each).__name__)) == []


def test_no_field_of_what_moves_money_is_invented(standin, client):
    sessions = [new_session(client).id for _number in range(3)]
    for session, method in zip(sessions, ("card", "card", "us_bank_account"), strict=True):
        standin.pay(session, method)
    standin.settle_debit(sessions[2])
    standin.fail_refund(standin.refund(sessions[0], 100)["id"])
    standin.refund(sessions[2], 100)
    standin.win_dispute(standin.dispute(sessions[0])["id"])
    standin.dispute(sessions[1], inquiry=True)
    standin.return_debit(sessions[2])
    standin.add_balance_movement("topup", 50_000)
    standin.fail_payout(standin.pay_out()[0]["id"])
    client.v1.payouts.create({"amount": 100, "currency": "usd"})
    v1, expand = client.v1, {"expand": ["data.source"]}
    shown = [
        *v1.refunds.list().data,
        *v1.disputes.list().data,
        *v1.events.list({"limit": 100}).data,
    ]
    shown += v1.payouts.list({"expand": ["data.destination"]}).data
    shown += v1.balance_transactions.list({"limit": 100, **expand}).data
    assert {type(each).__name__ for each in shown} == {
        *("BalanceTransaction", "Dispute", "Event", "Payout", "Refund")
    }
    for each in shown:
        assert list(unknown_fields(each.to_dict(), type(each), type(each).__name__)) == []


@pytest.mark.parametrize(
    ("cls", "hidden"),
    [
        (stripe.BalanceTransaction, set()),
        (stripe.Payout, set()),
        (stripe.Dispute, set(disputes.OMITTED)),
        (stripe.Refund, set(refunds.OMITTED)),
    ],
)
def test_every_field_is_there(standin, client, cls, hidden):
    session = new_session(client)
    standin.pay(session.id)
    standin.refund(session.id, 100)
    standin.dispute(session.id)
    standin.add_balance_movement("topup", 50_000)
    standin.pay_out()
    for obj in standin.account.store.newest_first(cls.OBJECT_NAME):
        assert set(obj) == set(sdk.object_fields(cls)) - hidden


def test_shape_refuses_fields_that_the_sdk_does_not_have():
    with pytest.raises(TypeError, match="Charge has no field amount_lost"):
        sdk.shape(stripe.Charge, id="ch_1", amount_lost=1)


def test_shape_fills_in_null():
    shaped = sdk.shape(stripe.Charge, omit=("level3",), id="ch_1")
    assert shaped["status"] is None
    assert "level3" not in shaped
    assert set(shaped) == set(stripe.Charge.__annotations__) - {"level3", "OBJECT_NAME"}
