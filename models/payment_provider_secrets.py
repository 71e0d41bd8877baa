"""The secrets of a connection: readable by nobody, and written by the connect wizard alone."""

from odoo import fields, models
from odoo.fields import NO_ACCESS

SECRET_FIELDS = (
    'stripe_checkout_secret_key',
    'stripe_checkout_publishable_key',
    'stripe_checkout_webhook_secret',
    'stripe_checkout_previous_webhook_secret',
)


def _secret(string, **kwargs):
    return fields.Char(
        string=string,
        compute='_compute_stripe_checkout_secrets',
        inverse='_inverse_stripe_checkout_secrets',
        groups=NO_ACCESS,
        copy=False,
        **kwargs,
    )


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_secret_key = _secret("Stripe Secret Key")
    stripe_checkout_publishable_key = _secret("Stripe Publishable Key")
    stripe_checkout_webhook_secret = _secret("Stripe Checkout Signing Secret")
    stripe_checkout_previous_webhook_secret = _secret(
        "Former Stripe Checkout Signing Secret",
        help="Accepted beside the current one, so that events signed before a change still count.",
    )

    def _compute_stripe_checkout_secrets(self):
        secrets = self.env['stripe.checkout.secret']._read_all(self)
        for provider in self:
            for name in SECRET_FIELDS:
                provider[name] = secrets.get((provider.id, name), False)

    def _inverse_stripe_checkout_secrets(self):
        Secret = self.env['stripe.checkout.secret']
        stored = Secret._read_all(self)
        for provider in self:
            for name in SECRET_FIELDS:
                if (provider[name] or None) != stored.get((provider.id, name)):
                    Secret._keep(provider, name, provider[name])
