"""What Stripe's balance transactions say, read once from Stripe's objects. No database here."""

from . import utils

# What a movement is to the books, by Stripe's type and, where types are too coarse, by its
# reporting category: https://docs.stripe.com/reports/balance-transaction-types
_KINDS_BY_TYPE = {
    'charge': 'capture',
    'payment': 'capture',
    'refund': 'refund',
    'payment_refund': 'refund',
    'refund_failure': 'refund_failure',
    'payment_failure_refund': 'dispute',
    'payment_reversal': 'dispute',
    'payout': 'payout',
    'payout_cancel': 'payout',
    'payout_failure': 'payout',
    'stripe_fee': 'fee',
    'stripe_fx_fee': 'fee',
    'tax_fee': 'fee',
}
_KINDS_BY_CATEGORY = {
    'dispute': 'dispute',
    'dispute_reversal': 'dispute',
    'charge_failure': 'dispute',
    'fee': 'fee',
    'network_cost': 'fee',
    'payout': 'payout',
    'payout_reversal': 'payout',
}


def get_kind(transaction):
    """Return what a balance transaction is to the books.

    :param dict transaction: Stripe's balance transaction.
    :return: `capture`, `refund`, `refund_failure`, `dispute`, `payout`, `fee` or `other`.
    :rtype: str
    """
    by_type = _KINDS_BY_TYPE.get(transaction['type'])
    return by_type or _KINDS_BY_CATEGORY.get(transaction.get('reporting_category'), 'other')


def read_transaction(transaction):
    """Read a balance transaction whose source is expanded.

    :param dict transaction: Stripe's balance transaction.
    :return: Values of a `stripe.balance.transaction`, its amounts in major units; currencies by
             their ISO 4217 codes.
    :rtype: dict
    """
    currency_name = transaction['currency'].upper()
    source = transaction.get('source')
    expanded = source if isinstance(source, dict) else {}
    values = {
        'stripe_id': transaction['id'],
        'type': transaction['type'],
        'reporting_category': transaction.get('reporting_category') or '',
        'kind': get_kind(transaction),
        'description': transaction.get('description') or '',
        'currency_name': currency_name,
        'amount': utils.to_major_units(transaction['amount'], currency_name),
        'fee': utils.to_major_units(transaction['fee'], currency_name),
        'net': utils.to_major_units(transaction['net'], currency_name),
        'exchange_rate': transaction.get('exchange_rate') or 0.0,
        'created_at': utils.to_datetime(transaction['created']),
        'available_on': utils.to_datetime(transaction['available_on']),
        'source_id': expanded.get('id') or source or '',
        **_read_source(expanded),
    }
    if values['kind'] == 'payout':
        values.update(read_payout(expanded) if expanded.get('object') == 'payout' else {})
    return values


def _read_source(source):
    """Read of what caused a movement which payment it is of, and how much that was."""
    values = {
        'payment_intent': _get_id(source.get('payment_intent')),
        'charge_id': _get_id(source.get('charge')),
    }
    if source.get('object') == 'charge':
        values['charge_id'] = source['id']
        values['method'] = (source.get('payment_method_details') or {}).get('type') or ''
    if source.get('object') in ('charge', 'refund', 'dispute') and source.get('currency'):
        values['source_currency_name'] = source['currency'].upper()
        values['source_amount'] = utils.to_major_units(
            source['amount'], values['source_currency_name']
        )
    return values


def read_payout(payout):
    """Read how a payout stands.

    :param dict payout: Stripe's payout.
    :return: Values of the payout's `stripe.balance.transaction`.
    :rtype: dict
    """
    return {
        'payout_status': payout.get('status') or '',
        'payout_automatic': bool(payout.get('automatic')),
        'payout_reconciled': payout.get('reconciliation_status') == 'completed',
        'arrival_date': utils.to_datetime(payout['arrival_date']).date()
        if payout.get('arrival_date')
        else False,
        'payout_failure': payout.get('failure_message') or '',
    }


def read_totals(balance):
    """Read what is on a balance, available or still pending.

    :param dict balance: Stripe's balance.
    :return: The amounts in major units, by ISO 4217 code.
    :rtype: dict[str, float]
    """
    minor = {}
    for part in (*balance.get('available', ()), *balance.get('pending', ())):
        name = part['currency'].upper()
        minor[name] = minor.get(name, 0) + part['amount']
    return {name: utils.to_major_units(amount, name) for name, amount in minor.items()}


def _get_id(reference):
    return (reference.get('id') if isinstance(reference, dict) else reference) or ''
