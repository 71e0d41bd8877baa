"""The hosted Checkout page, as a browser without JavaScript sees it."""

import threading

import pytest
from lxml import html

from .standin_common import (
    client_fixture,  # noqa: F401
    http,
    line_item,
    new_endpoint,
    new_session,
    receiver_fixture,  # noqa: F401
    server_fixture,  # noqa: F401
    standin_fixture,  # noqa: F401
)

CARD = "4242424242424242"


def page(url):
    """Return status and parsed page."""
    status, _headers, text = http(url)
    return status, html.fromstring(text)


def submit(url, **fields):
    """Send the form as a browser does."""
    return http(url, {"method": "card", "card_number": CARD, **fields})


def state(client, session):
    """Return the session's status and payment status."""
    found = client.v1.checkout.sessions.retrieve(session.id)
    return found.status, found.payment_status


def test_open_session(standin, client):
    items = [line_item(125050), line_item(500, quantity=2, product_data={"name": "Spare part"})]
    status, root = page(new_session(client, line_items=items).url)
    assert status == 200
    text = root.text_content()
    assert "Stripe stand-in – this is not Stripe. No money moves." in text
    assert root.get_element_by_id("merchant").text_content() == standin.account.display_name
    assert root.get_element_by_id("total").text_content() == "$1,260.50"
    assert "Spare part" in text
    assert "2 × $5.00" in text
    form = root.get_element_by_id("payment-form")
    assert form.get("method") == "post"
    radios = form.xpath(".//input[@type='radio'][@name='method']")
    assert [radio.get("value") for radio in radios] == ["card", "us_bank_account"]
    assert form.xpath(".//input[@name='card_number']/@value") == [CARD]
    assert root.get_element_by_id("pay").text_content() == "Pay $1,260.50"
    assert root.get_element_by_id("cancel").get("href") == "http://127.0.0.1:9/back"
    assert "4000000000000002" in text


def test_every_field_has_a_label(client):
    _status, root = page(new_session(client).url)
    labelled = set(root.xpath("//label/@for"))
    fields = root.xpath("//input[not(@type='hidden')]/@id")
    assert fields
    assert set(fields) <= labelled
    assert root.xpath("//meta[@name='viewport']")
    assert root.get("lang") == "en"


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [
        ("eur", 123456, "€1,234.56"),
        ("jpy", 123456, "¥123,456"),
        ("isk", 123400, "ISK 1,234"),
        ("kwd", 123450, "KWD 123.450"),
    ],
)
def test_amounts(client, currency, amount, shown):
    session = new_session(client, line_items=[line_item(amount, currency)])
    _status, root = page(session.url)
    assert root.get_element_by_id("total").text_content() == shown


def test_everything_is_escaped(standin, client):
    evil = '<script>alert("1")</script>'
    standin.account.display_name = evil
    session = new_session(
        client,
        line_items=[line_item(product_data={"name": evil})],
        cancel_url='http://127.0.0.1:9/"onclick="x',
        custom_text={"submit": {"message": evil}},
    )
    _status, _headers, text = http(session.url)
    assert "<script" not in text
    assert '"onclick=' not in text
    _status, _headers, text = submit(session.url, card_number='"><script>1</script>')
    assert "<script" not in text


def test_card(client):
    session = new_session(client)
    status, headers, _text = submit(session.url)
    assert status == 303
    assert headers["Location"] == f"http://127.0.0.1:9/done?session={session.id}"
    assert state(client, session) == ("complete", "paid")


def test_decline(client):
    session = new_session(client)
    status, _headers, text = submit(session.url, card_number="4000 0000 0000 0002")
    assert status == 402
    root = html.fromstring(text)
    assert root.get_element_by_id("error").text_content() == "Your card was declined."
    assert root.get_element_by_id("error").get("role") == "alert"
    assert root.xpath("//input[@name='card_number']/@value") == ["4000 0000 0000 0002"]
    assert state(client, session) == ("open", "unpaid")
    assert submit(session.url)[0] == 303


@pytest.mark.parametrize(
    "fields", [{"card_number": "4111111111111111"}, {"card_number": ""}, {"method": "paypal"}]
)
def test_bad_form(client, fields):
    session = new_session(client)
    status, _headers, text = submit(session.url, **fields)
    assert status == 422
    assert html.fromstring(text).get_element_by_id("error").text_content()
    assert state(client, session) == ("open", "unpaid")
    assert client.v1.payment_intents.list().data == []


def test_email_of_an_unknown_payer(client):
    session = new_session(client, customer_email=None)
    status, _headers, text = submit(session.url)
    assert status == 422
    assert "e-mail" in html.fromstring(text).get_element_by_id("error").text_content()
    assert submit(session.url, email="payer@example.com")[0] == 303
    found = client.v1.checkout.sessions.retrieve(session.id)
    assert found.customer_details.email == "payer@example.com"
    assert found.customer_email is None


def test_bank_debit_and_its_end(client):
    for action, end in (("settle", ("complete", "paid")), ("fail", ("complete", "unpaid"))):
        session = new_session(client)
        assert submit(session.url, method="us_bank_account")[0] == 303
        assert state(client, session) == ("complete", "unpaid")
        _status, root = page(session.url)
        assert root.get_element_by_id("settle").tag == "button"
        assert http(f"{session.url}/{action}", {})[0] == 303
        assert state(client, session) == end
        assert http(f"{session.url}/{action}", {})[0] == 409


def test_paid_and_expired_sessions_show_a_plain_page(client):
    paid, expired = new_session(client), new_session(client)
    submit(paid.url)
    client.v1.checkout.sessions.expire(expired.id)
    for session, title in ((paid, "Paid"), (expired, "This page has expired")):
        status, root = page(session.url)
        assert status == 200
        assert root.xpath("//h2")[0].text_content() == title
        assert not root.xpath("//form")
        assert submit(session.url)[0] == 409
    assert len(client.v1.charges.list().data) == 1


def test_unknown_session(standin):
    assert http(standin.url + "/c/pay/cs_test_gone")[0] == 404
    assert submit(standin.url + "/c/pay/cs_test_gone")[0] == 404


def test_without_a_way_back(client):
    _status, root = page(new_session(client, cancel_url=None).url)
    assert not root.xpath("//a[@id='cancel']")
    assert "no way back" in root.text_content()


def test_two_browsers_at_once(client):
    session = new_session(client)
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(submit(session.url)[0])) for _n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303] + [409] * 7
    assert len(client.v1.charges.list().data) == 1


def test_the_payer_goes_back_after_the_webhooks_answer(standin, client, receiver):
    new_endpoint(client, receiver.url, ["checkout.session.completed"])
    session = new_session(client)
    order = []
    asked, release = threading.Event(), threading.Event()

    def answer():
        order.append("asked")
        asked.set()
        release.wait(5)
        order.append("answered")

    receiver.before_answer = answer
    payer = threading.Thread(target=lambda: (submit(session.url), order.append("sent back")))
    payer.start()
    assert asked.wait(5)
    # The payment is done, the payer still waits.
    assert state(client, session) == ("complete", "paid")
    assert order == ["asked"]
    release.set()
    payer.join()
    assert order == ["asked", "answered", "sent back"]


def test_held_deliveries_are_not_waited_for(standin, client, receiver):
    new_endpoint(client, receiver.url)
    standin.deliveries.hold()
    assert submit(new_session(client).url)[0] == 303
    assert receiver.received == []


def test_the_branding_of_the_session(client):
    session = new_session(client, branding_settings={"display_name": "Demo shop"})
    _status, root = page(session.url)
    assert root.get_element_by_id("merchant").text_content() == "Demo shop"
