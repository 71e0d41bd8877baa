"""What happens once, when the addon is installed or removed."""

from odoo.addons.payment import reset_payment_provider, setup_provider

from .const import PROVIDER_CODE


def post_init_hook(env):
    """Set the provider up, and give the invoices that are open already their payment links."""
    setup_provider(env, PROVIDER_CODE)
    open_invoices = env['account.move'].search([
        ('move_type', '=', 'out_invoice'),
        ('state', '=', 'posted'),
        ('payment_state', 'in', ('not_paid', 'partial')),
    ])
    env['stripe.payment.link']._create_for_each(open_invoices)


def uninstall_hook(env):
    """Release the provider record, which belongs to `payment`."""
    reset_payment_provider(env, PROVIDER_CODE)
