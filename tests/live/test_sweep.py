"""The sweep finds out what no webhook told, and ends sessions that are no longer wanted."""

import pytest

from .books import assert_paid_once, assert_unpaid, get_invoice, get_transactions
from .client import get, get_sessions, open_session, read_state

pytest_plugins = [f'{__package__}.fixtures']


@pytest.fixture
def deaf_site(site):
    """A company that no webhook ever reaches."""
    site.stripe.deliveries.hold()
    return site


def test_payment_without_any_webhook(deaf_site):
    """Catches a payment that is lost where webhooks do not arrive."""
    invoices = deaf_site.staff.create_invoices(3)
    sessions = [open_session(deaf_site.stripe, invoice.url) for invoice in invoices]
    for session in sessions:
        deaf_site.stripe.pay(session['id'])
    _sweep(deaf_site)
    for invoice, session in zip(invoices, sessions, strict=True):
        assert_paid_once(deaf_site, invoice, session['id'])


def test_debit_without_any_webhook(deaf_site):
    """Catches a bank debit that is booked before the bank has paid, or stays pending for ever."""
    settled, refused = deaf_site.staff.create_invoices(2)
    sessions = [open_session(deaf_site.stripe, invoice.url) for invoice in (settled, refused)]
    for session in sessions:
        deaf_site.stripe.pay(session['id'], 'us_bank_account')
    _sweep(deaf_site)
    for invoice in (settled, refused):
        assert _get_state(deaf_site, invoice) == 'pending'
        assert get_invoice(deaf_site, invoice)['payment_state'] == 'not_paid'
        assert read_state(get(invoice.url)) == 'processing'
    deaf_site.stripe.settle_debit(sessions[0]['id'])
    deaf_site.stripe.fail_debit(sessions[1]['id'])
    _sweep(deaf_site)
    assert_paid_once(deaf_site, settled, sessions[0]['id'])
    assert _get_state(deaf_site, refused) == 'error'
    # The client can pay another way, through a session of its own.
    again = open_session(deaf_site.stripe, refused.url)
    assert again['id'] != sessions[1]['id']


def _pay_otherwise(site, invoice):
    context = {'active_model': 'account.move', 'active_ids': [invoice.id]}
    wizard_id = site.staff.call('account.payment.register', 'create', {}, context=context)
    site.staff.call('account.payment.register', 'action_create_payments', [wizard_id])


def _cancel(site, invoice):
    site.staff.call('account.move', 'button_draft', [invoice.id])
    site.staff.call('account.move', 'button_cancel', [invoice.id])


def _let_link_expire(site, invoice):
    site.execute(
        """
        UPDATE stripe_payment_link link
           SET expires_at = now() AT TIME ZONE 'UTC' - interval '1 minute'
          FROM stripe_payment_link_move_rel rel
         WHERE rel.link_id = link.id AND rel.move_id = %s
        """,
        invoice.id,
    )


@pytest.mark.parametrize(
    ('end', 'state'),
    [(_pay_otherwise, 'paid'), (_cancel, 'cancelled'), (_let_link_expire, 'expired')],
    ids=['paid otherwise', 'cancelled', 'link expired'],
)
def test_unwanted_session_is_expired(deaf_site, end, state):
    """Catches a session that can still be paid although nothing is to be paid any more."""
    invoice, wanted = deaf_site.staff.create_invoices(2)
    session = open_session(deaf_site.stripe, invoice.url)
    kept = open_session(deaf_site.stripe, wanted.url)
    end(deaf_site, invoice)
    _sweep(deaf_site)
    assert deaf_site.stripe.session(session['id'])['status'] == 'expired'
    assert _get_state(deaf_site, invoice) == 'cancel'
    assert read_state(get(invoice.url)) == state
    assert get_sessions(deaf_site.stripe, invoice, status='open') == []
    # The session next to it is left alone.
    assert deaf_site.stripe.session(kept['id'])['status'] == 'open'
    assert open_session(deaf_site.stripe, wanted.url)['id'] == kept['id']


def test_sweep_while_stripe_is_away(deaf_site):
    """Catches a sweep that gives sessions up because Stripe could not be asked once."""
    invoice = deaf_site.staff.create_invoice()
    session = open_session(deaf_site.stripe, invoice.url)
    deaf_site.stripe.pay(session['id'])
    path = f'/v1/checkout/sessions/{session["id"]}'
    deaf_site.stripe.faults.next(1000, 'reset', path=path, method='GET')
    _sweep(deaf_site)
    assert deaf_site.stripe.calls.matching('GET', path)
    assert_unpaid(deaf_site, invoice)
    deaf_site.stripe.faults.clear()
    _sweep(deaf_site)
    assert_paid_once(deaf_site, invoice, session['id'])


def _sweep(site):
    """Run the sweep on transactions that are old enough to ask about."""
    site.execute(
        """
        UPDATE payment_transaction
           SET create_date = create_date - interval '1 hour',
               stripe_checkout_checked_at = stripe_checkout_checked_at - interval '1 hour'
        """
    )
    site.run_cron('ir_cron_sweep')


def _get_state(site, invoice):
    """Return the state of the invoice's one transaction."""
    (transaction,) = get_transactions(site, invoice)
    return transaction['state']
