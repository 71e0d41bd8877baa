"""Lengths and counts that Stripe allows and the SDK's types do not say.

Source: ``maxLength`` and the descriptions in Stripe's public OpenAPI document.
"""

LONGEST_TEXT = 5000

METADATA_KEYS = 50
METADATA_KEY = 40
METADATA_VALUE = 500

TEXTS = {
    "checkout.SessionCreateParams": {
        "client_reference_id": 200,
        "custom_fields.dropdown.default_value": 100,
        "custom_fields.dropdown.options.label": 100,
        "custom_fields.dropdown.options.value": 100,
        "custom_fields.key": 200,
        "custom_fields.label.custom": 50,
        "custom_fields.numeric.default_value": 255,
        "custom_fields.text.default_value": 255,
        "custom_text.after_submit.message": 1200,
        "custom_text.shipping_address.message": 1200,
        "custom_text.submit.message": 1200,
        "custom_text.terms_of_service_acceptance.message": 1200,
        "integration_identifier": 200,
        "invoice_creation.invoice_data.custom_fields.name": 40,
        "invoice_creation.invoice_data.custom_fields.value": 140,
        "invoice_creation.invoice_data.description": 1500,
        "line_items.price_data.product_data.description": 40000,
        "line_items.price_data.product_data.unit_label": 12,
        "payment_intent_data.description": 1000,
        "payment_intent_data.statement_descriptor": 22,
        "payment_intent_data.statement_descriptor_suffix": 22,
        "payment_method_configuration": 100,
        "payment_method_options.acss_debit.mandate_options.interval_description": 500,
        "payment_method_options.bacs_debit.mandate_options.reference_prefix": 12,
        "payment_method_options.card.statement_descriptor_suffix_kana": 22,
        "payment_method_options.card.statement_descriptor_suffix_kanji": 17,
        "payment_method_options.sepa_debit.mandate_options.reference_prefix": 12,
        "setup_intent_data.description": 1000,
        "shipping_options.shipping_rate_data.display_name": 100,
        "subscription_data.description": 500,
    },
    "CustomerCreateParams": {
        "business_name": 150,
        "email": 512,
        "individual_name": 150,
        "invoice_settings.custom_fields.name": 40,
        "invoice_settings.custom_fields.value": 140,
        "name": 256,
        "phone": 20,
    },
    "DisputeUpdateParams": {
        "evidence.access_activity_log": 20000,
        "evidence.cancellation_policy_disclosure": 20000,
        "evidence.cancellation_rebuttal": 20000,
        "evidence.duplicate_charge_explanation": 20000,
        "evidence.product_description": 20000,
        "evidence.refund_policy_disclosure": 20000,
        "evidence.refund_refusal_explanation": 20000,
        "evidence.uncategorized_text": 20000,
    },
    "PayoutCreateParams": {"statement_descriptor": 22},
}

COUNTS = {
    "checkout.SessionCreateParams": {
        "custom_fields": 3,
        "line_items": 100,
        "line_items.price_data.product_data.images": 8,
        "optional_items": 10,
        "shipping_options": 5,
    },
    "EventListParams": {"types": 20},
    "CustomerCreateParams": {"invoice_settings.custom_fields": 4},
}


def longest_text(params_name, path):
    """Return how many characters the text parameter at ``path`` may have.

    :param params_name: the SDK's name of the call's parameters.
    :param path: dotted, without list indexes.
    """
    return TEXTS.get(params_name, {}).get(path, LONGEST_TEXT)


def most_items(params_name, path):
    """Return how many entries the list parameter at ``path`` may have, None for any number."""
    return COUNTS.get(params_name, {}).get(path)
