"""Many roads to one invoice: at most one Checkout Session that can be paid, whatever happens."""

import functools
from concurrent.futures import ThreadPoolExecutor

import requests

from .books import assert_paid_once, assert_unpaid, get_transactions, wait_paid
from .client import (
    SLOW,
    all_at_once,
    get,
    get_create_calls,
    get_sessions,
    get_success_url,
    open_session,
    read_session_id,
    read_state,
    submit_form,
)
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures']

CREATE = {'path': '/v1/checkout/sessions', 'method': 'POST'}
VISITORS = 50
ROUNDS = 4


def test_fifty_visitors_at_once(site):
    """Catches visitors who each open a session: no claim, or one taken on an old snapshot."""
    invoice = site.staff.create_invoice()
    # Stripe takes its time, so that all of them arrive while the first is being served.
    site.stripe.faults.next(1, 'slow', seconds=1, **CREATE)
    responses = all_at_once([functools.partial(get, invoice.url)] * VISITORS)
    assert [response.status_code for response in responses] == [303] * VISITORS
    (session,) = get_sessions(site.stripe, invoice)
    assert {response.headers['Location'] for response in responses} == {session['url']}
    assert len(get_create_calls(site.stripe)) == 1
    assert len(get_transactions(site, invoice)) == 1


def test_second_visit_calls_nobody(site):
    """Catches a visit that asks Stripe again, or opens a second session."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.calls.clear()
    for _visit in range(3):
        assert get(invoice.url).headers['Location'] == session['url']
    assert list(site.stripe.calls) == []


def test_all_roads_at_once(site):
    """Catches a road that opens its session beside that of another one.

    Two links, the button of the portal and the payment form of Odoo, all of them twice.
    """
    invoice = site.staff.create_invoice()
    second_url = _create_second_link(site, invoice)
    roads = [
        functools.partial(_follow_link, invoice.url),
        functools.partial(_follow_link, second_url),
        functools.partial(_press_portal_button, site, invoice),
        functools.partial(submit_form, site, invoice),
    ]
    for _round in range(ROUNDS):
        leads = all_at_once(roads * 2)
        (session,) = get_sessions(site.stripe, invoice, status='open')
        assert session['amount_total'] == 10000
        assert session['url'] in leads
        assert _count_most_open(site.stripe, invoice) == 1
    # Whoever comes later is led to a session that can be paid, and to no second one.
    lead = _follow_link(second_url)
    (session,) = get_sessions(site.stripe, invoice, status='open')
    assert lead == session['url']
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    assert_paid_once(site, invoice, session['id'])
    assert _count_most_open(site.stripe, invoice) == 1


def test_joint_link_and_single_links_at_once(site):
    """Catches an invoice that two sessions ask for: one alone, and one with another invoice."""
    first = site.staff.create_invoice()
    second = site.staff.create_invoice(partner_id=first.partner_id)
    joint_url = _create_joint_link(site, first, second)
    roads = [functools.partial(_follow_link, url) for url in (joint_url, first.url, second.url)]
    for _round in range(ROUNDS):
        leads = all_at_once(roads * 2)
        assert any(leads)
        for invoice in (first, second):
            joint = get_sessions(site.stripe, first, second, status='open')
            assert len(get_sessions(site.stripe, invoice, status='open') + joint) <= 1
    lead = _follow_link(joint_url)
    (session,) = get_sessions(site.stripe, first, second, status='open')
    assert (session['url'], session['amount_total']) == (lead, 20000)
    site.stripe.pay(session['id'])
    for invoice in (first, second):
        wait_paid(site, invoice)
        assert read_state(get(invoice.url)) == 'paid'
        assert get_sessions(site.stripe, invoice, status='open') == []


def test_form_while_the_link_was_just_paid(site):
    """Catches a road that opens a second session where the first was paid and nobody has told."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.deliveries.hold()
    site.stripe.pay(session['id'])
    assert_unpaid(site, invoice)
    assert submit_form(site, invoice) is None
    assert get_sessions(site.stripe, invoice, status='open') == []
    assert len(get_sessions(site.stripe, invoice)) == 1
    assert_paid_once(site, invoice, session['id'])
    assert read_state(get(invoice.url)) == 'paid'


def test_changed_amount_retires_the_session(site):
    """Catches a session that still asks for what was due before a part was paid otherwise."""
    invoice = site.staff.create_invoice(100)
    old = open_session(site.stripe, invoice.url)
    _register_payment(site, invoice, 40)
    new = open_session(site.stripe, invoice.url)
    assert site.stripe.session(old['id'])['status'] == 'expired'
    assert (new['id'] != old['id'], new['amount_total']) == (True, 6000)
    assert _count_most_open(site.stripe, invoice) == 1


def test_invoice_that_changes_while_stripe_makes_its_session(site):
    """Catches a session that asks for the old amount until a sweep looks at it."""
    invoice = site.staff.create_invoice(100)
    site.stripe.faults.next(1, 'slow', seconds=SLOW, **CREATE)
    with ThreadPoolExecutor(1) as pool:
        visit = pool.submit(get, invoice.url)
        (session,) = wait_until(
            lambda: get_sessions(site.stripe, invoice), "Stripe makes the session"
        )
        _register_payment(site, invoice, 40)
        assert not visit.done()
        site.stripe.faults.clear()
    wait_until(lambda: site.stripe.session(session['id'])['status'] == 'expired', "it is retired")
    assert open_session(site.stripe, invoice.url)['amount_total'] == 6000


def test_paid_link_leads_nowhere(site):
    """Catches a link, button or form through which a paid invoice can be paid again."""
    invoice = site.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.pay(session['id'])
    wait_paid(site, invoice)
    site.stripe.calls.clear()
    assert read_state(get(invoice.url)) == 'paid'
    assert read_state(get(get_success_url(session))) == 'done'
    assert submit_form(site, invoice) is None
    assert get_create_calls(site.stripe) == []
    assert_paid_once(site, invoice, session['id'])


# === ROADS === #


def _follow_link(url):
    """Visit a payment link; return the Checkout page that it leads to, None if it leads nowhere."""
    response = get(url)
    assert response.status_code in (200, 303), response.text[-2000:]
    return response.headers.get('Location')


def _press_portal_button(site, invoice):
    """Press Pay in the portal, as whoever holds the portal link; return the Checkout page."""
    path = f'/my/invoices/{invoice.id}/pay_online?access_token={invoice.access_token}'
    response = get(f'{site.url}{path}')
    assert response.status_code == 303, response.text[-2000:]
    return _follow_link(requests.compat.urljoin(site.url, response.headers['Location']))


def _create_joint_link(site, *invoices):
    """Make one link of several invoices; return its address."""
    ids = [invoice.id for invoice in invoices]
    _run_code(
        site,
        f"env['stripe.payment.link']._get_or_create_for_all(env['account.move'].browse({ids}))",
    )
    row = site.query('SELECT token FROM stripe_payment_link ORDER BY id DESC LIMIT 1')[0]
    return f'{site.url}/pay/{row["token"]}'


def _create_second_link(site, invoice):
    """Make another link of an invoice; return its address."""
    _run_code(
        site,
        f"env['stripe.payment.link']._create_for_each(env['account.move'].browse({invoice.id}))",
    )
    url = site.staff.call('account.move', 'read', [invoice.id], ['stripe_checkout_url'])[0]
    assert url['stripe_checkout_url'] != invoice.url
    return url['stripe_checkout_url']


def _run_code(site, code):
    """Run code on the server, as an administrator does with a server action."""
    model_id = site.query("SELECT id FROM ir_model WHERE model = 'account.move'")[0]['id']
    action_id = site.administrator.call(
        'ir.actions.server',
        'create',
        {'name': "Code", 'model_id': model_id, 'state': 'code', 'code': code},
    )
    site.administrator.call('ir.actions.server', 'run', [action_id])


def _register_payment(site, invoice, amount):
    """Register a payment that came another way, as staff does."""
    context = {'active_model': 'account.move', 'active_ids': [invoice.id]}
    values = {'amount': amount, 'payment_difference_handling': 'open'}
    wizard_id = site.staff.call('account.payment.register', 'create', values, context=context)
    site.staff.call('account.payment.register', 'action_create_payments', [wizard_id])


def _count_most_open(stripe, invoice):
    """Return how many sessions of an invoice were open at once at most, by Stripe's log of calls.

    A session that was paid or ran out is not counted as ended: it was open in any case when the
    next one was made.
    """
    ours = {session['id'] for session in get_sessions(stripe, invoice)}
    now = most = 0
    for call in list(stripe.calls):
        if call.method != 'POST' or call.status != 200 or call.replayed:
            continue
        if call.path == '/v1/checkout/sessions':
            now += call.params['metadata']['odoo_invoices'] == str(invoice.id)
        elif call.path.endswith('/expire'):
            now -= read_session_id(call.path.removesuffix('/expire')) in ours
        most = max(most, now)
    return most
