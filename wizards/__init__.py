from . import (
    account_payment_register,
    payment_refund_wizard,
    res_config_settings,
    stripe_checkout_connect,
    stripe_checkout_disconnect,
    stripe_checkout_remind,
    stripe_checkout_reverse_tests,
)
