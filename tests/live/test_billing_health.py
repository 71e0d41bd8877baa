"""What a billing admin does about a connection in trouble, in a real browser."""

import pytest

from .books import assert_paid_once, wait_paid
from .browsing import DEVICES
from .client import open_session
from .connection import call_action, get_connection, wait_health
from .staff import Refused

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']


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
