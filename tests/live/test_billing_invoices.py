"""What billing staff do about the payment of an invoice, on its own form in a real browser."""

from .books import get_events
from .client import get, open_session, read_state
from .link import read_renewed_url
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']

INVOICES = 'account.action_move_out_invoice'


def test_remind_replace_and_revoke(site, connected, open_browser):
    """Catches a button that does nothing, or that ends the client's link without asking first."""
    invoice = site.staff.create_invoice()
    billing = _open(site, open_browser, invoice)
    billing.look('invoice_payment')
    _press(billing, 'Send Reminder')
    billing.dialog.get_by_text("Reminders that will be sent").wait_for()
    billing.answer('Send')
    billing.wait_for_dialogs_to_close()
    url = read_renewed_url(site, invoice)
    open_session(site.stripe, url)

    billing.page.reload()
    _open_page(billing)
    _press(billing, 'New Link')
    billing.answer('Ok')
    billing.read_notification("There is a new payment link")
    assert read_state(get(url)) == 'replaced'
    fresh = _read_url(site, invoice)
    assert fresh not in (url, invoice.url)

    billing.page.reload()
    _open_page(billing)
    _press(billing, 'Revoke Link')
    billing.answer('Ok')
    billing.read_notification("The payment link was revoked")
    assert read_state(get(fresh)) == 'revoked'
    assert not _read_url(site, invoice)


def test_let_the_client_pay_again(site, connected, open_browser):
    """Catches a client who has to wait for a debit although staff have decided otherwise."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.pay(session['id'], 'us_bank_account')
    wait_until(
        lambda: [e['state'] for e in get_events(site, session['id'])] == ['done'],
        "the debit is under way",
    )
    billing = _open(site, open_browser, invoice)
    _press(billing, 'Let the Client Pay Again')
    billing.answer('Ok')
    billing.read_notification("The client can pay this invoice again")
    assert open_session(site.stripe, invoice.url)['id'] != session['id']


def _open(site, open_browser, invoice):
    """Let the billing admin open the page of an invoice that tells of its online payment."""
    billing = open_browser('billing')
    billing.page.goto(f'{site.url}/odoo/action-{INVOICES}/{invoice.id}')
    _open_page(billing)
    return billing


def _open_page(billing):
    billing.page.get_by_role('tab', name='Online Payment').click()


def _press(billing, label):
    billing.page.locator('.o_form_view').get_by_role('button', name=label, exact=True).click()


def _read_url(site, invoice):
    """Return the invoice's payment link as staff read it."""
    fields = ['stripe_checkout_url']
    return site.staff.call('account.move', 'read', [invoice.id], fields)[0]['stripe_checkout_url']
