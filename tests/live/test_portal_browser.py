"""What a client who is logged in sees and does, in a real browser."""

from .books import get_invoice, wait_paid
from .browsing import DEVICES
from .client import get_sessions

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']


@DEVICES
def test_several_invoices_from_the_list(site, visitor, device, request):
    """Catches ticks that do not reach Stripe in one click, and a dead end afterwards."""
    first, second, third = create_client(site, visitor, request)
    page = visitor.page
    page.goto(f'{site.url}/my/invoices')
    for invoice in (first, second):
        page.get_by_label(f'Choose invoice {invoice.name}').check()
    look(visitor, request, 'ticked')
    page.locator('button[name=o_stripe_checkout_pay_ticked]').click()
    visitor.wait_for(site.stripe.url)
    look(visitor, request, 'checkout')
    page.locator('#pay').click()
    visitor.wait_for(f'{site.url}/pay/')
    look(visitor, request, 'done')
    assert visitor.state == 'done'
    text = read_text(page.locator('#o_stripe_checkout_page'))
    assert '$ 200.00' in text
    assert first.name in text and second.name in text
    page.locator('[name=o_stripe_checkout_back]').click()
    visitor.wait_for(f'{site.url}/my/billing')
    look(visitor, request, 'billing_after')
    for invoice in (first, second):
        wait_paid(site, invoice)
    assert get_invoice(site, third)['payment_state'] == 'not_paid'
    (session,) = get_sessions(site.stripe, first, second)
    assert session['amount_total'] == 20000
    page.goto(f'{site.url}/my/invoices')
    look(visitor, request, 'paid')
    assert page.locator('[data-state=paid]:visible').count() == 2
    assert page.locator('a[name=o_stripe_checkout_pay]:visible').count() == 1


@DEVICES
def test_overview(site, visitor, device, request):
    """Catches an overview that cannot be found, or does not lead to Stripe in one click."""
    invoices = create_client(site, visitor, request)
    page = visitor.page
    page.goto(f'{site.url}/my')
    page.locator('a[href="/my/billing"]').wait_for()
    look(visitor, request, 'home')
    page.locator('a[href="/my/billing"]').click()
    visitor.wait_for(f'{site.url}/my/billing')
    look(visitor, request, 'overview')
    assert '$ 300.00' in read_text(page.locator('[name=owed]'))
    page.locator('form[name=o_stripe_checkout_pay_group] button').first.click()
    visitor.wait_for(site.stripe.url)
    (session,) = get_sessions(site.stripe, *invoices)
    assert session['amount_total'] == 30000


def test_list_by_keyboard(site, visitor, request):
    """Catches a tick or a button that only a mouse can reach."""
    first, second, _third = create_client(site, visitor, request)
    page = visitor.page
    page.goto(f'{site.url}/my/invoices')
    for invoice in sorted((first, second), key=lambda invoice: invoice.id, reverse=True):
        visitor.tab_to(f'[name=invoice_ids][value="{invoice.id}"]')
        page.keyboard.press('Space')
    look(visitor, request, 'keyboard')
    page.keyboard.press('Enter')  # Sends the form that the tick belongs to.
    visitor.wait_for(site.stripe.url)
    (session,) = get_sessions(site.stripe, first, second)
    assert session['amount_total'] == 20000


@DEVICES
def test_amount_of_their_own(site, visitor, device, request):
    """Catches a choice that cannot be made, or a part that is booked as the whole."""
    invoice, _second, _third = create_client(site, visitor, request)
    provider_ids = site.administrator.call(
        'payment.provider', 'search', [('code', '=', 'stripe_checkout'), ('state', '=', 'test')]
    )
    site.administrator.call(
        'payment.provider', 'write', provider_ids, {'stripe_checkout_allow_partial': True}
    )
    page = visitor.page
    page.goto(f'{site.url}{invoice.portal_url}')
    look(visitor, request, 'choices')
    page.get_by_label("Another amount").check()
    page.get_by_label("The amount that you want to pay").fill('40')
    page.locator('button[name=o_stripe_checkout_pay]:visible').click()
    visitor.wait_for(site.stripe.url)
    page.locator('#pay').click()
    visitor.wait_for(f'{site.url}/pay/')
    look(visitor, request, 'part_done')
    assert '$ 40.00' in read_text(page.locator('#o_stripe_checkout_received'))
    page.locator('[name=o_stripe_checkout_back]').click()
    visitor.wait_for(f'{site.url}/my/invoices/{invoice.id}')
    look(visitor, request, 'part_invoice')
    assert page.locator('[data-state=partial]').count() == 1
    assert get_invoice(site, invoice)['payment_state'] == 'partial'


def create_client(site, visitor, request):
    """Create three invoices of one client, and log the client in; return the invoices."""
    login = ''.join(char if char.isalnum() else '_' for char in request.node.name)
    first = site.staff.create_invoice()
    others = site.staff.create_invoices(2, partner_id=first.partner_id)
    site.administrator.create_user(login, 'base.group_portal', partner_id=first.partner_id)
    visitor.log_in(login)
    return [first, *others]


def look(visitor, request, name):
    """Take a screenshot under a name of its own."""
    device = request.node.callspec.id if hasattr(request.node, 'callspec') else 'desktop'
    visitor.look(f'portal_{name}_{device}')


def read_text(locator):
    return ' '.join(locator.inner_text().split())
