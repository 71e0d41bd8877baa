"""What a billing admin presses, in a real browser, and what it does."""

import pytest

from .back_office import EVENTS
from .books import assert_paid_once, get_events, get_invoice, wait_paid
from .browsing import DESKTOP, DEVICES
from .client import get, get_sessions, open_session, read_state
from .connection import (
    call_action,
    get_connection,
    get_endpoints,
    get_messages,
    wait_health,
)
from .staff import Refused
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']

EDITION = 'payment_stripe_checkout.edition'


@pytest.fixture
def billing(connected, open_browser, device):
    """The billing admin, who is no administrator, before the connection."""
    billing = open_browser('billing', device)
    billing.open_settings()
    return billing


# === CONNECT === #


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


# === HEALTH === #


@DEVICES
def test_test_connection_and_retry(site, billing, connected, device, request):
    """Catches a trouble that is not shown, and one click that does not mend it."""
    name = request.node.callspec.id
    billing.press('Test Connection')
    assert "test mode" in billing.read_notification("Stripe answers")
    assert get_connection(site)['webhook_state'] == 'confirmed'

    site.stripe.disable_endpoint(connected['endpoint_id'])
    billing.press('Test Connection')
    billing.read_notification("disabled at Stripe")
    billing.sees("Press Retry Webhook Configuration")
    billing.look(f'warning_{name}')
    assert get_connection(site)['problem'] == 'disabled'

    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.pay(session['id'])  # Nobody is told of it.
    billing.press('Retry Webhook Configuration')
    billing.read_notification("The webhook is registered")
    wait_health(site, 'confirmed')
    assert get_connection(site)['endpoint_id'] != connected['endpoint_id']
    billing.page.reload()
    billing.sees("its events arrive")
    _let_events_grow_old(site)
    site.run_cron('ir_cron_sweep')
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])


def _let_events_grow_old(site):
    """Make the open transactions old enough for the sweep."""
    site.execute(
        "UPDATE payment_transaction SET create_date = create_date - interval '1 hour'"
        " WHERE state IN ('draft', 'pending')"
    )


def test_freeze_address(site, billing, connected, open_browser):
    """Catches a move of the database that is not told, or a freeze that anybody can do."""
    elsewhere = 'https://elsewhere.example.com'
    site.administrator.call('ir.config_parameter', 'set_param', 'web.base.url', elsewhere)
    site.administrator.call('ir.config_parameter', 'set_param', 'web.base.url.freeze', False)
    try:
        billing.press('Test Connection')
        billing.read_notification(elsewhere)
        billing.sees("an administrator can press Freeze Address")
        assert not billing.offers('Freeze Address')
        with pytest.raises(Refused, match='AccessError'):
            call_action(site, 'action_stripe_checkout_freeze_address')
        administrator = open_browser('admin')
        administrator.open_settings()
        site.administrator.call('ir.config_parameter', 'set_param', 'web.base.url', elsewhere)
        administrator.press('Freeze Address')
        administrator.look('freeze')
        administrator.answer('Ok')
        administrator.read_notification("The address stays")
        administrator.sees("its events arrive")
        assert _get_parameter(site, 'web.base.url') == site.url
        assert _get_parameter(site, 'web.base.url.freeze') == 'True'
        assert get_connection(site)['endpoint_id'] == connected['endpoint_id']
    finally:
        site.administrator.call('ir.config_parameter', 'set_param', 'web.base.url', site.url)
        site.administrator.call('ir.config_parameter', 'set_param', 'web.base.url.freeze', 'True')


def _get_parameter(site, key):
    (row,) = site.query("SELECT value FROM ir_config_parameter WHERE key = %s", key)
    return row['value']


# === DISCONNECT === #


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
    site.run_cron('ir_cron_sweep')
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


# === TEST PAYMENTS, OVERDUE INVOICES, EVENTS === #


def test_show_and_reverse(site, connected, open_browser):
    """Catches test payments that stay in the books after going live."""
    invoice = _pay(site)
    # Nobody has a live key of the stand-in: only the mode of the connection is changed here.
    write = ('payment.provider', 'write', [connected['id']])
    site.administrator.call(*write, {'state': 'enabled', 'stripe_checkout_mode': 'live'})
    try:
        billing = open_browser('billing')
        billing.open_settings()
        billing.sees("Entries of test mode that are still in the books")
        billing.page.get_by_role('button', name='Show and Reverse').click()
        billing.dialog.get_by_text(invoice.name).wait_for()
        (number,) = site.query(
            "SELECT name FROM account_payment WHERE partner_id = %s", invoice.partner_id
        )
        assert number['name'] in billing.dialog.inner_text()
        billing.look('reverse')
        billing.answer('Reverse All')
        billing.wait_for_dialogs_to_close()
        billing.page.locator('.o_list_view').get_by_text(invoice.name).wait_for()
        assert get_invoice(site, invoice)['payment_state'] == 'not_paid'
        assert get_invoice(site, invoice)['amount_residual'] == invoice.amount
        billing.open_settings()
        billing.misses("Entries of test mode that are still in the books")
    finally:
        site.administrator.call(*write, {'state': 'test', 'stripe_checkout_mode': 'test'})


def _pay(site):
    """Let a client pay an invoice by card, and wait until it is booked."""
    invoice = site.staff.create_invoice()
    site.stripe.pay(open_session(site.stripe, invoice.url)['id'])
    wait_paid(site, invoice)
    return invoice


def test_overdue_invoices(site, billing):
    """Catches a list of overdue invoices that is not the one that the checklist counts."""
    overdue = site.staff.create_invoice(
        invoice_date='2020-01-31', invoice_date_due='2020-01-31', invoice_payment_term_id=False
    )
    fresh = site.staff.create_invoice(invoice_date_due='2099-01-31', invoice_payment_term_id=False)
    billing.page.reload()
    billing.sees("to remind of")
    billing.page.get_by_role('button', name='Overdue Invoices').click()
    rows = billing.page.locator('.o_list_view .o_data_row')
    rows.filter(has_text=overdue.name).wait_for()
    assert rows.filter(has_text=fresh.name).count() == 0


def test_event_log_and_retry(site, connected, open_browser):
    """Catches an error that nobody sees, or a Retry that does nothing."""
    invoices = [_pay(site), _pay(site)]
    sessions = [get_sessions(site.stripe, invoice)[0]['id'] for invoice in invoices]
    failed = [get_events(site, session)[0]['id'] for session in sessions]
    billing = open_browser('billing')

    _let_fail(site, failed[:1])
    billing.open(EVENTS, 'list')
    row = billing.page.locator('.o_data_row', has_text=invoices[0].name)
    row.get_by_text("The period is locked").wait_for()
    billing.look('events')
    row.locator('[name=type]').click()
    billing.sees("The period is locked")
    billing.look('event')
    billing.press('Retry')
    billing.read_notification("processed again now: 1")
    _wait_done(site, failed[:1])
    billing.page.get_by_role('button', name='Invoices').click()
    billing.page.locator('.o_breadcrumb', has_text=invoices[0].name).wait_for()

    _let_fail(site, failed)
    billing.open(EVENTS, 'list')
    rows = [billing.page.locator('.o_data_row', has_text=invoice.name) for invoice in invoices]
    for row in rows:  # Odoo shows what it last knew at first: a selection in it would be lost.
        row.get_by_text("The period is locked").wait_for()
    for row in rows:
        row.locator('.o_list_record_selector').click()
    billing.page.locator('.o_control_panel').get_by_role('button', name='Retry').click()
    billing.read_notification("processed again now: 2")
    _wait_done(site, failed)
    for invoice, session in zip(invoices, sessions, strict=True):
        assert_paid_once(site, invoice, session)


def _let_fail(site, event_ids):
    site.execute(
        """
        UPDATE stripe_event
           SET state = 'failed', error = 'The period is locked.', attempts = 3,
               next_attempt_at = now() AT TIME ZONE 'UTC' + interval '1 hour'
         WHERE id = ANY(%s)
        """,
        event_ids,
    )


def _wait_done(site, event_ids):
    wait_until(
        lambda: (
            not site.query(
                "SELECT 1 FROM stripe_event WHERE id = ANY(%s) AND (state != 'done' OR error > '')",
                event_ids,
            )
        ),
        "the events are processed",
    )


# === SETTINGS === #


def test_settings(site, billing, connected):
    """Catches a setting that is not kept, a limit that is not named, or a change without trace."""
    _choose(billing, 'stripe_checkout_link_expiration', "Custom")
    hours = billing.page.locator('[name=stripe_checkout_link_custom_hours] input')
    hours.fill('721')
    billing.page.locator('.o_form_button_save').click()
    assert "720" in billing.read_refusal()
    assert get_connection(site)['link_expiration'] == '72'
    hours.fill('12')
    billing.page.locator('.o_form_button_save').click()
    wait_until(
        lambda: get_connection(site)['link_custom_hours'] == 12, lambda: str(get_connection(site))
    )
    billing.page.locator('.o-mail-Message', has_text='72 hours').first.wait_for()
    changes = [m for m in get_messages(site) if m['field'] == 'stripe_checkout_link_expiration']
    assert changes[-1]['login'] == 'billing'
    assert (changes[-1]['old_value_char'], changes[-1]['new_value_char']) == ('72 hours', 'Custom')
    site.staff.call(
        'payment.provider', 'write', [connected['id']], {'stripe_checkout_link_expiration': '72'}
    )


def _choose(somebody, field, label):
    """Choose a value of a selection field."""
    widget = somebody.page.locator(f'[name={field}]')
    widget.locator('input').click()
    somebody.page.locator('.o_select_menu_item', has_text=label).first.click()


@DEVICES
def test_settings_page_of_administrators(site, connected, open_browser, device, request):
    """Catches a block in Odoo's own Settings that shows, does or changes something else."""
    name = request.node.callspec.id
    administrator = open_browser('admin', device)
    page = administrator.page
    _open_invoicing_settings(administrator)
    block = page.locator('#stripe_checkout_connection')
    block.get_by_text("Confirmed").wait_for()
    block.scroll_into_view_if_needed()
    administrator.look(f'settings_{name}')
    shown = block.inner_text()
    for text in ("Test", connected['account_id'], connected['key_hint'], "billing"):
        assert text in shown
    assert "Stripe is connected" in page.locator('#stripe_checkout_checklist').inner_text()
    events = page.locator('#stripe_checkout_events').inner_text()
    assert 'checkout.session.completed' in events

    site.stripe.disable_endpoint(connected['endpoint_id'])
    block.get_by_role('button', name='Test Connection').click()
    administrator.read_notification("disabled at Stripe")
    block.get_by_text("Press Retry Webhook Configuration").wait_for()
    block.scroll_into_view_if_needed()
    administrator.look(f'settings_warning_{name}')
    block.get_by_role('button', name='Retry Webhook Configuration').click()
    administrator.read_notification("The webhook is registered")
    wait_health(site, 'confirmed')
    block.get_by_role('button', name='Disconnect').click()
    administrator.dialog.get_by_text("Clients can no longer pay online").wait_for()
    administrator.answer('Cancel')
    administrator.wait_for_dialogs_to_close()

    write = ('payment.provider', 'write', [connected['id']])
    site.administrator.call(*write, {'is_published': False})
    _open_invoicing_settings(administrator)
    block.get_by_text("No new payment is taken now").wait_for()
    site.administrator.call(*write, {'is_published': True})

    _open_invoicing_settings(administrator)
    _choose(administrator, 'stripe_checkout_link_expiration', "1 week")
    page.get_by_role('button', name='Save').click()
    wait_until(
        lambda: get_connection(site)['link_expiration'] == '168', lambda: str(get_connection(site))
    )
    _open_invoicing_settings(administrator)
    page.get_by_role('button', name='Manage the connection').click()
    administrator.sees("its events arrive")
    site.staff.call(
        'payment.provider', 'write', [connected['id']], {'stripe_checkout_link_expiration': '72'}
    )


def _open_invoicing_settings(administrator):
    administrator.open('account.action_account_config')


# === EDITION === #


@pytest.fixture
def community(site, connected):
    """What was started on the enterprise edition, before it changed: a session, to be paid."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.administrator.call('ir.config_parameter', 'set_param', EDITION, 'community')
    yield invoice, session
    site.administrator.call('ir.config_parameter', 'set_param', EDITION, False)


@DEVICES
def test_community_edition(site, community, open_browser, device, request):
    """Catches a feature of the enterprise edition that is offered, or a payment that is lost."""
    name = request.node.callspec.id
    invoice, session = community
    billing = open_browser('billing', device)
    billing.open_settings()
    billing.sees("Enterprise feature")
    billing.look(f'community_{name}')
    for button in ('Connect', 'Reconnect', 'Test Connection', 'Retry Webhook Configuration'):
        assert not billing.offers(button), button
    for action in ('test_connection', 'retry_webhook', 'open_connect', 'stay_connected'):
        with pytest.raises(Refused, match="Enterprise edition"):
            call_action(site, f'action_stripe_checkout_{action}')
    with pytest.raises(Refused, match="Enterprise edition"):
        site.staff.connect_stripe(site.stripe.account)
    assert read_state(get(invoice.url)) == 'unavailable'
    assert not site.staff.create_invoice().url
    # What is on its way arrives.
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])


def test_community_edition_without_connection(site, connected, community, open_browser):
    """Catches a first page on the community edition that leads somebody to type keys."""
    call_action(site, 'action_stripe_checkout_disconnect', True)
    billing = open_browser('billing')
    billing.open_settings()
    billing.sees("Enterprise feature")
    assert not billing.offers('Connect')
    billing.misses("Stripe is not connected")
    administrator = open_browser('admin')
    _open_invoicing_settings(administrator)
    block = administrator.page.locator('#stripe_checkout_connection')
    block.get_by_text("Enterprise feature").wait_for()
    assert not administrator.page.locator('#stripe_checkout_links').is_visible()
