"""Every page that a payment link can show, in a real browser."""

from .books import get_invoice, wait_paid
from .browsing import DESKTOP, DEVICES, PHONE
from .client import get_sessions, get_success_url, open_session
from .link import expire, get_link_url, read_renewed_url
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures', f'{__package__}.browser_fixtures']


@DEVICES
def test_links_that_lead_no_further(site, visitor, device, request):
    """Catches a page that scrolls sideways, cannot be read by everybody, or names no invoice."""
    replaced, revoked, draft, cancelled, reverse, blocked = site.staff.create_invoices(6)
    links = {
        'replaced': replaced,
        'revoked': revoked,
        'draft': draft,
        'cancelled': cancelled,
        'reversed': reverse,
        'blocked': blocked,
        'zero': site.staff.create_invoice(0),
        'unavailable': site.staff.create_invoice(0.2),  # Less than Stripe takes.
    }
    links = {state: (invoice, get_link_url(site, invoice)) for state, invoice in links.items()}
    site.staff.call('account.move', 'action_stripe_checkout_new_link', [replaced.id])
    site.staff.call('account.move', 'action_stripe_checkout_revoke_link', [revoked.id])
    site.staff.call('account.move', 'button_draft', [draft.id, cancelled.id])
    site.staff.call('account.move', 'button_cancel', [cancelled.id])
    site.staff.call('account.move', 'action_toggle_block_payment', [blocked.id])
    _reverse(site, reverse)
    for state, (invoice, url) in links.items():
        visitor.page.goto(url)
        assert visitor.state == state
        assert invoice.name in _read_page(visitor)
        _look(visitor, request, state)


@DEVICES
def test_expired_unknown_and_unreachable(site, visitor, device, request):
    """Catches a dead end where the link has ended, is cut off, or Stripe does not answer."""
    invoice, other = site.staff.create_invoices(2)
    expire(site, invoice)
    visitor.page.goto(invoice.url)
    assert visitor.state == 'expired'
    _look(visitor, request, 'expired')
    visitor.page.locator('form[name=o_stripe_checkout_renew] button').click()
    visitor.wait_for(f'{invoice.url}/renew')
    assert visitor.state == 'renewed'
    _look(visitor, request, 'renewed')

    site.stripe.faults.next(3, 'reset')
    visitor.page.goto(other.url)
    assert visitor.state == 'unavailable'
    _look(visitor, request, 'unreachable')
    visitor.page.locator('[name=o_stripe_checkout_again]').click()
    visitor.wait_for(site.stripe.url)

    visitor.page.goto(f'{site.url}/pay/unknown')
    assert visitor.state == 'unknown'
    _look(visitor, request, 'unknown')
    assert ['404' in complaint for complaint in visitor.complaints] == [True], "Chromium's own"
    visitor.complaints.clear()


@DEVICES
def test_whoever_is_taken_for_a_scanner(site, visitor, device, request):
    """Catches a person who cannot pay since their program looks like no person's."""
    invoice = site.staff.create_invoice(1234.5)
    visitor.page.set_extra_http_headers({'Purpose': 'prefetch'})
    visitor.page.goto(invoice.url)
    visitor.page.set_extra_http_headers({})
    assert visitor.state == 'payable'
    _look(visitor, request, 'payable')
    visitor.page.locator('button[name=o_stripe_checkout_pay]').click()
    visitor.wait_for(site.stripe.url)


@DEVICES
def test_after_checkout(site, visitor, device, request):
    """Catches an answer after Checkout that leads no further: no word yet, refused, refunded."""
    waiting, failed, refunded = site.staff.create_invoices(3)
    site.stripe.deliveries.hold()
    session = open_session(site.stripe, waiting.url)
    site.stripe.pay(session['id'])
    site.stripe.faults.next(3, 'reset', method='GET', path='/v1/checkout/sessions/*')
    visitor.page.goto(f'{get_success_url(session)}&look=99')  # It no longer looks by itself.
    assert visitor.state == 'waiting'
    _look(visitor, request, 'waiting')
    visitor.page.locator('[name=o_stripe_checkout_refresh]').click()
    visitor.page.locator('[data-state=done]').wait_for()
    site.stripe.deliveries.release()

    session = open_session(site.stripe, failed.url)
    site.stripe.pay(session['id'], 'us_bank_account')
    site.stripe.fail_debit(session['id'])
    visitor.page.goto(get_success_url(session))
    assert visitor.state == 'failed'
    _look(visitor, request, 'failed')

    session = open_session(site.stripe, refunded.url)
    site.stripe.pay(session['id'])
    wait_paid(site, refunded)
    site.stripe.refund(session['id'])
    wait_until(lambda: _reload(visitor, refunded.url) == 'refunded', "the refund is known")
    _look(visitor, request, 'refunded')


@DEVICES
def test_several_by_one_link(site, visitor, device, request):
    """Catches a stranger who paid several invoices and finds no way back to them."""
    first = site.staff.create_invoice(100)
    second = site.staff.create_invoice(50, partner_id=first.partner_id)
    page = _tick(site, visitor, request, first, second)
    page.locator('button[name=o_stripe_checkout_pay_ticked]').click()
    visitor.wait_for(site.stripe.url)
    page.context.clear_cookies()  # Whoever pays it was sent the address by the client.
    page.locator('#pay').click()
    visitor.wait_for(f'{site.url}/pay/')
    assert visitor.state == 'done'
    _look(visitor, request, 'several_done')
    page.locator('[name=o_stripe_checkout_invoice]').first.click()
    visitor.wait_for(f'{site.url}/my/invoices/')
    assert page.locator('[data-state=paid]').count() == 1


@DEVICES
def test_not_at_once(site, visitor, device, request):
    """Catches ticks that lead to one payment too large, or to a page without a way on."""
    first = site.staff.create_invoice(600_000)
    second = site.staff.create_invoice(700_000, partner_id=first.partner_id)
    page = _tick(site, visitor, request, first, second)
    site.staff.call('account.move', 'action_toggle_block_payment', [second.id])
    page.locator('button[name=o_stripe_checkout_pay_ticked]').click()
    page.locator('#o_stripe_checkout_together').wait_for()
    _look(visitor, request, 'together_refused')
    assert "on hold" in page.locator('[name=refused]').inner_text()
    site.staff.call('account.move', 'action_toggle_block_payment', [second.id])
    page.goto(f'{site.url}/my/invoices')
    for invoice in (first, second):
        page.get_by_label(f'Choose invoice {invoice.name}').check()
    page.locator('button[name=o_stripe_checkout_pay_ticked]').click()
    page.locator('[name=why_too_much]').wait_for()
    _look(visitor, request, 'together_too_much')
    page.locator('[name=o_stripe_checkout_back]').click()
    visitor.wait_for(f'{site.url}/my/invoices')


def test_expired_link_is_renewed_by_keyboard(site, visitor):
    """Catches a new link that only a mouse can ask for, or that does not lead to Stripe."""
    invoice = site.staff.create_invoice()
    expire(site, invoice)
    visitor.page.goto(invoice.url)
    visitor.tab_to('form[name=o_stripe_checkout_renew] button')
    visitor.page.keyboard.press('Enter')
    visitor.wait_for(f'{invoice.url}/renew')
    assert visitor.state == 'renewed'
    visitor.page.goto(read_renewed_url(site, invoice))
    visitor.wait_for(site.stripe.url)


def test_in_german_on_a_phone(site, make_visitor):
    """Catches texts that stay English, and words too long for a narrow screen."""
    _install_language(site, 'de_DE')
    partner = {'name': "Kunde", 'lang': 'de_DE'}
    expired, paid, listed = site.staff.create_invoices(3, 1234.5, partner=partner)
    site.execute(
        "UPDATE account_move SET partner_id = %s, commercial_partner_id = %s WHERE id IN (%s, %s)",
        *(expired.partner_id, expired.partner_id, paid.id, listed.id),
    )
    visitor = make_visitor({**PHONE, 'locale': 'de-DE'})
    page = visitor.page
    expire(site, expired)
    for address, name, word in (
        (expired.url, 'expired', "abgelaufen"),
        (f'{site.url}{expired.portal_url}', 'invoice', "Online bezahlen"),
    ):
        page.goto(address)
        visitor.look(f'german_{name}')
        assert word in page.locator('main').inner_text()
    session = open_session(site.stripe, paid.url)
    site.stripe.pay(session['id'])
    page.goto(get_success_url(session))
    visitor.look('german_done')
    assert "1.234,50" in page.locator('#o_stripe_checkout_received').inner_text()
    site.administrator.create_user(
        'german', 'base.group_portal', partner_id=expired.partner_id, lang='de_DE'
    )
    visitor.log_in('german')
    for path, word in (('invoices', "Bezahlt"), ('billing', "Zu zahlen")):
        page.goto(f'{site.url}/my/{path}')
        visitor.look(f'german_{path}')
        assert word in page.locator('main').inner_text()
    page.set_viewport_size({'width': 320, 'height': 640})
    page.goto(f'{site.url}/my/invoices')
    visitor.look('german_narrow')
    box = page.locator('a[name=o_stripe_checkout_pay]:visible').first.bounding_box()
    assert box['x'] + box['width'] <= 320, "Pay is cut off"


def test_without_javascript(site, make_visitor, screenshots):
    """Catches a road that needs a script: there, back, and the wait for the confirmation."""
    invoice = site.staff.create_invoice()
    page = make_visitor({**DESKTOP, 'java_script_enabled': False}).page
    page.goto(f'{site.url}{invoice.portal_url}')
    page.screenshot(path=screenshots / 'no_javascript_invoice.png', full_page=True)
    page.locator('a[name=o_stripe_checkout_pay]:visible').click()
    page.wait_for_url(f'{site.stripe.url}/**')
    site.stripe.deliveries.hold()
    site.stripe.faults.next(3, 'reset', method='GET', path='/v1/checkout/sessions/*')
    page.locator('#pay').click()
    page.locator('[data-state=waiting]').wait_for()
    page.screenshot(path=screenshots / 'no_javascript_waiting.png', full_page=True)
    page.locator('[data-state=done]').wait_for()  # It has looked again by itself.
    page.locator('[name=o_stripe_checkout_back]').click()
    page.wait_for_url(f'{site.url}/my/invoices/{invoice.id}?**')
    assert page.locator('[data-state=paid]').count() == 1
    assert get_invoice(site, invoice)['payment_state'] in ('paid', 'in_payment')
    assert len(get_sessions(site.stripe, invoice)) == 1


def _tick(site, visitor, request, *invoices):
    """Let the client of some invoices choose them in the portal's list; return the page."""
    visitor.log_in(_create_client(site, request, invoices[0]))
    page = visitor.page
    page.goto(f'{site.url}/my/invoices')
    for invoice in invoices:
        page.get_by_label(f'Choose invoice {invoice.name}').check()
    return page


def _create_client(site, request, invoice):
    """Let the client of an invoice log in to the portal; return the login."""
    login = ''.join(char if char.isalnum() else '_' for char in request.node.name)
    site.administrator.create_user(login, 'base.group_portal', partner_id=invoice.partner_id)
    return login


def _reverse(site, invoice):
    """Cover an invoice by a credit note, as staff do."""
    (row,) = site.query("SELECT journal_id FROM account_move WHERE id = %s", invoice.id)
    context = {'active_model': 'account.move', 'active_ids': [invoice.id]}
    wizard = site.staff.call(
        'account.move.reversal', 'create', {'journal_id': row['journal_id']}, context=context
    )
    site.staff.call('account.move.reversal', 'modify_moves', [wizard], context=context)
    assert get_invoice(site, invoice)['payment_state'] == 'reversed'


def _install_language(site, code):
    (lang,) = site.administrator.call(
        'res.lang', 'search', [('code', '=', code), ('active', 'in', [True, False])]
    )
    wizard = site.administrator.call(
        'base.language.install', 'create', {'lang_ids': [(6, 0, [lang])], 'overwrite': False}
    )
    site.administrator.call('base.language.install', 'lang_install', [wizard])


def _read_page(visitor):
    return ' '.join(visitor.page.locator('#o_stripe_checkout_page').inner_text().split())


def _reload(visitor, url):
    visitor.page.goto(url)
    return visitor.state


def _look(visitor, request, name):
    """Take a screenshot under a name of its own."""
    visitor.look(f'link_{name}_{request.node.callspec.id}')
