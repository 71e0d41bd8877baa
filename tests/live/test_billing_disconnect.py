"""How a billing admin ends the connection to Stripe, in a real browser."""

from concurrent.futures import ThreadPoolExecutor

from .books import assert_paid_once, get_events, wait_paid
from .browsing import DEVICES
from .client import SLOW, get, get_sessions, open_session, read_state
from .connection import call_action, get_connection, get_endpoints
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']


@DEVICES
def test_disconnect(site, billing, connected, device, request):
    """Catches a connection that is not ended at Stripe, or a client who can still pay."""
    name = request.node.callspec.id
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    billing.press('Disconnect')
    billing.dialog.get_by_text("Clients can no longer pay online").wait_for()
    billing.look(f'disconnect_{name}')
    assert not billing.dialog.get_by_text("When the last bank debit").is_visible()
    billing.answer('Disconnect')
    billing.read_notification("Stripe is disconnected")
    billing.wait_for_dialogs_to_close()
    billing.sees("Stripe is not connected")
    assert billing.offers('Connect')
    connection = get_connection(site)
    assert (connection['state'], connection['key_hint']) == ('disabled', None)
    assert get_endpoints(site.stripe.account) == []
    assert site.stripe.session(session['id'])['status'] == 'expired'
    assert read_state(get(invoice.url)) == 'unavailable'
    assert not site.query(
        "SELECT 1 FROM stripe_checkout_secret WHERE provider_id = %s", connection['id']
    )


def test_disconnect_when_the_debits_have_ended(site, billing, connected):
    """Catches a debit that is lost because somebody disconnects while it runs."""
    invoice, session = _start_debit(site)
    billing.press('Disconnect')
    billing.dialog.get_by_text("When the last bank debit").wait_for()
    assert '$ 2,500.00' in billing.dialog.inner_text().replace('\N{NO-BREAK SPACE}', ' ')
    billing.look('disconnect_debit')
    billing.answer('Disconnect')
    billing.read_notification("No new payment is taken")
    billing.wait_for_dialogs_to_close()
    assert get_connection(site)['disconnecting']
    assert not site.staff.create_invoice().url
    billing.press('Stay Connected')
    billing.read_notification("Payments are taken again")
    assert not get_connection(site)['disconnecting']
    assert not billing.offers('Stay Connected')

    billing.press('Disconnect')
    billing.answer('Disconnect')
    billing.read_notification("No new payment is taken")
    site.stripe.settle_debit(session['id'])
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])
    site.stripe.make_balance_transactions()
    for cron in ('ir_cron_feed', 'ir_cron_sweep'):
        site.run_cron(cron)
    wait_until(lambda: get_connection(site)['state'] == 'disabled', "it is disconnected")
    assert get_endpoints(site.stripe.account) == []


def test_disconnect_now(site, billing, connected):
    """Catches a debit that nobody follows up after the keys are forgotten."""
    invoice, session = _start_debit(site)
    billing.press('Disconnect')
    billing.dialog.get_by_text("Now; each bank debit becomes a to-do").click()
    billing.answer('Disconnect')
    billing.read_notification("Stripe is disconnected")
    billing.wait_for_dialogs_to_close()
    assert get_connection(site)['state'] == 'disabled'
    (todo,) = site.query(
        "SELECT summary, note FROM mail_activity WHERE res_model = 'account.move' AND res_id = %s",
        invoice.id,
    )
    assert "Bank debit" in todo['summary']
    assert '2,500.00' in todo['note']
    assert site.stripe.session(session['id'])['payment_intent'] in todo['note']


def test_page_that_is_opened_while_the_others_are_closed(site, connected):
    """Catches a client who pays on a page that nobody knows of, once the keys are forgotten."""
    first, second = site.staff.create_invoices(2)
    path = f"/v1/checkout/sessions/{open_session(site.stripe, first.url)['id']}/expire"
    site.stripe.deliveries.hold()  # Else the event of the first page has it all done again.
    site.stripe.faults.next(1, 'slow', path=path, seconds=SLOW)
    with ThreadPoolExecutor(1) as pool:
        pressed = pool.submit(call_action, site, 'action_stripe_checkout_disconnect', True)
        wait_until(lambda: site.stripe.calls.matching('POST', path), "the first page is closed")
        visit = get(second.url)
        assert not pressed.done()
        site.stripe.faults.clear()
        pressed.result()
    assert get_connection(site)['state'] == 'disabled'
    assert get_sessions(site.stripe, second, status='open') == []
    assert read_state(visit) == 'unavailable'


def test_page_that_stripe_makes_while_staff_disconnect(site, connected):
    """Catches the same of a client who came before."""
    invoice = site.staff.create_invoice()
    site.stripe.faults.next(1, 'slow', path='/v1/checkout/sessions', method='POST', seconds=3)
    with ThreadPoolExecutor(1) as pool:
        visit = pool.submit(get, invoice.url)
        wait_until(lambda: get_sessions(site.stripe, invoice), "Stripe makes the page")
        call_action(site, 'action_stripe_checkout_disconnect', True)
        visit.result()
    assert get_connection(site)['state'] == 'disabled'
    assert get_sessions(site.stripe, invoice, status='open') == []


def _start_debit(site):
    """Let a client pay by bank debit; return the invoice and the session."""
    invoice = site.staff.create_invoice(2500)
    session = open_session(site.stripe, invoice.url)
    site.stripe.pay(session['id'], 'us_bank_account')
    wait_until(
        lambda: [e['state'] for e in get_events(site, session['id'])] == ['done'],
        "the debit is under way",
    )
    return invoice, session
