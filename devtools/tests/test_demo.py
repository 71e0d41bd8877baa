"""`./dev demo` as a newcomer runs it: what it says, and whether that is true."""

import os
import re
import signal
import subprocess

import pytest
import requests
from lxml import html

from ..demo_client import DemoClient
from ..demo_company import BILLING, CLIENT
from ..runtime import FOREIGN_VARIABLES, ROOT, VARIABLE, Runtime

NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port
SERVING = "Ctrl-C ends it"


@pytest.fixture(scope="module")
def said():
    """Give what a demo says until it serves; nothing can be downloaded meanwhile."""
    runtime = Runtime.from_environment()
    mine = {VARIABLE, *FOREIGN_VARIABLES, *(runtime.pg or {})}
    environment = {name: value for name, value in os.environ.items() if name not in mine}
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        environment[name] = NOWHERE
    for name in ("no_proxy", "NO_PROXY"):
        environment.pop(name, None)
    demo = subprocess.Popen(
        [ROOT / "dev", "demo"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if SERVING in line:
                break
        output = "".join(lines)
        assert SERVING in output, output
        yield output
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)


def find(said, pattern):
    return re.search(pattern, said)[1]


def log_in(said, login):
    """Log in with the form of Odoo's page; return the browser and the page that follows."""
    browser = requests.Session()
    browser.trust_env = False
    odoo = find(said, r"Odoo +(\S+)/odoo")
    page = browser.get(f"{odoo}/web/login", timeout=60)
    document = html.fromstring(page.text, base_url=page.url)
    (form,) = document.xpath("//form[.//input[@name='password']]")
    form.fields["login"] = form.fields["password"] = login
    document.make_links_absolute()
    answer = browser.post(form.action, data=dict(form.form_values()), timeout=60)
    assert answer.status_code == 200, answer.url
    return browser, answer


def test_the_first_invoice_is_paid(said):
    assert re.search(r"(paid|in_payment) +INV/\S+ by the payment", said), said


def test_the_billing_admin_can_log_in(said):
    _browser, page = log_in(said, BILLING)
    assert "/odoo" in page.url
    assert '"is_admin": false' in page.text


def test_the_client_can_log_in_and_sees_the_unpaid_invoice(said):
    browser, page = log_in(said, CLIENT)
    assert page.url.endswith("/my")
    invoices = browser.get(find(said, r"Portal +(\S+)"), timeout=60).text
    assert find(said, r"Unpaid invoice +(INV/\S+),") in invoices


def test_the_link_leads_to_checkout(said):
    client = DemoClient()
    page = client.open(find(said, r"pay link +(\S+)"))
    assert "847.50" in page.text
    assert client.pay(page)
