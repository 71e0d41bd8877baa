"""Balance transactions, fees and the balance."""

import random
from decimal import Decimal

import pytest

from ..standin import StandInError
from ..standin.facade_money import TYPES
from .standin_common import (
    client_fixture,  # noqa: F401
    event_types,
    intent_of,
    line_item,
    new_session,
    refused,
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

DEBIT = "us_bank_account"
DAY = 24 * 3600
FEES = {"expand": ["latest_charge.balance_transaction"]}


def test_balance_transaction_comes_later(standin, client):
    session = new_session(client)
    standin.pay(session.id)
    charge = intent_of(client, session, **FEES).latest_charge
    assert charge.balance_transaction is None
    (made,) = standin.make_balance_transactions()
    charge = intent_of(client, session, **FEES).latest_charge
    transaction = charge.balance_transaction
    assert transaction.id == made["id"]
    # 2.9 % of 120.50 and 0.30
    assert (transaction.amount, transaction.fee, transaction.net) == (12050, 379, 11671)
    assert transaction.fee_details[0].amount == 379
    assert (transaction.type, transaction.source) == ("charge", charge.id)
    assert event_types(standin)[-1] == "charge.updated"
    event = client.v1.events.list({"type": "charge.updated"}).data[0]
    assert event.data.previous_attributes.to_dict() == {"balance_transaction": None}
    assert standin.make_balance_transactions() == []


def test_balance_transaction_comes_by_itself_after_the_delay(standin, client):
    standin.balance_transaction_delay = 60
    session = new_session(client)
    standin.pay(session.id)
    standin.advance(50)
    assert intent_of(client, session, **FEES).latest_charge.balance_transaction is None
    standin.advance(20)
    assert intent_of(client, session, **FEES).latest_charge.balance_transaction.fee == 379


def test_fee_of_a_debit_is_capped(standin, client):
    for amount, fee in ((12050, 96), (100_000, 500)):
        session = new_session(client, line_items=[line_item(amount)])
        standin.pay(session.id, DEBIT)
        standin.settle_debit(session.id)
        (made,) = standin.make_balance_transactions()
        assert (made["fee"], made["type"]) == (fee, "payment")


def test_conversion(standin, client):
    standin.account.settlement_currencies = ("usd",)
    standin.account.exchange_rates = {"jpy": 0.0065}
    session = new_session(client, line_items=[line_item(10_000, "jpy")])
    standin.pay(session.id)
    (made,) = standin.make_balance_transactions()
    assert (made["currency"], made["amount"], made["exchange_rate"]) == ("usd", 6500, 0.65)


def test_balance_is_the_sum_of_its_transactions(standin, client):
    nets = []
    for currency in ("usd", "eur", "eur"):
        session = new_session(client, line_items=[line_item(12050, currency)])
        standin.pay(session.id)
        nets += [(made["currency"], made["net"]) for made in standin.make_balance_transactions()]

    def amounts(part):
        found = client.v1.balance.retrieve()[part]
        return {entry.currency: entry.amount for entry in found}

    expected = {"usd": nets[0][1], "eur": nets[1][1] + nets[2][1]}
    assert amounts("pending") == expected
    assert amounts("available") == {"usd": 0, "eur": 0}
    standin.advance(3 * 24 * 3600)
    assert amounts("available") == expected
    assert amounts("pending") == {"usd": 0, "eur": 0}


def test_balance_transactions_can_be_filtered(standin, client):
    for currency in ("usd", "eur"):
        session = new_session(client, line_items=[line_item(12050, currency)])
        standin.pay(session.id)
    standin.make_balance_transactions()
    transactions = client.v1.balance_transactions

    def found(**params):
        return [each.currency for each in transactions.list(params).data]

    assert sorted(found()) == ["eur", "usd"]
    assert found(currency="eur") == ["eur"]
    assert found(type="payout") == []
    source = transactions.list({"currency": "eur"}).data[0].source
    assert found(source=source) == ["eur"]
    expanded = transactions.list({"currency": "eur", "expand": ["data.source"]}).data[0]
    assert (expanded.source.id, expanded.source.object) == (source, "charge")
    assert transactions.retrieve(expanded.id).source == source


def test_money_of_three_decimals(standin, client):
    session = new_session(client, line_items=[line_item(10_000, "kwd")])
    standin.pay(session.id)
    (made,) = standin.make_balance_transactions()
    assert made["fee"] % 10 == 0
    assert Decimal(made["fee"]) / 1000 == Decimal("0.59")


def test_stripe_charges_for_itself(standin, client):
    made = standin.charge_stripe_fee(250, "Radar (2026-10)")
    found = client.v1.balance_transactions.list({"type": "stripe_fee"}).data[0]
    assert (found.id, found.reporting_category, found.source) == (made["id"], "fee", None)
    assert (found.amount, found.fee, found.net, found.currency) == (-250, 0, -250, "usd")
    assert found.description == "Radar (2026-10)"
    assert client.v1.balance.retrieve().available[0].amount == -250


@pytest.mark.parametrize(
    ("type", "category"),
    [("topup", "topup"), ("adjustment", "other_adjustment"), ("reserve_hold", "reserve_hold")],
)
def test_other_movements(standin, client, type, category):
    made = standin.add_balance_movement(type, 5000, "eur", "By hand")
    found = client.v1.balance_transactions.retrieve(made["id"])
    assert (found.type, found.reporting_category) == (type, category)
    assert (found.net, found.currency, found.description) == (5000, "eur", "By hand")
    with pytest.raises(ValueError, match="Unknown type"):
        standin.add_balance_movement("gift", 1)


def test_movements_of_another_account_stay_there(standin, client):
    other = standin.add_account(default_currency="gbp")
    made = standin.add_balance_movement("topup", 100, account=other)
    assert made["currency"] == "gbp"
    assert client.v1.balance_transactions.list().data == []
    assert [payout["currency"] for payout in standin.pay_out(account=other)] == ["gbp"]


class Play:
    """Random operations on one account, and what its balance must be after each."""

    def __init__(self, standin, client, seed):
        self.standin, self.client = standin, client
        self.random = random.Random(seed)
        self.sessions = []

    def step(self):
        """Do one thing; what the state does not allow is skipped."""
        choice = self.random.choice
        action = choice([
            *(self.pay, self.pay, self.pay, self.refund, self.end_refund, self.dispute),
            *(self.decide, self.pay_out, self.pay_out_some, self.end_payout, self.advance),
            self.other,
        ])
        try:
            action()
        except StandInError:
            return

    def any_of(self, kind):
        """Return the id of some object of a kind."""
        found = self.standin.account.store.newest_first(kind)
        if not found:
            raise StandInError("There is none yet.")
        return self.random.choice(found)["id"]

    def pay(self):
        currency = self.random.choice(["usd", "eur", "jpy", "gbp"])
        amount = self.random.randint(5000, 90_000)
        session = new_session(self.client, line_items=[line_item(amount, currency)])
        methods = session.payment_method_types
        self.standin.pay(session.id, method := self.random.choice(methods))
        if method != "card":
            self.random.choice([self.standin.settle_debit, self.standin.fail_debit])(session.id)
        self.sessions.append(session.id)

    def session(self):
        if not self.sessions:
            raise StandInError("There is none yet.")
        return self.random.choice(self.sessions)

    def refund(self):
        self.standin.refund(self.session(), self.random.choice([None, 100, 3000, 80_000]))

    def end_refund(self):
        end = self.random.choice([self.standin.settle_refund, self.standin.fail_refund])
        end(self.any_of("refund"))

    def dispute(self):
        amount = self.random.choice([None, 1000])
        self.standin.dispute(self.session(), amount, inquiry=self.random.random() < 0.3)

    def decide(self):
        standin = self.standin
        end = self.random.choice([
            *(standin.review_dispute, standin.win_dispute, standin.lose_dispute),
            *(standin.escalate_dispute, standin.close_inquiry),
        ])
        end(self.any_of("dispute"))

    def pay_out(self):
        self.standin.pay_out()

    def pay_out_some(self):
        for entry in self.client.v1.balance.retrieve().available:
            params = {"amount": max(entry.amount // 3, 1), "currency": entry.currency}
            if entry.amount > 0:
                self.client.v1.payouts.create(params)
            else:
                error = refused(self.client.v1.payouts.create, params)
                assert error.code == "balance_insufficient"

    def end_payout(self):
        standin = self.standin
        ends = [standin.settle_payout, standin.fail_payout, standin.cancel_payout]
        self.random.choice(ends)(self.any_of("payout"))

    def advance(self):
        self.standin.make_balance_transactions()
        self.standin.advance(self.random.choice([600, DAY, 3 * DAY, 20 * DAY]))

    def other(self):
        amount = self.random.randint(1, 500)
        if self.random.random() < 0.5:
            self.standin.charge_stripe_fee(amount)
        else:
            self.standin.add_balance_movement(self.random.choice(TYPES), amount, "eur")

    def check(self):
        """Compare Stripe's balance with the sums of what its API lists."""
        sums = {}
        listed = self.client.v1.balance_transactions.list({"limit": 100})
        for each in listed.auto_paging_iter():
            assert each.net == each.amount - each.fee
            assert each.fee == sum(detail.amount for detail in each.fee_details)
            key = each.status, each.currency
            sums[key] = sums.get(key, 0) + each.net
        balance = self.client.v1.balance.retrieve()
        shown = {
            (status, entry.currency): entry.amount
            for status in ("available", "pending")
            for entry in balance[status]
        }
        assert {key: sum_ for key, sum_ in sums.items() if sum_} == {
            key: amount for key, amount in shown.items() if amount
        }
        return sums

    def check_payouts(self):
        """Compare each automatic payout with the list of what it holds."""
        listed = self.client.v1.balance_transactions
        for payout in self.client.v1.payouts.list({"limit": 100}).auto_paging_iter():
            if payout.automatic:
                found = listed.list({"payout": payout.id, "limit": 100}).auto_paging_iter()
                assert sum(each.net for each in found) == 0

    def check_charges(self):
        """Compare what each charge says was refunded with its refunds."""
        store = self.standin.account.store
        for charge in store.newest_first("charge"):
            there = ("succeeded", "pending", "requires_action")
            assert charge["amount_refunded"] == sum(
                refund["amount"]
                for refund in store.newest_first("refund")
                if refund["charge"] == charge["id"] and refund["status"] in there
            )
            assert 0 <= charge["amount_refunded"] <= charge["amount"]


@pytest.mark.parametrize("seed", range(8))
def test_the_balance_is_right_whatever_happens(standin, client, seed):
    if seed % 2:
        standin.account.settlement_currencies = ("usd", "eur")
        standin.account.exchange_rates = {"jpy": 0.0065, "gbp": 1.27}
    play = Play(standin, client, seed)
    for number in range(60):
        play.step()
        if number % 6 == 5:
            play.check()
    standin.make_balance_transactions()
    standin.advance(30 * DAY)
    assert {status for status, _currency in play.check()} == {"available"}
    play.check_payouts()
    play.check_charges()
