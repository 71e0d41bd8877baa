"""What staff read of online payments, in a real browser."""

import pytest
from playwright.sync_api import expect

from .back_office import EVENTS
from .books import wait_paid, wait_queue_empty
from .browsing import DEVICES, PHONE
from .client import open_session
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']

ANALYSIS = 'payment_stripe_checkout.action_server_stripe_checkout_report'
BALANCE = 'payment_stripe_checkout.action_stripe_balance_report'
DISPUTES = 'payment_stripe_checkout.action_stripe_dispute'
MOVEMENTS = 'payment_stripe_checkout.action_stripe_balance_transaction'
INBOX = 'payment_stripe_checkout.action_stripe_checkout_inbox'


@pytest.fixture(scope='module')
def history(running_site):
    """A payment of which a part was returned, and a card that was declined: the paid invoice."""
    site = running_site
    site.ensure()
    invoice, unpaid = site.staff.create_invoice(250), site.staff.create_invoice(80)
    session = open_session(site.stripe, invoice.url)
    site.stripe.pay(session['id'])
    site.stripe.pay(open_session(site.stripe, unpaid.url)['id'], outcome='decline')
    wait_paid(site, invoice)
    site.stripe.refund(session['id'], 5000)
    site.stripe.make_balance_transactions()
    site.run_cron('ir_cron_feed')
    return invoice


@DEVICES
def test_analysis(site, history, open_browser, device, request):
    """Catches a menu that fails in the browser, or that leaves out what it is there for."""
    name = request.node.callspec.id
    billing = open_browser('billing', device)
    billing.open(ANALYSIS, 'graph')
    billing.page.locator('.o_graph_canvas_container canvas').wait_for()
    billing.look(f'analysis_graph_{name}')
    billing.open(ANALYSIS, 'pivot')
    table = billing.page.locator('.o_pivot table')
    table.get_by_text("Declined Attempts").first.wait_for()
    shown = table.inner_text()
    assert '250.00' in shown
    billing.look(f'analysis_pivot_{name}')
    billing.open(ANALYSIS, 'list')
    rows = billing.page.locator('.o_data_row')
    expect(rows).to_have_count(2)
    billing.look(f'analysis_list_{name}')


@DEVICES
def test_events_and_balance(site, history, open_browser, device, request):
    """Catches a log or a report of which a phone shows the dates alone."""
    name = request.node.callspec.id
    billing = open_browser('billing', device)
    event = _open_rows(billing, EVENTS, device).filter(has_text='checkout.session.completed')
    assert "Processed" in event.inner_text()
    assert history.name in event.inner_text()
    billing.look(f'event_log_{name}')
    days = _open_rows(billing, BALANCE, device)
    assert '$ 0.00' in days.first.inner_text().replace('\N{NO-BREAK SPACE}', ' ')
    days.first.get_by_text("Movements").click()
    billing.page.locator('.o_breadcrumb', has_text="Stripe Balance").wait_for()
    billing.look(f'balance_{name}')


def test_movements_of_the_balance_on_a_phone(site, history, open_browser):
    """Catches a list of which a phone shows the times alone."""
    billing = open_browser('billing', PHONE)
    movements = _open_rows(billing, MOVEMENTS, PHONE)
    payment = movements.filter(has_text='250.00').first.inner_text()
    for text in ("Payment", "Booked", "Fee", "Net"):
        assert text in payment
    assert '-50.00' in movements.filter(has_text="Refund").inner_text()
    billing.look('movements_phone')


def test_buttons_of_the_balance(site, history, open_browser):
    """Catches a button of the settings that says or does nothing, or leads elsewhere."""
    wait_queue_empty(site)
    site.run_cron('ir_cron_feed')
    billing = open_browser('billing')
    billing.open_settings()
    page = billing.page
    page.get_by_role('button', name='Compare with Stripe').click()
    assert "0.00 to book" in _read_notification(billing, "Stripe's balance and the books agree.")
    site.stripe.charge_stripe_fee(777)
    page.get_by_role('button', name='Compare with Stripe').click()
    _read_notification(billing, "Stripe's balance and the books differ.")
    page.get_by_role('button', name='Read the Balance Now').click()
    billing.read_notification("Stripe's balance is being read")
    fee = "SELECT FROM stripe_balance_transaction WHERE amount = -7.77 AND state = 'booked'"
    wait_until(lambda: site.query(fee), "the fee is booked")
    page.get_by_role('button', name='Compare with Stripe').click()
    _read_notification(billing, "Stripe's balance and the books agree.")
    page.get_by_role('button', name='Balance against the Books').click()
    page.locator('.o_breadcrumb', has_text="Stripe Balance against the Books").wait_for()


def _read_notification(billing, text):
    return billing.read_notification(text).replace('\N{NO-BREAK SPACE}', ' ')


def test_disputes_on_a_phone(site, open_browser):
    """Catches a list of which a phone shows neither the state nor by when to answer."""
    disputed = site.staff.create_invoice(60)
    session = open_session(site.stripe, disputed.url)
    site.stripe.pay(session['id'])
    wait_paid(site, disputed)
    site.stripe.dispute(session['id'])
    wait_until(lambda: site.query("SELECT id FROM stripe_dispute"), "the dispute is known")
    billing = open_browser('billing', PHONE)
    dispute = _open_rows(billing, DISPUTES, PHONE).first.inner_text()
    for text in ("Evidence needed", "Evidence Due By", disputed.name):
        assert text in dispute
    billing.look('disputes_phone')


def test_payments_without_a_home_on_a_phone(site, open_browser):
    """Catches a list of which a phone shows neither the amount nor the ways out."""
    invoice = site.staff.create_invoice(70)
    session = open_session(site.stripe, invoice.url)
    site.stripe.deliveries.hold()
    site.stripe.pay(session['id'])
    site.staff.call('account.move', 'button_draft', [invoice.id])
    site.stripe.deliveries.release()
    payments = "SELECT id FROM account_payment WHERE stripe_checkout_session_id = %s"
    wait_until(lambda: site.query(payments, session['id']), "the payment is booked")
    billing = open_browser('billing', PHONE)
    payment = _open_rows(billing, INBOX, PHONE).first
    assert payment.get_by_text("70.00").count() == 2
    billing.look('inbox_phone')
    payment.get_by_text("Leave as credit").click()
    billing.answer('Ok')
    wait_until(
        lambda: site.query(f'{payments} AND stripe_checkout_credit_kept', session['id']),
        "the payment is left as credit",
    )


def _open_rows(somebody, action, device):
    """Open the records of an action, which phones show as cards; return them."""
    if device is PHONE:
        view, record = 'kanban', '.o_kanban_record:not(.o_kanban_ghost)'
    else:
        view, record = 'list', '.o_data_row'
    somebody.open(action, view)
    rows = somebody.page.locator(record)
    rows.first.wait_for()
    return rows
