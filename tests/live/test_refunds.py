"""Staff press Refund while Stripe's webhook tells of that refund: it is made and booked once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from .books import wait_paid, wait_queue_empty
from .client import open_session
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures']

REFUNDS = '/v1/refunds'


@pytest.mark.parametrize('status', ['succeeded', 'requires_action'])
def test_webhook_is_faster_than_the_answer(site, status):
    """Catches a press of Refund that refunds twice, or that is refused although it has refunded."""
    payment = pay(site)
    site.stripe.account.refund_status = status
    try:
        site.stripe.faults.next(1, 'slow', path=REFUNDS, method='POST', seconds=3)
        refund(site, payment, 30)
    finally:
        site.stripe.account.refund_status = None
    wait_queue_empty(site)
    assert_refunded_once(site, payment, is_booked=status == 'succeeded')


def test_both_at_once(site):
    """Catches an event that fails because staff's own press was faster, or the other way round."""
    payment = pay(site)
    with ThreadPoolExecutor() as pool:
        with site.hold_rows(
            # Others may refer to it: the press waits once Stripe has answered, not before it asks.
            "SELECT id FROM payment_transaction WHERE id = %s FOR NO KEY UPDATE",
            payment['transaction_id'],
        ):
            pressed = pool.submit(refund, site, payment, 30)
            # Staff's request and a worker of the queue.
            wait_until(lambda: site.count_waiting() >= 2, lambda: f'{site.count_waiting()} waiting')
        pressed.result()
    wait_queue_empty(site)
    assert_refunded_once(site, payment)


def pay(site):
    """Return the booked payment of an invoice of 100."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    wait_queue_empty(site)
    (payment,) = site.query(
        """
        SELECT id, payment_transaction_id AS transaction_id,
               stripe_checkout_payment_intent AS intent
          FROM account_payment
         WHERE stripe_checkout_session_id = %s
        """,
        session['id'],
    )
    return payment


def refund(site, payment, amount):
    """Press Refund on a payment, as the web client does."""
    context = {
        'active_model': 'account.payment', 'active_id': payment['id'],
        'active_ids': [payment['id']],
    }  # fmt: skip
    wizard_id = site.staff.call(
        'payment.refund.wizard', 'create', {'amount_to_refund': amount}, context=context
    )
    site.staff.call('payment.refund.wizard', 'action_refund', [wizard_id])


def assert_refunded_once(site, payment, is_booked=True):
    """Check that 30 were refunded, once at Stripe and once in the books, without an error."""
    assert [
        refund['amount']
        for refund in site.stripe.account.store.newest_first('refund')
        if refund['payment_intent'] == payment['intent']
    ] == [3000]
    transactions = site.query(
        """
        SELECT id, state, payment_id IS NOT NULL AS is_booked
          FROM payment_transaction
         WHERE source_transaction_id = %s AND operation = 'refund'
        """,
        payment['transaction_id'],
    )
    assert [(tx['state'], tx['is_booked']) for tx in transactions] == [
        ('done' if is_booked else 'pending', is_booked)
    ]
    events = site.query(
        """
        SELECT type, state, attempts, error
          FROM stripe_event
         WHERE transaction_id = %s AND type LIKE 'refund.%%'
        """,
        payment['transaction_id'],
    )
    assert events
    assert {(event['state'], event['attempts'], event['error']) for event in events} == {
        ('done', 1, None)
    }
