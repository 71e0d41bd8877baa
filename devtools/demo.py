"""`./dev demo`: from connecting Stripe to a paid invoice, step by step, then a server to try."""

import argparse
import os
import textwrap
import time
from contextlib import ExitStack

import stripe

from .console import DevError, complain, say, step
from .demo_client import DemoClient, session_of
from .demo_company import BILLING, CLIENT, DemoCompany
from .fetch.cache import keep_log
from .odoo_server import OdooServer, RpcError
from .session import platform, run
from .standin_process import StandInProcess

DATABASE = "demo"
LOG = "demo.log"
PATIENCE = 60  # seconds that the webhook and the queue may take
PAID = ("paid", "in_payment")
COMPLETED = "checkout.session.completed"


def main(argv):
    """Run the demo.

    :param list argv: ``--once``, ``--port N``.
    :return: 0 if the invoice was paid (or the person ended a demo that kept serving), else 1.
    :rtype: int
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--port", type=int)
    options = parser.parse_args(argv)
    keys = own_keys(os.environ, options.once)
    with platform() as runtime, ExitStack() as stack:
        server = OdooServer(runtime, DATABASE, port=options.port)
        server.create_database()
        stack.callback(server.stop)
        try:
            return _play(runtime, server, stack, keys, options)
        except (DevError, RpcError, stripe.StripeError) as error:
            complain(f"The demo failed: {error}")
            complain(f"Odoo's log: {keep_log(LOG, server.log_path)}")
            return 1


def own_keys(environment, once):
    """Return the person's own Stripe keys, or None for the stand-in.

    :param dict environment: The environment's variables.
    :param bool once: Whether the demo is to pay by itself.
    :raise DevError: If only one is given, if they are live keys, or if nobody is there to pay.
    """
    secret = environment.get("STRIPE_SECRET_KEY", "")
    publishable = environment.get("STRIPE_PUBLISHABLE_KEY", "")
    if not secret and not publishable:
        return None
    if not secret.startswith(("sk_test_", "rk_test_")) or not publishable.startswith("pk_test_"):
        raise DevError(
            "STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY must both be test keys (sk_test_… or "
            "rk_test_…, and pk_test_…). Live keys are refused."
        )
    if once:
        raise DevError("At Stripe a person pays: leave --once away, or unset STRIPE_SECRET_KEY.")
    return {"secret_key": secret, "publishable_key": publishable}


def _play(runtime, server, stack, keys, options):
    company = DemoCompany(server)
    standin = None if keys else stack.enter_context(StandInProcess(runtime))
    with step("Starting Odoo"):
        server.start()
    company.set_parameters(web__base__url=server.url, web__base__url__freeze="True")
    company.set_up()
    if standin:
        company.set_parameters(payment_stripe_checkout__api_base=standin.url)
        keys = standin.account()
    _connect(company, keys, standin)
    paid = _pay(company) if standin else True
    if options.once or not paid:
        return 0 if paid else 1
    _serve(server, company, standin)
    return 1  # the server ended by itself; Ctrl-C does not come here


def _connect(company, keys, standin):
    company.connect(keys["secret_key"], keys["publishable_key"])
    base = {"base_addresses": {"api": standin.url}} if standin else {}
    api = stripe.StripeClient(keys["secret_key"], **base)
    account = api.v1.accounts.retrieve_current()
    _show("connect", f"{account.id}, by {BILLING}, who is no administrator of Odoo")
    for endpoint in api.v1.webhook_endpoints.list().data:
        _show("endpoint registered", endpoint.url)


def _pay(company):
    """Post an invoice and pay it as the client does; return whether it is paid."""
    invoice = company.post_invoice("Managed services, monthly", 1210.0)
    _show("invoice posted", f"{invoice.name}, {invoice.total}")
    link = company.read_invoice(invoice.id, "stripe_checkout_url")["stripe_checkout_url"]
    if not link:
        raise DevError(f"{invoice.name} has no pay link.")
    _show("link", link)
    client = DemoClient()
    page = client.open(link)
    _show("session", session_of(page.url))
    _show("paid", f"the client then sees: {textwrap.shorten(client.pay(page), 130)}")
    _wait(f"the webhook's {COMPLETED}", lambda: company.processed_events(COMPLETED))
    _show("webhook", f"{COMPLETED} {company.processed_events(COMPLETED)[0]}, processed")
    state = _wait(f"payment of {invoice.name}", lambda: _paid_state(company, invoice))
    payments = company.payments_of(invoice.id)
    _show(state, f"{invoice.name} by the payment {', '.join(payments)}")
    return bool(payments)


def _paid_state(company, invoice):
    move = company.read_invoice(invoice.id, "payment_state", "amount_residual")
    return move["payment_state"] in PAID and not move["amount_residual"] and move["payment_state"]


def _wait(what, condition):
    """Wait until a condition holds and return its value."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise DevError(f"{what} did not come within {PATIENCE} s.")


def _serve(server, company, standin):
    invoice = company.post_invoice("Managed services, next month", 847.5)
    link = company.read_invoice(invoice.id, "stripe_checkout_url")["stripe_checkout_url"]
    say()
    say(f"Odoo            {server.url}/odoo")
    say(f"  administrator admin / admin, billing admin {BILLING} / {BILLING}")
    say(f"Portal          {server.url}/my/invoices    client {CLIENT} / {CLIENT}")
    say(f"Unpaid invoice  {invoice.name}, {invoice.total}")
    say(f"  pay link      {link}")
    if standin:
        say(f"Stripe stand-in {standin.url}/_control/    test cards are on its Checkout page")
    else:
        say("Stripe itself is used, in test mode. Its webhooks cannot reach this machine:")
        say("payments arrive with the return page, or with the sweep some minutes later.")
    say("Ctrl-C ends it; nothing is kept.")
    server.process.wait()
    complain(f"Odoo has ended. Its log: {keep_log(LOG, server.log_path)}")


def _show(name, text):
    say(f"{name:<20}{text}")


if __name__ == "__main__":
    run(main)
