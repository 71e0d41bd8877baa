"""Facts about Stripe that the addon relies on; each names the Stripe rule it follows."""

PROVIDER_CODE = 'stripe_checkout'

# The version the pinned SDK speaks. It is registered with the webhook endpoint too, because Stripe
# renders events in the endpoint's version and that version cannot be changed afterwards.
API_VERSION = '2026-10-28.endive'

# https://docs.stripe.com/currencies#zero-decimal
ZERO_DECIMAL_CURRENCIES = frozenset({
    'BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'VND', 'VUV', 'XAF',
    'XOF', 'XPF',
})  # fmt: skip

# https://docs.stripe.com/currencies#three-decimal: sent in thousandths, the last digit must be 0.
THREE_DECIMAL_CURRENCIES = frozenset({'BHD', 'JOD', 'KWD', 'OMR', 'TND'})

# https://docs.stripe.com/currencies#special-cases: sent in hundredths, whole units only.
WHOLE_UNIT_CURRENCIES = frozenset({'ISK', 'UGX'})

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, in minor units. Stripe
# judges by the settlement currency, so a currency that is not listed is left to Stripe to judge.
MINIMUM_CHARGE = {
    'AED': 200, 'AUD': 50, 'BGN': 100, 'BRL': 50, 'CAD': 50, 'CHF': 50, 'CZK': 1500, 'DKK': 250,
    'EUR': 50, 'GBP': 30, 'HKD': 400, 'HUF': 17500, 'INR': 50, 'JPY': 50, 'MXN': 1000, 'MYR': 200,
    'NOK': 300, 'NZD': 50, 'PLN': 200, 'RON': 200, 'SEK': 300, 'SGD': 50, 'THB': 1000, 'USD': 50,
}  # fmt: skip

# The largest amount that every payment method takes, in minor units.
MAXIMUM_CHARGE = 99_999_999

# A Checkout Session has 100 lines at most, and a value of its metadata 500 characters.
MAXIMUM_LINES = 100
MAXIMUM_METADATA_LENGTH = 500

# A Checkout Session lives 30 minutes to 24 hours from Stripe's clock; the margins allow for the
# difference between that clock and ours.
SESSION_MINIMUM_MINUTES = 31
SESSION_MAXIMUM_MINUTES = 24 * 60 - 5

# The lifetime of a payment link, in hours.
LINK_MINIMUM_HOURS = 1
LINK_MAXIMUM_HOURS = 720

KEY_PREFIXES = {
    'secret': ('sk_test_', 'sk_live_', 'rk_test_', 'rk_live_'),
    'publishable': ('pk_test_', 'pk_live_'),
}

# Names of what we write into Stripe's metadata (40 characters at most), to know our own again.
METADATA_PREFIX = 'odoo_'
METADATA_DATABASE = 'odoo_database'
METADATA_PROVIDER = 'odoo_provider'
METADATA_TRANSACTION = 'odoo_transaction'
METADATA_INVOICES = 'odoo_invoices'
METADATA_PROBE = 'odoo_probe'

# Stripe's event types and the methods of `stripe.event` that handle them. The webhook endpoint is
# registered for exactly these.
HANDLED_EVENTS = {
    'checkout.session.completed': '_handle_session',
    'checkout.session.async_payment_succeeded': '_handle_session',
    'checkout.session.async_payment_failed': '_handle_session',
    'checkout.session.expired': '_handle_session',
    'payment_intent.payment_failed': '_handle_payment_attempt_declined',
    'refund.created': '_handle_refund',
    'refund.updated': '_handle_refund',
    'refund.failed': '_handle_refund',
    'charge.dispute.created': '_handle_dispute',
    'charge.dispute.updated': '_handle_dispute',
    'charge.dispute.funds_withdrawn': '_handle_dispute',
    'charge.dispute.funds_reinstated': '_handle_dispute',
    'charge.dispute.closed': '_handle_dispute',
    'charge.updated': '_handle_charge',
    'payout.paid': '_handle_payout',
    'payout.failed': '_handle_payout',
    'payout.canceled': '_handle_payout',
    'payout.reconciliation_completed': '_handle_payout',
}

# The languages that Checkout speaks, see `locale` in the SDK's SessionCreateParams.
CHECKOUT_LOCALES = frozenset({
    'bg', 'cs', 'da', 'de', 'el', 'en', 'en-GB', 'es', 'es-419', 'et', 'fi', 'fil', 'fr', 'fr-CA',
    'hr', 'hu', 'id', 'it', 'ja', 'ko', 'lt', 'lv', 'ms', 'mt', 'nb', 'nl', 'pl', 'pt', 'pt-BR',
    'ro', 'ru', 'sk', 'sl', 'sv', 'th', 'tr', 'vi', 'zh', 'zh-HK', 'zh-TW',
})  # fmt: skip

# Where Odoo's code of a language is none of Stripe's.
CHECKOUT_LOCALE_ALIASES = {
    'es-AR': 'es-419', 'es-BO': 'es-419', 'es-CL': 'es-419', 'es-CO': 'es-419',
    'es-CR': 'es-419', 'es-DO': 'es-419', 'es-EC': 'es-419', 'es-GT': 'es-419', 'es-MX': 'es-419',
    'es-PA': 'es-419', 'es-PE': 'es-419', 'es-PY': 'es-419', 'es-UY': 'es-419', 'es-VE': 'es-419',
    'en-AU': 'en-GB', 'en-IN': 'en-GB', 'en-NZ': 'en-GB', 'no': 'nb', 'tl': 'fil',
}  # fmt: skip

# What Odoo tells itself, through the same queue: type and handler.
INTERNAL_EVENTS = {
    'odoo.invoice.changed': '_handle_invoice_changed',
    'odoo.webhook.delivered': '_handle_webhook_delivered',
}
