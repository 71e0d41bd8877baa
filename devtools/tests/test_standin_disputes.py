"""Disputes with all their stages, and bank debits that come back."""

import pytest
import stripe

from ..standin import StandInError
from .standin_common import (
    client_fixture,  # noqa: F401
    connect,
    event_types,
    intent_of,
    line_item,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    session_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

DAY = 24 * 3600
DEBIT = "us_bank_account"


def dispute_events(standin):
    """Return what happened to disputes, the oldest first."""
    prefix = "charge.dispute."
    types = event_types(standin)
    return [type.removeprefix(prefix) for type in types if type.startswith(prefix)]


def test_chargeback_withdraws_the_money_with_a_fee(standin, client, session):
    made = standin.dispute(session.id)
    found = client.v1.disputes.retrieve(made["id"], {"expand": ["charge", "payment_intent"]})
    assert (found.status, found.reason, found.amount) == ("needs_response", "fraudulent", 12050)
    assert (found.charge.disputed, found.is_charge_refundable) == (True, False)
    assert found.payment_intent.id == intent_of(client, session).id
    assert found.payment_method_details.card.case_type == "chargeback"
    due_by = found.evidence_details.due_by
    assert (due_by + 1) % DAY == 0
    assert 7 * DAY < due_by - found.created < 14 * DAY
    (moved,) = found.balance_transactions
    assert (moved.type, moved.reporting_category) == ("adjustment", "dispute")
    assert (moved.amount, moved.fee, moved.net) == (-12050, 1500, -13550)
    assert moved.fee_details[0].description == "Dispute fee"
    assert client.v1.balance_transactions.retrieve(moved.id).source == found.id
    assert dispute_events(standin) == ["created", "funds_withdrawn"]


def test_evidence_is_staged_then_submitted(standin, client, session):
    dispute = standin.dispute(session.id)["id"]
    evidence = {"customer_name": "Client", "uncategorized_text": "Delivered"}
    staged = client.v1.disputes.update(dispute, {"evidence": evidence, "submit": False})
    assert (staged.status, staged.evidence.customer_name) == ("needs_response", "Client")
    assert staged.evidence_details.has_evidence is True
    assert staged.evidence_details.submission_count == 0
    submitted = client.v1.disputes.update(dispute, {"submit": True, "metadata": {"a": "1"}})
    assert (submitted.status, submitted.metadata.a) == ("under_review", "1")
    assert submitted.evidence.uncategorized_text == "Delivered"
    assert submitted.evidence_details.submission_count == 1
    assert dispute_events(standin) == ["created", "funds_withdrawn", "updated", "updated"]
    event = client.v1.events.list({"type": "charge.dispute.updated"}).data[0]
    assert event.data.previous_attributes.status == "needs_response"
    refused(client.v1.disputes.update, dispute, {"evidence": evidence})
    assert client.v1.disputes.update(dispute, {"metadata": ""}).metadata.to_dict() == {}
    assert client.v1.disputes.update(dispute, {}).status == "under_review"


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"evidence": {"receipt": "file_1"}}, "evidence[receipt]", "resource_missing"),
        ({"evidence": {"smile": "x"}}, "evidence[smile]", "parameter_unknown"),
        (
            {"evidence": {"product_description": "x" * 20_001}},
            "evidence[product_description]",
            None,
        ),
        (
            {"evidence": {"enhanced_evidence": {"visa_compliance": {"fee_acknowledged": True}}}},
            "evidence",
            "not_simulated",
        ),
        ({"intended_submission_method": "manual"}, "intended_submission_method", "not_simulated"),
        ({"status": "won"}, "status", "parameter_unknown"),
    ],
)
def test_bad_evidence(standin, client, session, params, param, code):
    dispute = standin.dispute(session.id)["id"]
    error = refused(client.v1.disputes.update, dispute, params)
    assert (error.http_status, error.param, error.code) == (400, param, code)


def test_long_evidence_is_allowed(standin, client, session):
    evidence = {"product_description": "x" * 20_000}
    dispute = standin.dispute(session.id)["id"]
    assert client.v1.disputes.update(dispute, {"evidence": evidence}).status == "under_review"


@pytest.mark.parametrize("return_fee", [False, True])
def test_won_brings_the_money_back(standin, client, session, return_fee):
    dispute = standin.dispute(session.id)["id"]
    assert standin.review_dispute(dispute)["status"] == "under_review"
    assert standin.win_dispute(dispute, return_fee)["status"] == "won"
    withdrawn, returned = client.v1.disputes.retrieve(dispute).balance_transactions
    assert (returned.type, returned.reporting_category) == ("adjustment", "dispute_reversal")
    assert returned.amount == 12050
    assert withdrawn.net + returned.net == (0 if return_fee else -1500)
    assert returned.fee == (-1500 if return_fee else 0)
    assert sorted(dispute_events(standin)[-2:]) == ["closed", "funds_reinstated"]
    with pytest.raises(StandInError, match="won"):
        standin.lose_dispute(dispute)
    # What was won can be given back.
    assert standin.refund(session.id)["amount"] == 12050


def test_lost_moves_no_more_money(standin, client, session):
    dispute = standin.dispute(session.id)["id"]
    before = len(client.v1.balance_transactions.list().data)
    assert standin.lose_dispute(dispute)["status"] == "lost"
    assert len(client.v1.balance_transactions.list().data) == before
    assert dispute_events(standin) == ["created", "funds_withdrawn", "closed"]
    with pytest.raises(StandInError, match="lost"):
        standin.win_dispute(dispute)


def test_money_comes_back_after_a_loss(standin, client, session):
    dispute = standin.dispute(session.id)["id"]
    with pytest.raises(StandInError, match="needs_response"):
        standin.reinstate_dispute(dispute)
    standin.lose_dispute(dispute)
    assert standin.reinstate_dispute(dispute, 2000)["status"] == "lost"
    withdrawn, returned = client.v1.disputes.retrieve(dispute).balance_transactions
    assert (withdrawn.amount, returned.amount, returned.fee) == (-12050, 2000, 0)
    assert dispute_events(standin)[-1] == "funds_reinstated"


def test_accepting_is_losing(standin, client, session):
    dispute = standin.dispute(session.id)["id"]
    assert client.v1.disputes.close(dispute).status == "lost"
    event = client.v1.events.list({"type": "charge.dispute.closed"}).data[0]
    assert event.request.id is not None
    error = refused(client.v1.disputes.close, dispute)
    assert "lost" in error.user_message


def test_unanswered_is_lost_in_time(standin, client, session):
    dispute = standin.dispute(session.id)
    due_by = dispute["evidence_details"]["due_by"]
    standin.advance(due_by - standin.clock.now() - 60)
    assert client.v1.disputes.retrieve(dispute["id"]).status == "needs_response"
    standin.advance(120)
    assert client.v1.disputes.retrieve(dispute["id"]).status == "lost"


def test_what_is_under_review_waits_for_the_bank(standin, client, session):
    dispute = standin.dispute(session.id)["id"]
    standin.review_dispute(dispute)
    standin.advance(200 * DAY)
    assert client.v1.disputes.retrieve(dispute).status == "under_review"


def test_an_inquiry_moves_no_money(standin, client, session):
    inquiry = standin.dispute(session.id, inquiry=True)
    assert (inquiry["status"], inquiry["balance_transactions"]) == ("warning_needs_response", [])
    assert inquiry["is_charge_refundable"] is True
    assert inquiry["payment_method_details"]["card"]["case_type"] == "inquiry"
    assert dispute_events(standin) == ["created"]
    assert standin.review_dispute(inquiry["id"])["status"] == "warning_under_review"
    assert standin.close_inquiry(inquiry["id"])["status"] == "warning_closed"
    assert dispute_events(standin) == ["created", "updated", "closed"]
    assert [each.type for each in client.v1.balance_transactions.list().data] == ["charge"]
    for action in (standin.escalate_dispute, standin.win_dispute, standin.close_inquiry):
        with pytest.raises(StandInError, match="warning_closed"):
            action(inquiry["id"])


def test_an_inquiry_ends_by_itself(standin, client, session):
    inquiry = standin.dispute(session.id, inquiry=True)["id"]
    standin.advance(119 * DAY)
    assert client.v1.disputes.retrieve(inquiry).status == "warning_needs_response"
    standin.advance(2 * DAY)
    assert client.v1.disputes.retrieve(inquiry).status == "warning_closed"


def test_an_inquiry_becomes_a_chargeback(standin, client, session):
    inquiry = standin.dispute(session.id, inquiry=True)["id"]
    refused(client.v1.disputes.close, inquiry)
    standin.advance(30 * DAY)
    found = standin.escalate_dispute(inquiry)
    assert (found["status"], found["is_charge_refundable"]) == ("needs_response", False)
    assert found["payment_method_details"]["card"]["case_type"] == "chargeback"
    assert found["balance_transactions"][0]["net"] == -13550
    assert found["evidence_details"]["due_by"] > standin.clock.now()
    assert dispute_events(standin) == ["created", "updated", "funds_withdrawn"]
    assert standin.lose_dispute(inquiry)["status"] == "lost"


def test_a_chargeback_has_its_own_time_to_answer(standin, client, session):
    inquiry = standin.dispute(session.id, inquiry=True)["id"]
    standin.advance(6 * DAY)
    due_by = standin.escalate_dispute(inquiry)["evidence_details"]["due_by"]
    standin.advance(due_by - standin.clock.now() - 60)
    assert client.v1.disputes.retrieve(inquiry).status == "needs_response"
    standin.advance(120)
    assert client.v1.disputes.retrieve(inquiry).status == "lost"


def test_a_refunded_inquiry_cannot_become_a_chargeback(standin, client, session):
    inquiry = standin.dispute(session.id, inquiry=True)["id"]
    standin.refund(session.id, 10_000)
    standin.refund(session.id)
    with pytest.raises(StandInError, match="refunded"):
        standin.escalate_dispute(inquiry)


def test_a_part_is_disputed(standin, client, session):
    standin.refund(session.id, 2050)
    dispute = standin.dispute(session.id, 4000, "product_not_received")
    assert dispute["balance_transactions"][0]["amount"] == -4000
    standin.win_dispute(dispute["id"])
    assert standin.dispute(session.id)["amount"] == 10_000


def test_a_disputed_charge_cannot_be_refunded(standin, client, session):
    standin.dispute(session.id)
    charge = intent_of(client, session).latest_charge
    error = refused(client.v1.refunds.create, {"charge": charge, "amount": 100})
    assert (error.http_status, error.code) == (400, "charge_disputed")


def test_a_dispute_stops_refunds_on_the_way(standin, client, session):
    standin.account.refund_status = "pending"
    refund = standin.refund(session.id, 4000)["id"]
    dispute = standin.dispute(session.id)
    found = client.v1.refunds.retrieve(refund)
    assert (found.status, found.failure_reason) == (
        "failed",
        "charge_for_pending_refund_disputed",
    )
    assert dispute["amount"] == 12050


def test_what_cannot_be_disputed(standin, client, session):
    standin.dispute(session.id)
    with pytest.raises(StandInError, match="needs_response"):
        standin.dispute(session.id)
    with pytest.raises(StandInError, match="by card"):
        standin.return_debit(session.id)
    with pytest.raises(ValueError, match="Unknown reason"):
        standin.dispute(session.id, reason="regret")
    with pytest.raises(ValueError, match="1 or more"):
        standin.dispute(session.id, 0)
    refunded = new_session(client)
    standin.pay(refunded.id)
    standin.refund(refunded.id)
    with pytest.raises(StandInError, match="nothing is left"):
        standin.dispute(refunded.id)
    running = new_session(client)
    standin.pay(running.id, DEBIT)
    with pytest.raises(StandInError, match="pending"):
        standin.dispute(running.id)
    standin.settle_debit(running.id)
    with pytest.raises(StandInError, match="Only card payments"):
        standin.dispute(running.id, inquiry=True)


@pytest.mark.parametrize("reason", ["insufficient_funds", "debit_not_authorized"])
def test_a_debit_returns_after_it_had_succeeded(standin, client, reason):
    session = new_session(client)
    standin.pay(session.id, DEBIT)
    standin.settle_debit(session.id)
    standin.advance(10 * DAY)
    returned = standin.return_debit(session.id, reason)
    assert (returned["status"], returned["reason"]) == ("lost", reason)
    assert (returned["evidence_details"]["due_by"], returned["payment_method_details"]) == (0, None)
    assert returned["balance_transactions"][0]["net"] == -13550
    assert dispute_events(standin) == ["created", "funds_withdrawn", "closed"]
    charge = intent_of(client, session, expand=["latest_charge"]).latest_charge
    assert (charge.disputed, charge.status, charge.amount_refunded) == (True, "succeeded", 0)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    refused(client.v1.disputes.close, returned["id"])


def test_a_converted_payment_is_disputed(standin, client):
    standin.account.settlement_currencies = ("usd",)
    standin.account.exchange_rates = {"eur": 1.1}
    session = new_session(client, line_items=[line_item(1000, "eur")])
    standin.pay(session.id)
    dispute = standin.dispute(session.id)
    (moved,) = dispute["balance_transactions"]
    assert (dispute["currency"], moved["currency"]) == ("eur", "usd")
    assert (moved["amount"], moved["fee"], moved["exchange_rate"]) == (-1100, 1500, 1.1)


def test_lists(standin, client, session):
    other = new_session(client)
    standin.pay(other.id)
    first, second = standin.dispute(session.id)["id"], standin.dispute(other.id)["id"]
    disputes = client.v1.disputes

    def found(**params):
        return [each.id for each in disputes.list(params).data]

    intent = intent_of(client, session)
    assert found() == [second, first]
    assert found(charge=intent.latest_charge) == found(payment_intent=intent.id) == [first]
    assert found(limit=1, starting_after=second) == [first]
    assert refused(disputes.retrieve, "du_gone").http_status == 404


def test_permission(standin, client, session):
    dispute = standin.dispute(session.id)["id"]
    reader = connect(standin, standin.add_restricted_key({"rak_dispute_read"}))
    assert reader.v1.disputes.retrieve(dispute).id == dispute
    error = refused(reader.v1.disputes.close, dispute, error=stripe.PermissionError)
    assert "'rak_dispute_write'" in error.user_message
