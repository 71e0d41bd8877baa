"""Removing the addon for good, as an administrator does under Apps."""

import pytest

from .connection import call_action, ensure_connected, get_connection, get_endpoints
from .staff import Refused, Staff

pytest_plugins = [f'{__package__}.fixtures']

ADDON = 'payment_stripe_checkout'


def test_uninstall_and_install_again(site):
    """Catches what stays at Stripe, and what keeps the addon from going and coming back."""
    ensure_connected(site)
    site.ensure(max_cron_threads=0)  # Odoo refuses while a scheduled action runs.
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


def test_installed_without_a_warning(site):
    """Catches views and labels that Odoo finds fault with, at each installation and update."""
    site.ensure(max_cron_threads=0)  # Odoo refuses while a scheduled action runs.
    log = site.server.log_path
    admin = Staff(site.url, site.database)
    (module_id,) = admin.call('ir.module.module', 'search', [('name', '=', ADDON)])
    begun = log.stat().st_size
    admin.call('ir.module.module', 'button_immediate_upgrade', [module_id])
    with log.open(errors='replace') as lines:
        lines.seek(begun)
        told = [line for line in lines if ' WARNING ' in line and 'odoo.addons.base' in line]
    assert not told
