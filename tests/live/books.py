"""What the books say, read from the rows of the journal entries."""

from .waiting import wait_until


def get_invoice(site, invoice):
    """Return state, payment state and residual of an invoice."""
    (row,) = site.query(
        "SELECT state, payment_state, amount_residual::float FROM account_move WHERE id = %s",
        invoice.id,
    )
    return row


def get_payments(site, invoice):
    """Return all payments of the invoice's client, whatever they were matched with."""
    return site.query(
        """
          SELECT id, state, amount::float, move_id, journal_id,
                 stripe_checkout_session_id AS session_id,
                 stripe_checkout_payment_intent AS payment_intent
            FROM account_payment
           WHERE partner_id = %s
        ORDER BY id
        """,
        invoice.partner_id,
    )


def get_events(site, session_id):
    """Return the stored events about a Checkout Session."""
    return site.query(
        """
          SELECT id, event_id, type, state, attempts, error, under_way,
                 next_attempt_at > now() AT TIME ZONE 'UTC' AS is_later
            FROM stripe_event
           WHERE payload ->> 'id' = %s
        ORDER BY id
        """,
        session_id,
    )


def get_transactions(site, invoice):
    """Return the transactions that ask for an invoice."""
    return site.query(
        """
          SELECT tx.id, tx.reference, tx.state, tx.stripe_checkout_session_id AS session_id
            FROM payment_transaction tx
            JOIN account_invoice_transaction_rel rel ON rel.transaction_id = tx.id
           WHERE rel.invoice_id = %s
        ORDER BY tx.id
        """,
        invoice.id,
    )


def wait_paid(site, invoice):
    """Wait until an invoice is paid."""
    wait_until(
        lambda: get_invoice(site, invoice)['payment_state'] in ('paid', 'in_payment'),
        lambda: f'{get_invoice(site, invoice)}, events {_describe_events(site)}',
    )


def wait_queue_empty(site):
    """Wait until no event is left to process, or fails to be."""
    wait_until(
        lambda: (
            not site.query(
                "SELECT 1 FROM stripe_event WHERE state = 'pending' OR under_way LIMIT 1"
            )
        ),
        lambda: f'events {_describe_events(site)}',
    )


def _describe_events(site):
    return site.query(
        """
        SELECT event_id, type, state, attempts, under_way, error
          FROM stripe_event
         WHERE state IN ('pending', 'failed')
        """
    )


def assert_unpaid(site, invoice):
    """Check that nothing was booked for an invoice."""
    assert get_invoice(site, invoice) == {
        'state': 'posted',
        'payment_state': 'not_paid',
        'amount_residual': invoice.amount,
    }
    assert get_payments(site, invoice) == []


def assert_paid_once(site, invoice, session_id):
    """Check that one payment, and no more, settles an invoice in full.

    :param Site site: The company.
    :param Invoice invoice: The invoice.
    :param str session_id: The Checkout Session that was paid.
    :return: The payment.
    :rtype: dict
    """
    (payment,) = get_payments(site, invoice)
    assert payment['session_id'] == session_id
    assert payment['payment_intent'] == site.stripe.session(session_id)['payment_intent']
    assert payment['amount'] == invoice.amount
    assert payment['state'] in ('in_process', 'paid')
    (clearing,) = site.query(
        """
        SELECT journal.id AS journal_id, journal.default_account_id AS account_id
          FROM account_journal journal
         WHERE journal.stripe_checkout_mode = 'test'
        """
    )
    assert payment['journal_id'] == clearing['journal_id']
    assert _get_lines(site, payment['move_id']) == [
        ('posted', 'asset_receivable', -invoice.amount, 0.0, True),
        ('posted', clearing['account_id'], invoice.amount, invoice.amount, False),
    ]
    (due,) = [line for line in _get_lines(site, invoice.id) if line[1] == 'asset_receivable']
    assert due == ('posted', 'asset_receivable', invoice.amount, 0.0, True)
    assert _get_matches(site, invoice) == [(payment['move_id'], invoice.amount)]
    assert get_invoice(site, invoice)['payment_state'] in ('paid', 'in_payment')
    return payment


def _get_lines(site, move_id):
    """Return state, account (receivables by their type), amount, residual, whether reconciled."""
    rows = site.query(
        """
          SELECT line.parent_state AS state, account.id AS account_id, account.account_type,
                 line.amount_currency::float AS amount, line.amount_residual::float AS residual,
                 line.reconciled
            FROM account_move_line line
            JOIN account_account account ON account.id = line.account_id
           WHERE line.move_id = %s
        ORDER BY line.amount_currency
        """,
        move_id,
    )
    return [
        (
            row['state'],
            row['account_type'] if row['account_type'] == 'asset_receivable' else row['account_id'],
            row['amount'],
            row['residual'],
            row['reconciled'],
        )
        for row in rows
    ]


def _get_matches(site, invoice):
    """Return the entries and amounts that an invoice is reconciled with."""
    rows = site.query(
        """
        SELECT credit.move_id, partial.amount::float
          FROM account_partial_reconcile partial
          JOIN account_move_line due ON due.id = partial.debit_move_id
          JOIN account_move_line credit ON credit.id = partial.credit_move_id
         WHERE due.move_id = %s
        """,
        invoice.id,
    )
    return [(row['move_id'], row['amount']) for row in rows]
