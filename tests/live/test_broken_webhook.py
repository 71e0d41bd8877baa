"""Every way to break the webhook, on a real server: it shows, and one click mends it."""

import pytest

from .books import assert_paid_once, wait_paid
from .client import open_session
from .connection import call_action, ensure_connected, get_connection, wait_health
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures']

ELSEWHERE = 'https://old.example.com'


def _get_endpoint(site):
    return site.stripe.account.store.get('webhook_endpoint', get_connection(site)['endpoint_id'])


def _delete(site):
    site.stripe.account.store.remove(_get_endpoint(site))


def _disable(site):
    site.stripe.disable_endpoint(_get_endpoint(site)['id'])


def _change_address(site):
    _get_endpoint(site)['url'] = f'{site.url}/nowhere'


def _change_events(site):
    _get_endpoint(site)['enabled_events'] = ['checkout.session.expired']


def _roll_secret(site):
    site.stripe.roll_secret(_get_endpoint(site)['id'])
    site.stripe.deliveries.double_sign(None)


def _restore_elsewhere(site):
    """Let the database be one that was restored from another host."""
    endpoint = _get_endpoint(site)
    endpoint['url'] = endpoint['url'].replace(site.url, ELSEWHERE)
    site.stripe.deliveries.hold()  # That host is not there to be asked.
    site.execute("UPDATE payment_provider SET stripe_checkout_base_url = %s", ELSEWHERE)


def _rotate_key(site):
    site.stripe.account.secret_key = 'sk_test_' + 'rotated' * 5


@pytest.mark.parametrize(
    ('break_webhook', 'problem'),
    [
        (_delete, 'deleted'),
        (_disable, 'disabled'),
        (_change_address, 'address'),
        (_change_events, 'events'),
        (_roll_secret, 'signature'),
        (_restore_elsewhere, 'moved'),
        (_rotate_key, 'key'),
    ],
)
def test_broken_and_mended(site, break_webhook, problem):
    """Catches a trouble that shows no reason, one that Retry does not end, and what it costs."""
    ensure_connected(site)
    refunded, paid = site.staff.create_invoices(2)
    refunded_session, session = [
        open_session(site.stripe, invoice.url) for invoice in (refunded, paid)
    ]
    site.stripe.pay(refunded_session['id'])
    wait_paid(site, refunded)
    _let_time_pass(site)
    known = len(site.stripe.account.store.newest_first('event'))

    break_webhook(site)
    site.stripe.pay(session['id'])
    refund = site.stripe.refund(refunded_session['id'])
    assert site.stripe.wait_idle()
    events = site.stripe.account.store.newest_first('event')
    for event in events[: len(events) - known]:
        event['created'] -= 300  # No longer on their way.
    site.run_cron('ir_cron_check_webhook')
    wait_health(site, 'warning', problem)

    site.stripe.deliveries.pop_all()
    site.stripe.deliveries.release()
    if problem == 'key':
        site.staff.connect_stripe(site.stripe.account)
    else:
        call_action(site, 'action_stripe_checkout_retry_webhook')
    wait_health(site, 'confirmed')
    for _time in range(2):
        site.run_cron('ir_cron_sweep')
        wait_paid(site, paid)
        wait_until(lambda: _get_refunds(site, refund) == ['done'], "the refund is booked")
    assert_paid_once(site, paid, session['id'])
    site.run_cron('ir_cron_check_webhook')
    wait_health(site, 'confirmed')


def _get_refunds(site, refund):
    """Return the states of what is booked of a refund."""
    rows = site.query(
        "SELECT state FROM payment_transaction WHERE stripe_checkout_refund_id = %s", refund['id']
    )
    return [row['state'] for row in rows]


def _let_time_pass(site):
    """Let everything that has happened so far be an hour old."""
    site.execute("UPDATE stripe_event SET create_date = create_date - interval '1 hour'")
    site.execute(
        """
        UPDATE payment_provider
           SET stripe_checkout_registered_at = stripe_checkout_registered_at - interval '1 hour',
               stripe_checkout_connected_at = stripe_checkout_connected_at - interval '1 hour'
        """
    )
