"""The client of the demo: opens the link, and pays with the form on the hosted page."""

import re

import requests
from lxml import html

from .console import DevError

TIMEOUT = 30  # seconds
CARD = "4242424242424242"


class DemoClient:
    """A browser without JavaScript and without a login."""

    def __init__(self):
        self.browser = requests.Session()
        self.browser.trust_env = False  # all of it is on this machine: no proxy

    def open(self, link):
        """Follow the link to the hosted Checkout page.

        :param str link: The pay link.
        :return: The page's answer.
        :rtype: requests.Response
        :raise DevError: If the link leads elsewhere.
        """
        page = self.browser.get(link, timeout=TIMEOUT)
        if not session_of(page.url):
            raise DevError(f"The link led to {page.url} ({page.status_code}) and not to Checkout.")
        return page

    def pay(self, page):
        """Send the hosted page's form with a card that is accepted.

        :param requests.Response page: From `open`.
        :return: The text of the page that the client then sees.
        :rtype: str
        :raise DevError: If the payment is refused.
        """
        document = html.fromstring(page.text, base_url=page.url)
        form = document.get_element_by_id("payment-form")
        form.fields["method"] = "card"
        form.fields["card_number"] = CARD
        if "email" in form.fields and not form.fields["email"]:
            form.fields["email"] = "client@example.com"
        document.make_links_absolute()
        answer = self.browser.post(form.action, data=dict(form.form_values()), timeout=TIMEOUT)
        if not answer.ok or session_of(answer.url):
            raise DevError(f"The payment was refused: {answer.status_code} at {answer.url}.")
        return " ".join(html.fromstring(answer.text).find(".//main").text_content().split())


def session_of(url):
    """Return the id of the Checkout Session in the address of a hosted page, or None."""
    found = re.search(r"/c/pay/(cs_[A-Za-z0-9_]+)", url)
    return found and found[1]
