"""What staff does in the backend, through the calls that the web client makes."""

from dataclasses import dataclass

import requests

TIMEOUT = 120  # seconds
WITHOUT_ODOOBOT = {'odoobot_state': 'disabled'}  # Its chat covers buttons on a phone.


class Refused(Exception):
    """Odoo's answer to a call that it does not carry out."""


def call_json(session, url, params):
    """Make one call of Odoo's web client.

    :param requests.Session session: The session, with its cookies.
    :param str url: The address of a route of type `jsonrpc`.
    :param dict params: Its parameters.
    :return: The result.
    :raise Refused: With Odoo's message.
    """
    body = {'jsonrpc': '2.0', 'id': 1, 'method': 'call', 'params': params}
    response = session.post(url, json=body, timeout=TIMEOUT)
    response.raise_for_status()
    answer = response.json()
    if 'error' in answer:
        data = answer['error'].get('data') or {}
        raise Refused(f"{data.get('name')}: {data.get('message')}\n{data.get('debug', '')}")
    return answer.get('result')


@dataclass(frozen=True)
class Invoice:
    """A posted customer invoice, of a client of its own.

    `url` is the payment link as staff reads it, `amount` is in major units.
    """

    id: int
    name: str
    amount: float
    partner_id: int
    url: str
    portal_url: str

    @property
    def access_token(self):
        """The token that lets whoever holds the portal link in."""
        return self.portal_url.partition('access_token=')[2]


class Staff:
    """A user who is logged in to the backend.

    :param str url: The address of the server.
    :param str database: Its database.
    :param str login: The user's login.
    :param str password: The user's password.
    """

    def __init__(self, url, database, login='admin', password='admin'):
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # No proxy between us and this machine.
        credentials = {'db': database, 'login': login, 'password': password}
        session = call_json(self._session, f'{url}/web/session/authenticate', credentials)
        self.user_id = session['uid']

    def call(self, model, method, *args, **kwargs):
        """Call a public method of a model.

        :return: What the method returns.
        :raise Refused: If Odoo refuses.
        """
        return call_json(
            self._session,
            f'{self.url}/web/dataset/call_kw/{model}/{method}',
            {'model': model, 'method': method, 'args': args, 'kwargs': kwargs},
        )

    def create_user(self, login, *groups, **values):
        """Create a user whose password is the login.

        :param str login: The login.
        :param str groups: The XML ids of the groups.
        :return: The id.
        """
        group_ids = [
            self.call('ir.model.data', 'check_object_reference', *group.split('.'))[1]
            for group in groups
        ]
        return self.call(
            'res.users',
            'create',
            {
                'name': login,
                'login': login,
                'password': login,
                'group_ids': [(6, 0, group_ids)],
                **WITHOUT_ODOOBOT,
                **values,
            },
        )

    def connect_stripe(self, account):
        """Connect the company with a Stripe account, through the wizard.

        :param account: The stand-in's account.
        """
        self._press_in_wizard('action_connect', account)

    def leave_account(self, account):
        """Connect the company with another Stripe account than the one that is connected.

        :param account: The stand-in's account.
        """
        self._press_in_wizard('action_switch', account)

    def _press_in_wizard(self, button, account):
        values = {'secret_key': account.secret_key, 'publishable_key': account.publishable_key}
        wizard_id = self.call('stripe.checkout.connect', 'create', values)
        self.call('stripe.checkout.connect', button, [wizard_id])

    def create_invoices(self, count=1, amount=100.0, **values):
        """Create and post customer invoices, each of a new client.

        :param int count: How many.
        :param float amount: The amount of each.
        :param values: More values of the invoices, or `partner` for values of the clients.
        :return: The invoices.
        :rtype: list[Invoice]
        """
        partner_values = {'name': "Client", 'email': 'client@example.com'}
        partner_values |= values.pop('partner', {})
        partner_ids = self.call('res.partner', 'create', [partner_values] * count)
        line = {'name': "Managed services", 'price_unit': amount, 'tax_ids': [(5,)]}
        ids = self.call(
            'account.move',
            'create',
            [
                {
                    'move_type': 'out_invoice',
                    'partner_id': partner_id,
                    'invoice_line_ids': [(0, 0, line)],
                    **values,
                }
                for partner_id in partner_ids
            ],
        )
        self.call('account.move', 'action_post', ids)
        fields = ['name', 'amount_residual', 'partner_id', 'stripe_checkout_url']
        return [
            Invoice(
                id=row['id'],
                name=row['name'],
                amount=row['amount_residual'],
                partner_id=row['partner_id'][0],
                url=row['stripe_checkout_url'],
                portal_url=self.call('account.move', 'get_portal_url', [row['id']]),
            )
            for row in self.call('account.move', 'read', ids, fields)
        ]

    def create_invoice(self, amount=100.0, **values):
        """Create and post one customer invoice, see `create_invoices`."""
        return self.create_invoices(1, amount, **values)[0]
