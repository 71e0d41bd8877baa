"""What a billing admin can set, and what the edition leaves of it, in a real browser."""

import pytest

from .books import assert_paid_once, wait_paid
from .browsing import DEVICES
from .client import get, open_session, read_state
from .connection import call_action, get_connection, get_messages, wait_health
from .staff import Refused
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']

EDITION = 'payment_stripe_checkout.edition'


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
    block.get_by_role('button', name='Reconnect').click()
    administrator.dialog.get_by_text("This company is connected already").wait_for()
    administrator.answer('Cancel')
    administrator.wait_for_dialogs_to_close()

    elsewhere = 'https://elsewhere.example.com'
    site.administrator.call('ir.config_parameter', 'set_param', 'web.base.url', elsewhere)
    _open_invoicing_settings(administrator)
    block.get_by_role('button', name='Freeze Address').click()
    administrator.answer('Ok')
    administrator.read_notification("The address stays")

    write = ('payment.provider', 'write', [connected['id']])
    site.administrator.call(*write, {'is_published': False})
    _open_invoicing_settings(administrator)
    block.get_by_text("New payments are switched off").wait_for()
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


def test_switch_on(site, billing, connected):
    """Catches a provider that somebody has disabled, and that nobody but them can switch on."""
    invoice = site.staff.create_invoice()
    write = ('payment.provider', 'write', [connected['id']])
    site.administrator.call(*write, {'state': 'disabled', 'is_published': False})
    try:
        billing.page.reload()
        billing.sees("New payments are switched off")
        assert read_state(get(invoice.url)) == 'unavailable'
        billing.page.get_by_role('button', name='Switch On').click()
        billing.read_notification("Payments are taken again")
        billing.misses("New payments are switched off")
        connection = get_connection(site)
        assert (connection['state'], connection['is_published']) == ('test', True)
        open_session(site.stripe, invoice.url)
    finally:
        site.administrator.call(*write, {'state': 'test', 'is_published': True})
