"""What a billing admin finds in books and event log, and mends there, in a real browser."""

from .back_office import EVENTS
from .books import assert_paid_once, get_events, get_invoice, wait_paid
from .client import get_sessions, open_session
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']


def test_show_and_reverse(site, connected, open_browser):
    """Catches test payments that stay in the books after going live."""
    invoice = _pay(site)
    # Nobody has a live key of the stand-in: only the mode of the connection is changed here.
    write = ('payment.provider', 'write', [connected['id']])
    site.administrator.call(*write, {'state': 'enabled', 'stripe_checkout_mode': 'live'})
    try:
        billing = open_browser('billing')
        billing.open_settings()
        billing.sees("Entries of test mode that are still in the books")
        billing.page.get_by_role('button', name='Show and Reverse').click()
        billing.dialog.get_by_text(invoice.name).wait_for()
        (number,) = site.query(
            "SELECT name FROM account_payment WHERE partner_id = %s", invoice.partner_id
        )
        assert number['name'] in billing.dialog.inner_text()
        billing.look('reverse')
        billing.answer('Reverse All')
        billing.wait_for_dialogs_to_close()
        billing.page.locator('.o_list_view').get_by_text(invoice.name).wait_for()
        assert get_invoice(site, invoice)['payment_state'] == 'not_paid'
        assert get_invoice(site, invoice)['amount_residual'] == invoice.amount
        billing.open_settings()
        billing.misses("Entries of test mode that are still in the books")
    finally:
        site.administrator.call(*write, {'state': 'test', 'stripe_checkout_mode': 'test'})


def _pay(site):
    """Let a client pay an invoice by card, and wait until it is booked."""
    invoice = site.staff.create_invoice()
    site.stripe.pay(open_session(site.stripe, invoice.url)['id'])
    wait_paid(site, invoice)
    return invoice


def test_overdue_invoices(site, billing):
    """Catches a list of overdue invoices that is not the one that the checklist counts."""
    overdue = site.staff.create_invoice(
        invoice_date='2020-01-31', invoice_date_due='2020-01-31', invoice_payment_term_id=False
    )
    fresh = site.staff.create_invoice(invoice_date_due='2099-01-31', invoice_payment_term_id=False)
    billing.page.reload()
    billing.sees("to remind of")
    billing.page.get_by_role('button', name='Overdue Invoices').click()
    rows = billing.page.locator('.o_list_view .o_data_row')
    rows.filter(has_text=overdue.name).wait_for()
    assert rows.filter(has_text=fresh.name).count() == 0


def test_event_log_and_retry(site, connected, open_browser):
    """Catches an error that nobody sees, or a Retry that does nothing."""
    invoices = [_pay(site), _pay(site)]
    sessions = [get_sessions(site.stripe, invoice)[0]['id'] for invoice in invoices]
    failed = [get_events(site, session)[0]['id'] for session in sessions]
    billing = open_browser('billing')

    _let_fail(site, failed[:1])
    billing.open(EVENTS, 'list')
    row = _find_row(billing, invoices[0])
    row.get_by_text("The period is locked").wait_for()
    billing.look('events')
    row.locator('[name=type]').click()
    billing.sees("The period is locked")
    billing.look('event')
    billing.press('Retry')
    billing.read_notification("processed again now: 1")
    _wait_done(site, failed[:1])
    billing.page.get_by_role('button', name='Invoices').click()
    billing.page.locator('.o_breadcrumb', has_text=invoices[0].name).wait_for()

    _let_fail(site, failed)
    billing.open(EVENTS, 'list')
    rows = [_find_row(billing, invoice) for invoice in invoices]
    for row in rows:  # Odoo shows what it last knew at first: a selection in it would be lost.
        row.get_by_text("The period is locked").wait_for()
    for row in rows:
        row.locator('.o_list_record_selector').click()
    billing.page.locator('.o_control_panel').get_by_role('button', name='Retry').click()
    billing.read_notification("processed again now: 2")
    _wait_done(site, failed)
    for invoice, session in zip(invoices, sessions, strict=True):
        assert_paid_once(site, invoice, session)


def test_ignore(site, connected, open_browser):
    """Catches an event that staff give up and that is tried again, in the list or on the form."""
    invoices = [_pay(site), _pay(site)]
    events = [
        get_events(site, get_sessions(site.stripe, invoice)[0]['id'])[0]['id']
        for invoice in invoices
    ]
    _let_fail(site, events)
    billing = open_browser('billing')
    billing.open(EVENTS, 'list')
    rows = [_find_row(billing, invoice) for invoice in invoices]
    for row in rows:
        row.get_by_text("The period is locked").wait_for()
    rows[0].locator('.o_list_record_selector').click()
    billing.page.locator('.o_control_panel').get_by_role('button', name='Ignore').click()
    billing.answer('Ok')
    billing.read_notification("ignored from now on: 1")
    assert _get_states(site, events) == ['ignored', 'failed']
    billing.open(EVENTS, 'list')
    rows[1].locator('[name=type]').click()
    billing.press('Ignore')
    billing.answer('Ok')
    billing.read_notification("ignored from now on: 1")
    assert _get_states(site, events) == ['ignored', 'ignored']
    billing.page.get_by_role('button', name='Ignore', exact=True).wait_for(state='hidden')


def _get_states(site, event_ids):
    rows = site.query("SELECT id, state FROM stripe_event WHERE id = ANY(%s)", event_ids)
    states = {row['id']: row['state'] for row in rows}
    return [states[event_id] for event_id in event_ids]


def _find_row(billing, invoice):
    """Return the row of the event that told of the payment of an invoice."""
    rows = billing.page.locator('.o_data_row', has_text=invoice.name)
    return rows.filter(has_text='checkout.session.completed')


def _let_fail(site, event_ids):
    site.execute(
        """
        UPDATE stripe_event
           SET state = 'failed', error = 'The period is locked.', attempts = 3,
               next_attempt_at = now() AT TIME ZONE 'UTC' + interval '1 hour'
         WHERE id = ANY(%s)
        """,
        event_ids,
    )


def _wait_done(site, event_ids):
    wait_until(
        lambda: (
            not site.query(
                "SELECT 1 FROM stripe_event WHERE id = ANY(%s) AND (state != 'done' OR error > '')",
                event_ids,
            )
        ),
        "the events are processed",
    )
