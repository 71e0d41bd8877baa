"""The people, the client and the invoices of the demo, made through Odoo's own RPC."""

from dataclasses import dataclass

ADMIN = "admin"
BILLING = "billing"
CLIENT = "client"


@dataclass
class Invoice:
    """A posted invoice as the demo prints it.

    :param int id: Its id.
    :param str name: Its number.
    :param str total: Amount and currency, as text.
    """

    id: int
    name: str
    total: str


class DemoCompany:
    """Makes the demo's records. Every login's password is the login itself.

    :param OdooServer server: A running server whose database has the addon.
    """

    def __init__(self, server):
        self.server = server
        self.company_id = 1
        self.client_id = None

    def _as(self, login, model, method, *args, **kwargs):
        return self.server.execute(model, method, *args, user=login, password=login, **kwargs)

    def as_billing(self, model, method, *args, **kwargs):
        """Call a method as the billing admin, who is no administrator of Odoo."""
        return self._as(BILLING, model, method, *args, **kwargs)

    def set_parameters(self, **values):
        """Set system parameters; in their names ``__`` stands for a dot."""
        for name, value in values.items():
            key = name.replace("__", ".")
            self._as(ADMIN, "ir.config_parameter", "set_param", key, value)

    def set_up(self):
        """Make the company, the billing admin, the client and the client's portal user."""
        self._as(ADMIN, "res.company", "write", [self.company_id], {"name": "Demo company"})
        self._user("Billing admin", BILLING, ["base.group_user", "account.group_account_manager"])
        country = self._as(ADMIN, "res.country", "search", [["code", "=", "US"]])[0]
        client = {"name": "Demo client", "email": "client@example.com", "country_id": country}
        self.client_id = self._as(ADMIN, "res.partner", "create", [client])[0]
        self._user("Demo client", CLIENT, ["base.group_portal"], partner_id=self.client_id)

    def _user(self, name, login, groups, **values):
        ids = [self._group(xml_id) for xml_id in groups]
        values = {
            "name": name,
            "login": login,
            "email": f"{login}@example.com",
            "password": login,
            "group_ids": [[6, 0, ids]],
            **values,
        }
        context = {"no_reset_password": True}
        self._as(ADMIN, "res.users", "create", [values], context=context)

    def _group(self, xml_id):
        module, _dot, name = xml_id.partition(".")
        domain = [["module", "=", module], ["name", "=", name], ["model", "=", "res.groups"]]
        return self._as(ADMIN, "ir.model.data", "search_read", domain, ["res_id"])[0]["res_id"]

    def post_invoice(self, text, amount):
        """Post an invoice to the client, as the billing admin.

        :param str text: What it is for.
        :param float amount: In major units of the company's currency.
        :rtype: Invoice
        """
        line = {"name": text, "quantity": 1, "price_unit": amount, "tax_ids": [[6, 0, []]]}
        values = {
            "move_type": "out_invoice",
            "partner_id": self.client_id,
            "invoice_line_ids": [[0, 0, line]],
        }
        move_id = self.as_billing("account.move", "create", [values])[0]
        self.as_billing("account.move", "action_post", [move_id])
        move = self.read_invoice(move_id, "name", "amount_total", "currency_id")
        total = f"{move['amount_total']:,.2f} {move['currency_id'][1]}"
        return Invoice(move_id, move["name"], total)

    def read_invoice(self, move_id, *fields):
        """Return fields of an invoice, read as the billing admin."""
        return self.as_billing("account.move", "read", [move_id], list(fields))[0]

    def payments_of(self, move_id):
        """Return the names of the posted payments that the invoice is reconciled with."""
        ids = self.read_invoice(move_id, "reconciled_payment_ids")["reconciled_payment_ids"]
        domain = [["id", "in", ids], ["state", "in", ["in_process", "paid"]]]
        found = self.as_billing("account.payment", "search_read", domain, ["name"])
        return [payment["name"] for payment in found]

    def connect(self, secret_key, publishable_key):
        """Connect the company with a Stripe account through the wizard, as the billing admin."""
        values = {
            "company_id": self.company_id,
            "secret_key": secret_key,
            "publishable_key": publishable_key,
        }
        wizard = self.as_billing("stripe.checkout.connect", "create", [values])
        self.as_billing("stripe.checkout.connect", "action_connect", wizard)

    def processed_events(self, event_type):
        """Return the ids of the events of a type that the queue has worked off."""
        domain = [["type", "=", event_type], ["state", "=", "done"]]
        found = self.as_billing("stripe.event", "search_read", domain, ["event_id"])
        return [event["event_id"] for event in found]
