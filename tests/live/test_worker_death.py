"""A worker dies, or Stripe's answer is lost: nothing is lost, nothing happens twice."""

import threading

import pytest
import requests

from .books import (
    assert_paid_once,
    assert_unpaid,
    get_events,
    get_payments,
    get_transactions,
    wait_paid,
    wait_queue_empty,
)
from .client import (
    SLOW,
    get,
    get_create_calls,
    get_sessions,
    get_success_url,
    open_session,
    read_session_id,
    read_state,
    submit_form,
)
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures']

CREATE = {'path': '/v1/checkout/sessions', 'method': 'POST'}
WAYS_TO_RUN = pytest.mark.parametrize(
    'workers',
    [0, 2],
    ids=['threaded', 'prefork'],
    scope='module',  # to start as few as possible
)


# === AT PAY === #


@WAYS_TO_RUN
def test_killed_between_answer_and_commit_at_pay(site, workers):
    """Catches a second session after a death: no stored intent, or a new idempotency key."""
    site.ensure(workers)
    invoice = site.staff.create_invoice()
    site.stripe.faults.next(1, 'slow', seconds=SLOW, **CREATE)
    lost = _kill_while_stripe_answers(site, invoice, _visit_in_vain, invoice.url)

    wait_until(lambda: get_create_calls(site.stripe)[0].status, "Stripe's late answer")
    site.start(workers)
    session = open_session(site.stripe, invoice.url)
    assert session['id'] == lost['id']
    assert [session['id'] for session in get_sessions(site.stripe, invoice)] == [lost['id']]
    calls = get_create_calls(site.stripe)
    assert [(call.status, call.replayed) for call in calls] == [(200, False), (200, True)]
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])


def test_killed_while_stripe_still_works_on_the_call(site):
    """Catches a key that is given up because Stripe says that it is in use.

    The visitor who takes over, on another host, comes before Stripe is done with the first call.
    """
    other_host = site.add_host()
    invoice = site.staff.create_invoice()
    site.stripe.faults.next(1, 'slow', seconds=5, **CREATE)
    url = invoice.url.replace(site.url, other_host.url)
    visitor = threading.Thread(target=_visit_in_vain, args=(url,))
    visitor.start()
    wait_until(lambda: get_sessions(site.stripe, invoice), "Stripe makes the session")
    site.kill(other_host)
    visitor.join()
    location = wait_until(
        lambda: get(invoice.url).headers.get('Location'), "the link leads to Stripe again"
    )
    (session,) = get_sessions(site.stripe, invoice)
    assert read_session_id(location) == session['id']
    assert len({call.idempotency_key for call in get_create_calls(site.stripe)}) == 1
    assert len(get_transactions(site, invoice)) == 1


def test_killed_at_pay_and_paid_without_us(site):
    """Catches a paid session that is not known because the worker died before it stored it.

    The address of that session was never handed out; it is found by the reference all the same.
    """
    invoice = site.staff.create_invoice()
    site.stripe.faults.next(1, 'slow', seconds=SLOW, **CREATE)
    visitor = threading.Thread(target=_visit_in_vain, args=(invoice.url,))
    visitor.start()
    (lost,) = wait_until(lambda: get_sessions(site.stripe, invoice), "Stripe makes the session")
    site.kill()
    site.stripe.faults.clear()
    visitor.join()
    site.stripe.deliveries.hold()
    site.stripe.pay(lost['id'])
    site.start()
    site.stripe.deliveries.release()
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, lost['id'])
    assert read_state(get(invoice.url)) == 'paid'
    assert len(get_sessions(site.stripe, invoice)) == 1


def test_killed_at_pay_on_the_road_of_the_form(site):
    """Catches an invoice that is blocked by the intent of a form whose visitor never comes back."""
    invoice = site.staff.create_invoice()
    site.stripe.faults.next(1, 'slow', seconds=SLOW, **CREATE)
    lost = _kill_while_stripe_answers(site, invoice, _submit_in_vain, site, invoice)

    site.start()
    session = open_session(site.stripe, invoice.url)
    # Nobody was ever given the address of the first one.
    assert session['id'] != lost['id']
    assert [each['state'] for each in get_transactions(site, invoice)] == ['cancel', 'draft']
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])


@pytest.mark.parametrize(
    ('losses', 'states'),
    [
        (1, [None]),  # The SDK repeats the call, and the visitor notices nothing.
        (3, ['unavailable', None]),  # The SDK gives up, and the next visitor repeats it.
    ],
    ids=['once', 'for good'],
)
def test_lost_answer(site, losses, states):
    """Catches a repeated call under a new key, which opens a second session."""
    invoice = site.staff.create_invoice()
    site.stripe.faults.next(losses, 'lost_answer', **CREATE)
    responses = [get(invoice.url) for _state in states]
    assert [read_state(response) if response.text else None for response in responses[:-1]] == (
        states[:-1]
    )
    assert responses[-1].status_code == 303
    (session,) = get_sessions(site.stripe, invoice)
    assert read_session_id(responses[-1].headers['Location']) == session['id']
    calls = get_create_calls(site.stripe)
    assert [call.replayed for call in calls] == [False] + [True] * losses
    assert len({call.idempotency_key for call in calls}) == 1
    assert len(get_transactions(site, invoice)) == 1


def test_error_at_stripe_is_not_repeated_for_ever(site):
    """Catches a key that is used again after a 500: Stripe would replay the 500 for a day."""
    invoice = site.staff.create_invoice()
    site.stripe.faults.next(1, '500', **CREATE)
    response = get(invoice.url)
    assert (response.status_code, read_state(response)) == (200, 'unavailable')
    (failed,) = get_transactions(site, invoice)
    assert failed['state'] == 'error'
    session = open_session(site.stripe, invoice.url)
    calls = get_create_calls(site.stripe)
    assert [(call.status, call.replayed) for call in calls] == [(500, False), (200, False)]
    assert calls[0].idempotency_key != calls[1].idempotency_key
    assert [each['id'] for each in get_sessions(site.stripe, invoice)] == [session['id']]
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])


# === AT SETTLE === #


@WAYS_TO_RUN
def test_killed_in_the_middle_of_booking(site, workers):
    """Catches a payment that is half booked, booked again, or never taken up after a death."""
    site.ensure(workers)
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    with _hold_reconciliation(site, invoice):
        site.stripe.pay(session['id'])
        wait_until(site.count_waiting, "the booking waits for our lock")
        site.kill()
        assert_unpaid(site, invoice)
        (event,) = get_events(site, session['id'])
        assert (event['state'], event['under_way']) == ('pending', True)
    site.start(workers)
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])
    wait_queue_empty(site)
    (event,) = get_events(site, session['id'])
    assert (event['state'], event['attempts'], event['under_way']) == ('done', 2, False)
    assert event['error'] is None


def test_killed_on_the_success_page(site):
    """Catches a payment that only the success page knew of, and half booked."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.deliveries.hold()
    site.stripe.pay(session['id'])
    with _hold_reconciliation(site, invoice):
        visitor = threading.Thread(target=_visit_in_vain, args=(get_success_url(session),))
        visitor.start()
        wait_until(site.count_waiting, "the booking waits for our lock")
        site.kill()
        visitor.join()
    assert_unpaid(site, invoice)
    site.start()
    assert read_state(get(get_success_url(session))) == 'done'
    assert_paid_once(site, invoice, session['id'])
    site.stripe.deliveries.release()
    assert site.stripe.wait_idle()
    wait_queue_empty(site)
    assert_paid_once(site, invoice, session['id'])


def test_event_that_kills_workers_is_tried_alone(site):
    """Catches an event that takes the others down again, or whose deaths are not counted.

    Two events are taken together by the only worker, and the first one is its death, twice.
    """
    deadly, sound = site.staff.create_invoices(2)
    session, other = [open_session(site.stripe, invoice.url) for invoice in (deadly, sound)]
    site.ensure(max_cron_threads=0)
    site.stripe.pay(session['id'])
    assert site.stripe.wait_idle()
    site.stripe.pay(other['id'])
    assert site.stripe.wait_idle()
    site.kill()
    with _hold_transaction(site, session):
        site.start(max_cron_threads=1)
        wait_until(site.count_waiting, "the settling waits for our lock")
        assert [_get_progress(site, each) for each in (session, other)] == [(True, 0), (True, 0)]
        site.kill()
        site.start(max_cron_threads=1)
        # What the dead worker waited for still waits: what was counted tells of the new one.
        wait_until(
            lambda: (
                [_get_progress(site, each) for each in (session, other)] == [(True, 1), (True, 0)]
            ),
            "the death is counted",
        )
        (event,) = get_events(site, session['id'])
        assert 'died' in event['error']
        assert event['is_later']
        site.kill()
        site.start(max_cron_threads=1)
        wait_paid(site, sound)
        assert_paid_once(site, sound, other['id'])
        assert_unpaid(site, deadly)
    site.staff.call('stripe.event', 'action_retry', [event['id']])
    wait_paid(site, deadly)
    assert_paid_once(site, deadly, session['id'])
    wait_queue_empty(site)
    (event,) = get_events(site, session['id'])
    assert (event['state'], event['attempts'], event['error']) == ('done', 3, None)


def test_killed_between_storing_and_the_queue(site):
    """Catches an event that was acknowledged and then forgotten."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.ensure(max_cron_threads=0)
    site.stripe.pay(session['id'])
    assert site.stripe.wait_idle()
    (event,) = get_events(site, session['id'])
    assert (event['state'], event['attempts']) == ('pending', 0)
    site.kill()
    assert get_payments(site, invoice) == []
    site.start()
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])


def _get_progress(site, session):
    """Return whether the event about a session is under way, and how many attempts were counted."""
    (event,) = get_events(site, session['id'])
    return event['under_way'], event['attempts']


def _kill_while_stripe_answers(site, invoice, visit, *args):
    """Kill Odoo while a visitor waits for Stripe, and check what is left; return the session."""
    visitor = threading.Thread(target=visit, args=args)
    visitor.start()
    (lost,) = wait_until(lambda: get_sessions(site.stripe, invoice), "Stripe makes the session")
    site.kill()
    site.stripe.faults.clear()
    visitor.join()
    (transaction,) = get_transactions(site, invoice)
    assert (transaction['state'], transaction['session_id']) == ('draft', None)
    return lost


def _visit_in_vain(url):
    """Visit a link while the server dies."""
    try:
        response = get(url)
    except requests.ConnectionError:
        return
    raise AssertionError(f"The server answered {response.status_code}.")


def _submit_in_vain(site, invoice):
    """Submit the payment form while the server dies."""
    try:
        submit_form(site, invoice)
    except requests.ConnectionError:
        return
    raise AssertionError("The server answered.")


def _hold_reconciliation(site, invoice):
    """Hold what booking writes last, when the payment is posted: the invoice's receivable."""
    return site.hold_rows(
        """
        SELECT line.id
          FROM account_move_line line
          JOIN account_account account ON account.id = line.account_id
         WHERE line.move_id = %s AND account.account_type = 'asset_receivable'
           FOR UPDATE OF line
        """,
        invoice.id,
    )


def _hold_transaction(site, session):
    """Hold what settling takes first: the row of the transaction, which others may refer to."""
    return site.hold_rows(
        "SELECT id FROM payment_transaction WHERE stripe_checkout_session_id = %s"
        " FOR NO KEY UPDATE",
        session['id'],
    )
