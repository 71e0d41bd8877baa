"""Two companies with two Stripe accounts: nothing of one works for the other."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from ...devtools import databases
from .books import get_invoice, get_payments, wait_paid
from .client import get, open_session
from .staff import Refused, Staff
from .waiting import wait_until

pytest_plugins = [f'{__package__}.fixtures']


class Company:
    """A company with an account and a billing admin of its own."""

    def __init__(self, site, account, staff, company_id):
        self.site = site
        self.account = account
        self.staff = staff
        self.id = company_id

    @property
    def provider(self):
        """What is stored of the connection, with its signing secret."""
        (row,) = self.site.query(
            """
            SELECT provider.id, stripe_checkout_account_id AS account_id, journal.id AS journal_id,
                   stripe_checkout_webhook_state AS webhook_state, secret.value AS webhook_secret
              FROM payment_provider provider
              JOIN stripe_checkout_secret secret ON secret.provider_id = provider.id
               AND secret.name = 'stripe_checkout_webhook_secret'
              JOIN account_journal journal ON journal.stripe_checkout_provider_id = provider.id
             WHERE provider.code = 'stripe_checkout' AND provider.company_id = %s
            """,
            self.id,
        )
        return row

    def wait_confirmed(self):
        wait_until(lambda: self.provider['webhook_state'] == 'confirmed', "it is confirmed")


@pytest.fixture(scope='module')
def companies(running_site):
    """The site's company, and another one."""
    site = running_site
    site.stripe.deliveries.release()
    (own,) = site.query("SELECT company_id AS id FROM res_users WHERE login = 'billing'")
    first = Company(site, site.stripe.account, site.staff, own['id'])
    administrator = site.administrator
    other_id = administrator.call('res.company', 'create', {'name': "Other"})
    administrator.call(
        'account.chart.template', 'try_loading', [], 'generic_coa', other_id, install_demo=False
    )
    administrator.create_user(
        'other_billing',
        'account.group_account_manager',
        'base.group_partner_manager',
        company_id=other_id,
        company_ids=[(6, 0, [other_id])],
    )
    staff = Staff(site.url, site.database, 'other_billing', 'other_billing')
    account = site.stripe.add_account(display_name="Other account")
    staff.connect_stripe(account)
    second = Company(site, account, staff, other_id)
    for company in (first, second):
        company.wait_confirmed()
    return first, second


def test_each_company_has_its_own(site, companies):
    """Catches a company that is paid through the other's account."""
    for company in companies:
        assert company.provider['account_id'] == company.account.id
    for company, other in (companies, companies[::-1]):
        assert company.provider['webhook_secret'] != other.provider['webhook_secret']
        assert company.provider['journal_id'] != other.provider['journal_id']
        invoice = company.staff.create_invoice()
        session = open_session(site.stripe, invoice.url)
        assert company.account.store.get('checkout.session', session['id'])
        assert not other.account.store.get('checkout.session', session['id'])
        site.stripe.pay(session['id'])
        wait_paid(site, invoice)
        (payment,) = get_payments(site, invoice)
        assert payment['journal_id'] == company.provider['journal_id']


def test_event_of_the_other_company(site, companies):
    """Catches an event that is believed although the other company's secret signed it."""
    for company, other in (companies, companies[::-1]):
        invoice = company.staff.create_invoice()
        session = open_session(site.stripe, invoice.url)
        site.stripe.deliveries.hold()
        site.stripe.pay(session['id'])
        (delivery,) = [
            each
            for each in site.stripe.deliveries.pop_all()
            if each.event['type'] == 'checkout.session.completed'
        ]
        path = '/payment/stripe_checkout/webhook/'
        # Really signed, but sent to the other's address.
        assert _post(f'{site.url}{path}{other.provider["id"]}', delivery) == 400
        assert get_invoice(site, invoice)['payment_state'] == 'not_paid'
        assert not site.query(
            "SELECT 1 FROM stripe_event WHERE event_id = %s", delivery.event['id']
        )
        # To its own address.
        assert _post(f'{site.url}{path}{company.provider["id"]}', delivery) == 200
        wait_paid(site, invoice)
        site.stripe.deliveries.release()


def _post(url, delivery):
    with requests.Session() as session:
        session.trust_env = False
        return session.post(
            url, data=delivery.body, headers=delivery.signed(), timeout=30
        ).status_code


def test_event_about_the_other_companys_session(site, companies):
    """Catches a payment that an event of one account books for a client of the other."""
    company, other = companies
    invoice = other.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    bait = company.staff.create_invoice()
    site.stripe.deliveries.hold()
    site.stripe.pay(open_session(site.stripe, bait.url)['id'])
    (delivery,) = [
        each
        for each in site.stripe.deliveries.pop_all()
        if each.event['type'] == 'checkout.session.completed'
    ]
    # Signed by the company's own account, but speaking of what was never its own.
    event = json.loads(delivery.body)
    event['id'] = 'evt_about_the_other'
    event['data']['object'] |= {
        'id': session['id'],
        'metadata': site.stripe.session(session['id'])['metadata'],
        'client_reference_id': site.stripe.session(session['id'])['client_reference_id'],
    }
    delivery.event = event
    url = f'{site.url}/payment/stripe_checkout/webhook/{company.provider["id"]}'
    assert _post(url, delivery) == 200
    wait_until(
        lambda: site.query(
            "SELECT 1 FROM stripe_event WHERE event_id = %s AND attempts > 0", event['id']
        ),
        "the event is processed",
    )
    assert get_invoice(site, invoice)['payment_state'] == 'not_paid'
    assert get_payments(site, invoice) == []
    assert site.stripe.session(session['id'])['status'] == 'open'


def test_session_and_link_of_the_other_company(site, companies):
    """Catches a return page that takes the other company's paid session as proof."""
    company, other = companies
    invoice, unpaid = company.staff.create_invoice(), other.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    open_session(site.stripe, unpaid.url)
    site.stripe.deliveries.hold()
    site.stripe.pay(session['id'])
    get(f'{unpaid.url}/done?session_id={session["id"]}')
    assert get_invoice(site, unpaid)['payment_state'] == 'not_paid'
    assert get_payments(site, unpaid) == []
    site.stripe.deliveries.release()
    wait_paid(site, invoice)
    assert len(get_payments(site, invoice)) == 1


def test_staff_of_the_other_company(companies):
    """Catches staff who read or manage what is another company's."""
    for company, other in (companies, companies[::-1]):
        invoice = company.staff.create_invoice()
        provider_id = company.provider['id']
        for action in ('test_connection', 'retry_webhook', 'disconnect', 'open_reverse_tests'):
            with pytest.raises(Refused, match='AccessError'):
                other.staff.call(
                    'payment.provider', f'action_stripe_checkout_{action}', [provider_id]
                )
        with pytest.raises(Refused, match='AccessError'):
            other.staff.call('account.move', 'read', [invoice.id], ['stripe_checkout_url'])
        own = other.staff.call('stripe.event', 'search_read', [], ['company_id'])
        assert {row['company_id'][0] for row in own} == {other.id}
        seen = other.staff.call('payment.provider', 'search_read', [], ['company_id', 'code'])
        assert [(row['company_id'][0], row['code']) for row in seen] == [
            (other.id, 'stripe_checkout')
        ]
        report = other.staff.call('stripe.checkout.report', 'search_read', [], ['company_id'])
        assert {row['company_id'][0] for row in report} == {other.id}


def test_connection_that_is_written_stops_the_check_of_no_other(site, companies):
    """Catches a check of the webhooks that ends where one connection is written meanwhile."""
    first, second = companies

    def is_checked():
        (row,) = site.query(
            "SELECT stripe_checkout_checked_at FROM payment_provider WHERE id = %s",
            second.provider['id'],
        )
        return bool(row['stripe_checkout_checked_at'])

    site.execute(
        "UPDATE payment_provider SET stripe_checkout_checked_at = NULL WHERE id = %s",
        second.provider['id'],
    )
    with (
        databases.cursor(site.runtime, site.database) as cr,
        ThreadPoolExecutor() as pool,
    ):
        cr.execute("BEGIN")
        cr.execute(
            "UPDATE payment_provider SET write_date = write_date WHERE id = %s",
            [first.provider['id']],
        )
        checked = pool.submit(site.run_cron, 'ir_cron_check_webhook')
        wait_until(site.count_waiting, "the check waits for the connection")
        cr.execute("COMMIT")
        checked.result()
    wait_until(is_checked, "the other company is checked")


def test_disconnection_that_fails_stops_the_sweep_of_no_other(site, companies):
    """Catches a sweep that ends where Stripe does not let one company disconnect."""
    first, second = companies
    invoice = second.staff.create_invoice()
    session = open_session(site.stripe, invoice.url)
    site.stripe.deliveries.hold()
    site.stripe.pay(session['id'])
    site.execute(
        "UPDATE payment_transaction SET create_date = create_date - interval '1 hour'"
        " WHERE stripe_checkout_session_id = %s",
        session['id'],
    )
    disconnecting = "UPDATE payment_provider SET stripe_checkout_disconnecting = %s WHERE id = %s"
    site.execute(disconnecting, True, first.provider['id'])
    site.stripe.faults.next(100, '500', path='/v1/webhook_endpoints/*', method='DELETE')
    site.run_cron('ir_cron_sweep')
    wait_paid(site, invoice)
    assert first.provider['webhook_secret'], "Connected until it can be disconnected"
    site.stripe.faults.clear()
    site.execute(disconnecting, False, first.provider['id'])
