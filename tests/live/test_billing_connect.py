"""How a billing admin connects the company to Stripe, in a real browser."""

from concurrent.futures import ThreadPoolExecutor

from .browsing import DESKTOP, DEVICES
from .client import SLOW, get, get_sessions, open_session, read_state
from .connection import call_action, get_connection, get_endpoints, wait_health
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']


@DEVICES
def test_connect(site, connected, open_browser, device, request):
    """Catches a way to the first connection that has a dead end, or a view that does not follow."""
    name = request.node.callspec.id
    call_action(site, 'action_stripe_checkout_disconnect', True)
    billing = open_browser('billing', device)
    if device is DESKTOP:
        _walk_the_menu(billing)
    else:
        billing.open_settings()
    billing.sees("Stripe is not connected")
    billing.look(f'not_connected_{name}')
    assert not billing.offers('Test Connection')
    assert not billing.offers('Disconnect')

    account = site.stripe.account
    billing.press('Connect')
    billing.dialog.get_by_text("with the right boxes ticked").wait_for()
    billing.look(f'connect_{name}')
    assert billing.dialog.locator('a[href*="apikeys/create"]').count() == 2
    billing.type_keys(account.publishable_key, account.secret_key)
    billing.answer('Connect')
    assert "secret key must start with" in billing.read_refusal()
    billing.type_keys('sk_test_unknown123456', account.publishable_key)
    billing.answer('Connect')
    assert "does not accept the key" in billing.read_refusal()
    assert not get_connection(site)['connected_at']
    assert get_endpoints(account) == []

    billing.type_keys(account.secret_key, account.publishable_key)
    billing.answer('Connect')
    assert "test mode" in billing.read_notification("Connected to Demo company")
    billing.wait_for_dialogs_to_close()
    wait_health(site, 'confirmed')
    connection = get_connection(site)
    assert connection['state'] == 'test'
    assert connection['account_id'] == account.id
    assert get_endpoints(account) == [connection['endpoint_id']]
    billing.page.reload()
    billing.sees("its events arrive")
    billing.sees(connection['key_hint'])
    assert billing.shows("No money moves")
    billing.look(f'connected_{name}')
    content = billing.page.content()
    assert account.secret_key not in content
    assert account.publishable_key not in content


def _walk_the_menu(billing):
    page = billing.page
    page.locator('.o_navbar_apps_menu button').click()
    page.locator('.o_app', has_text='Invoicing').click()
    page.locator('.o_list_view').wait_for()  # Odoo closes a menu that is opened before.
    page.locator('.o_menu_sections').get_by_role('button', name='Configuration').click()
    page.get_by_role('menuitem', name='Stripe Checkout').click()
    page.locator('.o_form_view').wait_for()


def test_restricted_key_that_lacks_permissions(site, billing, connected):
    """Catches a refusal that does not name all that is missing, or that costs the connection."""
    lacking = ['rak_webhook_write', 'rak_event_read']
    key = site.stripe.add_restricted_key(without=lacking)
    billing.press('Reconnect')
    billing.type_keys(key, site.stripe.account.publishable_key)
    billing.answer('Connect')
    said = billing.read_refusal()
    for permission in lacking:
        assert permission in said
    assert key not in said
    billing.answer('Cancel')
    billing.wait_for_dialogs_to_close()
    assert get_connection(site) == connected


def test_reconnect_with_a_rotated_key(site, billing, connected):
    """Catches a new key of the same account that loses settings, the webhook or a client's page."""
    session = open_session(site.stripe, site.staff.create_invoice().url)
    billing.press('Reconnect')
    billing.sees("Stripe is connected")
    assert connected['key_hint'] in billing.dialog.inner_text()
    key = site.stripe.add_restricted_key()
    billing.type_keys(key, site.stripe.account.publishable_key)
    billing.answer('Connect')
    billing.read_notification("Connected to")
    billing.wait_for_dialogs_to_close()
    billing.sees(f'rk_test_…{key[-4:]}')
    wait_health(site, 'confirmed')
    connection = get_connection(site)
    assert connection['endpoint_id'] != connected['endpoint_id']
    assert connection['link_expiration'] == connected['link_expiration']
    assert site.stripe.session(session['id'])['status'] == 'open'


def test_another_account_is_asked_about(site, billing, connected):
    """Catches an account that is left without a question, or without what was said."""
    other = site.stripe.add_account(display_name="Second account")
    invoice = site.staff.create_invoice(250)
    session = open_session(site.stripe, invoice.url)
    billing.press('Reconnect')
    billing.type_keys(other.secret_key, other.publishable_key)
    billing.answer('Connect')
    billing.dialog.get_by_text("another Stripe account").wait_for()
    billing.look('question')
    billing.answer('Cancel')
    billing.wait_for_dialogs_to_close()
    assert get_connection(site) == connected
    assert site.stripe.session(session['id'])['status'] == 'open'

    billing.press('Reconnect')
    billing.type_keys(other.secret_key, other.publishable_key)
    billing.answer('Connect')
    billing.answer('Leave the Connected Account')
    billing.read_notification("Connected to Second account")
    billing.wait_for_dialogs_to_close()
    billing.sees(other.id)
    wait_health(site, 'confirmed')
    assert get_connection(site)['account_id'] == other.id
    assert site.stripe.session(session['id'])['status'] == 'expired'
    assert get_endpoints(site.stripe.account) == []
    # The client's link leads to the new account.
    again = open_session(site.stripe, invoice.url)
    assert other.store.get('checkout.session', again['id'])


def test_page_that_is_opened_while_the_account_is_left(site, connected):
    """Catches a client who pays on a page that nobody can ask about with the new keys."""
    other = site.stripe.add_account()
    first, second = site.staff.create_invoices(2)
    path = f"/v1/checkout/sessions/{open_session(site.stripe, first.url)['id']}/expire"
    site.stripe.deliveries.hold()  # Else the event of the first page has it all done again.
    site.stripe.faults.next(1, 'slow', path=path, seconds=SLOW)
    with ThreadPoolExecutor(1) as pool:
        pressed = pool.submit(site.staff.leave_account, other)
        wait_until(lambda: site.stripe.calls.matching('POST', path), "the first page is closed")
        visit = get(second.url)
        assert not pressed.done()
        site.stripe.faults.clear()
        pressed.result()
    assert get_connection(site)['account_id'] == other.id
    assert get_sessions(site.stripe, second, status='open') == []
    assert read_state(visit) == 'unavailable'
    assert other.store.get('checkout.session', open_session(site.stripe, second.url)['id'])


def test_page_that_stripe_makes_while_the_account_is_left(site, connected):
    """Catches the same of a client who came before."""
    other = site.stripe.add_account()
    invoice = site.staff.create_invoice()
    site.stripe.faults.next(1, 'slow', path='/v1/checkout/sessions', method='POST', seconds=3)
    with ThreadPoolExecutor(1) as pool:
        visit = pool.submit(get, invoice.url)
        wait_until(lambda: get_sessions(site.stripe, invoice), "Stripe makes the page")
        site.staff.leave_account(other)
        visit.result()
    assert get_connection(site)['account_id'] == other.id
    assert get_sessions(site.stripe, invoice, status='open') == []
    assert get_endpoints(other) == [get_connection(site)['endpoint_id']]
