"""Removing the addon for good, as an administrator does under Apps."""

import pytest

from .connection import call_action, ensure_connected, get_connection, get_endpoints
from .staff import Refused, Staff

pytest_plugins = [f'{__package__}.fixtures']

ADDON = 'payment_stripe_checkout'


def test_uninstall_and_install_again(site):
    """Catches what stays at Stripe, and what keeps the addon from going and coming back."""
    ensure_connected(site)
    admin = Staff(site.url, site.database)
    (module_id,) = admin.call('ir.module.module', 'search', [('name', '=', ADDON)])
    with pytest.raises(Refused, match="Disconnect Stripe"):
        admin.call('ir.module.module', 'button_immediate_uninstall', [module_id])
    assert get_connection(site)['endpoint_id'] in get_endpoints(site.stripe.account)
    call_action(site, 'action_stripe_checkout_disconnect')
    assert not get_endpoints(site.stripe.account)
    admin.call('ir.module.module', 'button_immediate_uninstall', [module_id])
    assert not site.query("SELECT FROM payment_provider WHERE code = 'stripe_checkout'")
    (left,) = site.query("SELECT to_regclass('stripe_event') AS table")
    assert not left['table']
    admin.call('ir.module.module', 'button_immediate_install', [module_id])
    assert site.query("SELECT FROM payment_provider WHERE code = 'stripe_checkout'")
