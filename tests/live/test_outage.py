"""Nothing is lost while Stripe's events, or Stripe itself, do not get through."""

import pytest

from .books import assert_paid_once, assert_unpaid, get_invoice, get_payments
from .client import get, open_session, read_state
from .connection import call_action, ensure_connected, get_connection, wait_health
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures']

CLIENTS = 50


@pytest.fixture
def healthy_site(site):
    """A company whose webhook is confirmed."""
    ensure_connected(site)
    return site


def test_fifty_payments_without_any_webhook(healthy_site):
    """Catches a sweep that leaves some behind, or books one twice, when it has many to find out."""
    site = healthy_site
    site.stripe.deliveries.hold()
    invoices = site.staff.create_invoices(CLIENTS)
    sessions = [open_session(site.stripe, invoice.url) for invoice in invoices]
    for session in sessions:
        site.stripe.pay(session['id'])
    assert (
        site.query("SELECT 1 FROM stripe_event WHERE payload ->> 'id' = %s", sessions[0]['id'])
        == []
    )
    _let_time_pass(site)
    # One booking after the other takes longer than Odoo lets an action run at a time.
    site.run_cron('ir_cron_sweep', timeout=240)
    assert _count_unpaid(site, invoices) == 0
    for invoice, session in zip(invoices, sessions, strict=True):
        assert_paid_once(site, invoice, session['id'])

    # Whatever arrives late changes nothing.
    site.stripe.deliveries.release()
    assert site.stripe.wait_idle()
    _let_time_pass(site)
    site.run_cron('ir_cron_sweep')
    site.run_cron('ir_cron_process_events')
    for invoice, session in zip(invoices, sessions, strict=True):
        assert_paid_once(site, invoice, session['id'])


def _count_unpaid(site, invoices):
    (row,) = site.query(
        "SELECT count(*) FROM account_move WHERE id = ANY(%s) AND payment_state = 'not_paid'",
        [invoice.id for invoice in invoices],
    )
    return row['count']


def _let_time_pass(site):
    """Make the transactions old enough to be asked about."""
    site.execute(
        """
        UPDATE payment_transaction
           SET create_date = create_date - interval '1 hour',
               stripe_checkout_checked_at = stripe_checkout_checked_at - interval '1 hour'
         WHERE state IN ('draft', 'pending')
        """
    )


@pytest.mark.parametrize('kind', ['reset', '500', '429'])
def test_every_call_fails(healthy_site, kind):
    """Catches a payment that an outage costs, or an outage that nobody is told of."""
    site = healthy_site
    before = get_connection(site)
    paid, opened, fresh = site.staff.create_invoices(3)
    paid_session = open_session(site.stripe, paid.url)
    open_page = open_session(site.stripe, opened.url)
    site.stripe.deliveries.hold()
    site.stripe.pay(paid_session['id'])
    site.stripe.faults.next(100_000, kind)

    # The sweep gives nothing up, and clients are told to come again.
    _let_time_pass(site)
    site.run_cron('ir_cron_sweep')
    assert_unpaid(site, paid)
    assert read_state(get(fresh.url)) == 'unavailable'
    assert get_payments(site, fresh) == []
    site.run_cron('ir_cron_check_webhook')
    wait_health(site, 'warning', 'unreachable')
    (shown,) = site.staff.call(
        'payment.provider', 'read', [before['id']], ['stripe_checkout_webhook_message']
    )
    assert "Nothing is lost" in shown['stripe_checkout_webhook_message']
    notification = call_action(site, 'action_stripe_checkout_test_connection')
    assert notification['params']['type'] == 'danger'
    assert "Nothing is lost" in notification['params']['message']
    assert _count_todos(site) == 1
    # What Stripe tells needs no call: it is booked although Stripe answers nothing.
    site.stripe.deliveries.release()
    wait_until(
        lambda: get_invoice(site, paid)['payment_state'] in ('paid', 'in_payment'), "it is booked"
    )

    site.stripe.faults.clear()
    site.run_cron('ir_cron_check_webhook')
    wait_health(site, 'confirmed')
    assert _count_todos(site) == 0
    _let_time_pass(site)
    site.run_cron('ir_cron_sweep')
    assert_paid_once(site, paid, paid_session['id'])
    assert get_connection(site) == before
    # Who had a page open pays on it, who could not come in can now.
    assert open_session(site.stripe, opened.url)['id'] == open_page['id']
    for invoice in (opened, fresh):
        session = open_session(site.stripe, invoice.url)
        site.stripe.pay(session['id'])
        wait_until(
            lambda invoice=invoice: (
                get_invoice(site, invoice)['payment_state'] in ('paid', 'in_payment')
            ),
            "it is paid",
        )
        assert_paid_once(site, invoice, session['id'])


def _count_todos(site):
    (row,) = site.query("SELECT count(*) FROM mail_activity WHERE res_model = 'payment.provider'")
    return row['count']
