"""What clients do with their browsers, and what Stripe then holds."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import requests
from lxml import html

from .staff import Refused, call_json

TIMEOUT = 120  # seconds

# For how many seconds Stripe keeps a caller waiting, at most: once a test has seen what it wants to
# see meanwhile, it ends the fault, on a busy machine later than on an idle one. The addon gives up
# after ten.
SLOW = 8


def get(url):
    """Open an address as a new visitor does, without following where it leads."""
    with requests.Session() as session:
        session.trust_env = False  # No proxy between us and this machine.
        return session.get(url, allow_redirects=False, timeout=TIMEOUT)


def all_at_once(functions):
    """Call functions at the same moment, each from a thread of its own.

    :param list functions: The functions.
    :return: What they return, in the same order.
    :rtype: list
    """
    barrier = Barrier(len(functions))

    def run(function):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def open_session(stripe, url):
    """Visit a payment link that leads to Stripe; return the Checkout Session.

    :param StandIn stripe: Stripe's stand-in.
    :param str url: The payment link.
    :return: The session, as Stripe's API shows it.
    :rtype: dict
    """
    response = get(url)
    assert response.status_code == 303, f'{response.status_code} {read_state(response)}'
    return stripe.session(read_session_id(response.headers['Location']))


def submit_form(site, invoice):
    """Pay with our provider in Odoo's payment form; return the Checkout page, if it leads there."""
    (method,) = site.query(
        """
        SELECT provider.id AS provider_id, method.id AS method_id
          FROM payment_provider provider, payment_method method
         WHERE provider.state = 'test' AND provider.code = 'stripe_checkout'
           AND method.code = 'stripe_checkout'
        """
    )
    params = {
        'provider_id': method['provider_id'],
        'payment_method_id': method['method_id'],
        'token_id': None,
        'amount': invoice.amount,
        'flow': 'redirect',
        'tokenization_requested': False,
        'landing_route': invoice.portal_url,
        'access_token': invoice.access_token,
    }
    with requests.Session() as session:
        session.trust_env = False
        try:
            values = call_json(session, f'{site.url}/invoice/transaction/{invoice.id}', params)
        except Refused as refusal:
            assert 'odoo.exceptions.ValidationError' in str(refusal), refusal
            return None
    form = requests.compat.unquote(values['redirect_form_html'])
    return form.partition('action="')[2].partition('"')[0]


def read_session_id(url):
    """Return the id of the Checkout Session of the address of a Checkout page."""
    return url.rpartition('/')[2].partition('#')[0].partition('?')[0]


def read_state(response):
    """Return the state that one of our pages shows, None for any other page."""
    states = html.fromstring(response.content).xpath("//*[@id='o_stripe_checkout_page']")
    return states[0].get('data-state') if states else None


def read_received(response):
    """Return the amount that the success page thanks for, as it is written there."""
    (received,) = html.fromstring(response.content).xpath("//*[@id='o_stripe_checkout_received']")
    return received.text_content().strip()


def get_success_url(session):
    """Return where Stripe sends the payer of a session."""
    return session['success_url'].replace('{CHECKOUT_SESSION_ID}', session['id'])


# === STRIPE === #


def get_sessions(stripe, *invoices, status=None):
    """Return the Checkout Sessions at Stripe that ask for exactly these invoices.

    :param StandIn stripe: Stripe's stand-in.
    :param Invoice invoices: The invoices.
    :param str status: Only sessions of this status.
    :rtype: list[dict]
    """
    ids = ','.join(map(str, sorted(invoice.id for invoice in invoices)))
    with stripe.lock:
        return [
            dict(session)
            for session in stripe.account.store.newest_first('checkout.session')
            if session['metadata'].get('odoo_invoices') == ids
            and status in (None, session['status'])
        ]


def get_create_calls(stripe):
    """Return the calls that create Checkout Sessions to be paid, the oldest first."""
    return [
        call
        for call in stripe.calls.matching('POST', '/v1/checkout/sessions')
        if 'odoo_probe' not in call.params['metadata']
    ]


def get_event_ids(stripe, session_id, event_type='checkout.session.completed'):
    """Return the ids of Stripe's events of one type about a session."""
    with stripe.lock:
        return [
            event['id']
            for event in stripe.account.store.newest_first('event')
            if event['type'] == event_type and event['data']['object']['id'] == session_id
        ]
