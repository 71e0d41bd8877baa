"""Webhooks, success pages and two hosts settle a payment at the same moment: it is booked once."""

import functools
from concurrent.futures import ThreadPoolExecutor

import pytest

from .books import assert_paid_once, get_events, wait_paid, wait_queue_empty
from .client import (
    SLOW,
    all_at_once,
    get,
    get_event_ids,
    get_success_url,
    open_session,
    read_received,
    read_state,
)
from .waiting import PATIENCE, wait_until

pytest_plugins = [f'{__package__}.fixtures']

PAGES = 8


@pytest.fixture(scope='module')
def other_host(running_site):
    """A second server on the same database, with schedulers of its own."""
    return running_site.add_host()


def test_success_pages_and_webhook_at_once(site):
    """Catches a success page that books beside the queue, or breaks where the queue is faster."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.deliveries.hold()
    site.stripe.pay(session['id'])
    page = functools.partial(get, get_success_url(session))
    webhook = functools.partial(_deliver, site, session)
    *pages, attempts = all_at_once([page] * PAGES + [webhook])
    assert [attempt.status for attempt in attempts] == [200, 200]
    assert [(page.status_code, read_state(page)) for page in pages] == [(200, 'done')] * PAGES
    assert {read_received(page) for page in pages} == {'$\N{NO-BREAK SPACE}100.00'}
    wait_queue_empty(site)
    assert_paid_once(site, invoice, session['id'])
    (event,) = get_events(site, session['id'])
    assert (event['state'], event['error']) == ('done', None)


def test_success_page_of_what_is_booked_waits_for_nobody(site):
    """Catches a client who waits for whoever holds the payment, such as to mail the receipt."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    wait_until(lambda: _get_mail_state(site, session) == 'sent', "the payment is confirmed")
    site.execute(
        """
        UPDATE payment_transaction SET stripe_checkout_method = NULL
         WHERE stripe_checkout_session_id = %s
        """,
        session['id'],
    )
    with ThreadPoolExecutor(1) as pool, _hold_transaction(site, session):
        page = pool.submit(get, get_success_url(session))
        assert read_state(page.result(timeout=PATIENCE)) == 'done'


def test_mail_does_not_hold_the_payment_while_stripe_is_asked(site):
    """Catches a success page, refund or dispute that waits for Stripe's answer to somebody else."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    path = f"/v1/checkout/sessions/{session['id']}"
    site.stripe.faults.next(1, 'slow', path=path, method='GET', seconds=SLOW)
    site.stripe.pay(session['id'])
    wait_until(lambda: site.stripe.calls.matching('GET', path), "Stripe is asked for the method")
    assert _get_mail_state(site, session) == 'to_send'
    with _hold_transaction(site, session):
        pass
    (call,) = site.stripe.calls.matching('GET', path)
    assert not call.status, "Stripe has not answered yet"
    site.stripe.faults.clear()
    wait_until(lambda: _get_mail_state(site, session) == 'sent', "the payment is confirmed")
    assert_paid_once(site, invoice, session['id'])


def test_retired_session_is_not_held_while_stripe_is_asked_about_the_next(site):
    """Catches a visitor, or a payment, that waits for Stripe's answers about other invoices."""
    invoices = site.staff.create_invoices(2)
    sessions = [open_session(site.stripe, invoice.url) for invoice in invoices]
    site.stripe.faults.next(2, 'slow', path='*/expire', seconds=SLOW)
    site.staff.call('account.move', 'button_draft', [invoice.id for invoice in invoices])
    paths = [f"/v1/checkout/sessions/{session['id']}/expire" for session in sessions]
    wait_until(
        lambda: all(site.stripe.calls.matching('POST', path) for path in paths),
        "Stripe is asked about both",
    )
    for session in sessions:
        with _hold_transaction(site, session):
            pass
    answers = [call.status for path in paths for call in site.stripe.calls.matching('POST', path)]
    assert not all(answers), "Stripe has not answered yet"
    site.stripe.faults.clear()
    wait_until(
        lambda: (
            not site.query(
                "SELECT 1 FROM payment_transaction"
                " WHERE state = 'draft' AND stripe_checkout_session_id = ANY(%s)",
                [session['id'] for session in sessions],
            )
        ),
        "both are retired",
    )


@pytest.mark.parametrize('happens', ['refund', 'dispute'])
def test_two_events_about_one_payment_at_once(site, other_host, happens):
    """Catches an event that fails because another about the same refund or dispute was faster.

    Both workers have begun before the first one goes on.
    """
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    wait_queue_empty(site)
    site.stripe.deliveries.hold()
    site.stripe.deliveries.duplicate_events()
    getattr(site.stripe, happens)(session['id'])
    event_ids = [
        delivery.event['id']
        for delivery in site.stripe.deliveries.held
        if delivery.event['type'].endswith(f'{happens}.created')
    ]
    assert len(event_ids) == 2
    with _hold_transaction(site, session):
        for waiting, event_id in enumerate(event_ids, start=1):
            site.stripe.deliveries.release([event_id])
            _wake_all_workers(site)
            wait_until(lambda waiting=waiting: site.count_waiting() >= waiting, "a worker waits")
    wait_queue_empty(site)
    events = site.query("SELECT state, error FROM stripe_event WHERE event_id = ANY(%s)", event_ids)
    assert events == [{'state': 'done', 'error': None}] * 2


def test_two_hosts_at_once(site, other_host):
    """Catches two callers of the settle function who both find that nothing is booked yet.

    All of them, on two hosts, have begun before the first one goes on.
    """
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.deliveries.hold()
    site.stripe.pay(session['id'])
    here = get_success_url(session)
    there = here.replace(site.url, other_host.url)
    with ThreadPoolExecutor(PAGES) as pool:
        with _hold_transaction(site, session):
            pages = [pool.submit(get, url) for url in [here, there] * 3]
            _deliver(site, session)
            # Six pages and one worker of the queue.
            wait_until(lambda: site.count_waiting() == 7, lambda: f'{site.count_waiting()} waiting')
        pages = [page.result() for page in pages]
    assert [(page.status_code, read_state(page)) for page in pages] == [(200, 'done')] * 6
    wait_queue_empty(site)
    assert_paid_once(site, invoice, session['id'])
    (event,) = get_events(site, session['id'])
    assert (event['state'], event['error']) == ('done', None)


def test_burst_on_two_hosts(site, other_host):
    """Catches events that two hosts process both, or that one of them fails for the other."""
    invoices = site.staff.create_invoices(12)
    sessions = [open_session(site.stripe, invoice.url) for invoice in invoices]
    site.stripe.deliveries.duplicate_events()
    for session in sessions:
        site.stripe.pay(session['id'])
    assert site.stripe.wait_idle()
    for invoice in invoices:
        wait_paid(site, invoice)
    wait_queue_empty(site)
    for invoice, session in zip(invoices, sessions, strict=True):
        assert_paid_once(site, invoice, session['id'])
        assert [event['state'] for event in get_events(site, session['id'])] == ['done', 'done']


def _deliver(site, session):
    """Deliver the event about a paid session, twice at once."""
    (event_id,) = get_event_ids(site.stripe, session['id'])
    return site.stripe.deliveries.repeat(event_id, times=2, parallel=2)


def _hold_transaction(site, session):
    """Hold what settling takes first: the row of the transaction."""
    return site.hold_rows(
        "SELECT id FROM payment_transaction WHERE stripe_checkout_session_id = %s FOR UPDATE",
        session['id'],
    )


def _get_mail_state(site, session):
    """Return the state of the mail that confirms the payment of a session."""
    (row,) = site.query(
        """
        SELECT stripe_checkout_mail_state AS state FROM payment_transaction
         WHERE stripe_checkout_session_id = %s
        """,
        session['id'],
    )
    return row['state']


def _wake_all_workers(site):
    """Have as many workers of the queue run as there are."""
    site.execute(
        """
        INSERT INTO ir_cron_trigger (cron_id, call_at)
             SELECT res_id, (now() - interval '1 second') AT TIME ZONE 'UTC'
               FROM ir_model_data
              WHERE module = 'payment_stripe_checkout' AND model = 'ir.cron' AND name LIKE %s
        """,
        'ir_cron_process_events%',
    )
    site.wake_scheduler()
