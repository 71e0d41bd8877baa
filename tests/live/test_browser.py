"""What clients see and do, in a real browser."""

from .books import assert_paid_once, assert_unpaid, get_invoice, wait_paid
from .browsing import DEVICES
from .client import get_sessions

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']

GOOD_CARD = '4242 4242 4242 4242'
EMPTY_CARD = '4000 0000 0000 9995'  # It has insufficient funds.


@DEVICES
def test_stranger_pays_by_card(site, visitor, device, request):
    """Catches a road from the link to the thanks that does not work for who only has the link."""
    name = request.node.callspec.id
    invoice = site.staff.create_invoice(1234.5)
    _open_checkout(site, visitor, invoice)
    visitor.look(f'checkout_{name}')
    _type_card(visitor, GOOD_CARD)
    visitor.page.locator('#pay').click()
    visitor.wait_for(f'{invoice.url}/done')
    visitor.look(f'done_{name}')
    assert visitor.state == 'done'
    assert _read_received(visitor) == '$ 1,234.50'
    session = _get_session(site, invoice)
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])
    visitor.page.goto(invoice.url)
    visitor.look(f'paid_{name}')
    assert visitor.state == 'paid'


def test_stranger_pays_by_keyboard(site, visitor):
    """Catches a control that only a mouse can reach: cancels first, comes back, pays."""
    invoice = site.staff.create_invoice()
    _open_checkout(site, visitor, invoice)
    visitor.tab_to('#cancel')
    visitor.page.keyboard.press('Enter')
    visitor.wait_for(f'{invoice.url}/cancelled')
    visitor.tab_to('[name=o_stripe_checkout_again]')
    visitor.look('keyboard_focus')
    visitor.page.keyboard.press('Enter')
    visitor.wait_for(site.stripe.url)
    visitor.tab_to('#card_number')
    visitor.page.keyboard.press('Control+A')
    visitor.page.keyboard.type(GOOD_CARD)
    visitor.tab_to('#pay')
    visitor.page.keyboard.press('Enter')
    visitor.wait_for(f'{invoice.url}/done')
    assert visitor.state == 'done'
    session = _get_session(site, invoice)
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])


def test_declined_card_then_a_good_one(site, visitor):
    """Catches a declined attempt that ends the session, or is taken for the payment."""
    invoice = site.staff.create_invoice()
    _open_checkout(site, visitor, invoice)
    _type_card(visitor, EMPTY_CARD)
    visitor.page.locator('#pay').click()
    visitor.page.locator('#error').wait_for()
    visitor.look('declined')
    assert site.stripe.wait_idle()
    assert_unpaid(site, invoice)
    _type_card(visitor, GOOD_CARD)
    visitor.page.locator('#pay').click()
    visitor.wait_for(f'{invoice.url}/done')
    assert visitor.state == 'done'
    session = _get_session(site, invoice)
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])


@DEVICES
def test_bank_debit(site, visitor, device, request):
    """Catches a debit that is thanked for or booked before the bank has paid."""
    name = request.node.callspec.id
    invoice = site.staff.create_invoice()
    _open_checkout(site, visitor, invoice)
    visitor.page.locator('#method-us_bank_account').check()
    visitor.page.locator('#pay').click()
    visitor.wait_for(f'{invoice.url}/done')
    visitor.look(f'debit_{name}')
    assert visitor.state == 'pending'
    assert 'on its way' in visitor.page.locator('#o_stripe_checkout_page').inner_text()
    assert_unpaid(site, invoice)
    done_url = visitor.page.url
    visitor.page.goto(invoice.url)
    visitor.look(f'processing_{name}')
    assert visitor.state == 'processing'
    session = _get_session(site, invoice)
    site.stripe.settle_debit(session['id'])
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])
    visitor.page.goto(done_url)
    assert visitor.state == 'done'
    assert _read_received(visitor) == '$ 100.00'


@DEVICES
def test_cancel_and_come_back(site, visitor, device, request):
    """Catches a cancelled visit that charges, closes the session, or leads into a dead end."""
    name = request.node.callspec.id
    invoice = site.staff.create_invoice()
    _open_checkout(site, visitor, invoice)
    checkout_url = visitor.page.url
    visitor.page.locator('#cancel').click()
    visitor.wait_for(f'{invoice.url}/cancelled')
    visitor.look(f'cancelled_{name}')
    assert visitor.state == 'cancelled_at_stripe'
    assert invoice.name in visitor.page.locator('#o_stripe_checkout_page').inner_text()
    visitor.page.locator('[name=o_stripe_checkout_again]').click()
    visitor.wait_for(checkout_url)
    assert_unpaid(site, invoice)


@DEVICES
def test_portal_client_pays(site, visitor, device, request):
    """Catches a Pay button that is missing, needs more than one click, or stands beside Pay Now."""
    name = request.node.callspec.id
    listed, opened = _create_client_with_invoices(site, name)
    page = visitor.page
    visitor.log_in(f'client_{name}')
    page.goto(f'{site.url}/my/invoices')
    visitor.look(f'portal_list_{name}')
    assert page.locator('a[name=o_stripe_checkout_pay]:visible').count() == 2
    _assert_no_pay_now(page)
    row = page.locator('tr', has_text=listed.name)
    row.locator('a[name=o_stripe_checkout_pay]').click()
    visitor.wait_for(site.stripe.url)
    page.locator('#pay').click()
    visitor.wait_for(listed.url)
    visitor.look(f'portal_done_{name}')
    page.locator('[name=o_stripe_checkout_back]').click()
    visitor.wait_for(f'{site.url}/my/invoices/{listed.id}')
    visitor.look(f'portal_paid_{name}')
    assert page.locator('a[name=o_stripe_checkout_pay]').count() == 0
    _assert_no_pay_now(page)

    page.goto(f'{site.url}{opened.portal_url}')
    visitor.look(f'portal_invoice_{name}')
    _assert_no_pay_now(page)
    page.locator('a[name=o_stripe_checkout_pay]:visible').click()
    visitor.wait_for(site.stripe.url)
    assert get_invoice(site, opened)['payment_state'] == 'not_paid'
    # The address with which Odoo opens its own form: there is no other provider to choose.
    page.goto(f'{site.url}{opened.portal_url}&payment=True')
    _assert_no_pay_now(page)
    assert not page.locator('#pay_with').is_visible()


def _create_client_with_invoices(site, name):
    """Create two invoices of one client who can log in to the portal."""
    first, second = site.staff.create_invoices(2)
    site.administrator.create_user(
        f'client_{name}', 'base.group_portal', partner_id=first.partner_id
    )
    site.execute(
        "UPDATE account_move SET partner_id = %s, commercial_partner_id = %s WHERE id = %s",
        first.partner_id,
        first.partner_id,
        second.id,
    )
    return first, second


def _assert_no_pay_now(page):
    """Check that Odoo's own way to the form that picks a provider is not offered."""
    assert page.locator('[data-bs-target="#pay_with"]').count() == 0
    assert page.locator('a[href*="portal_pay"]').count() == 0
    assert page.get_by_text('Pay Now', exact=True).count() == 0


def _open_checkout(site, visitor, invoice):
    """Open the link as a mail program does, and arrive at Stripe."""
    visitor.page.goto(invoice.url)
    visitor.wait_for(site.stripe.url)


def _type_card(visitor, number):
    field = visitor.page.locator('#card_number')
    field.click()
    field.clear()
    field.press_sequentially(number)


def _read_received(visitor):
    text = visitor.page.locator('#o_stripe_checkout_received').inner_text()
    return text.replace('\N{NO-BREAK SPACE}', ' ')


def _get_session(site, invoice):
    """Return the one session at Stripe that asks for an invoice."""
    (session,) = get_sessions(site.stripe, invoice)
    return session
