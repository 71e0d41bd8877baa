"""The hosted Checkout page, for browsers with and without JavaScript."""

from urllib.parse import parse_qs, quote

from . import page_templates as templates
from .errors import CheckoutError
from .payment_methods import DECLINED_CARDS, MESSAGES, SUCCESS_CARD

SESSION_PLACEHOLDER = "{CHECKOUT_SESSION_ID}"


def serve(handler, request):
    """Answer a request for ``/c/pay/<session id>``: GET shows the page, POST pays.

    :param handler: the server's handler, which sends the answer.
    :param request: :class:`api.HttpRequest`.
    """
    world = handler.world
    session_id, _slash, action = request.path.removeprefix("/c/pay/").partition("/")
    try:
        world.expire_due()
        account, _session = world.payer.find(session_id)
    except CheckoutError:
        handler.send_html(404, templates.message_page("Something went wrong", _UNKNOWN))
        return
    if request.method == "POST" and action in DEBIT_ACTIONS:
        _end_debit(handler, session_id, action)
    elif request.method == "POST":
        _pay(handler, account, session_id, request)
    else:
        _show(handler, account, session_id)


_UNKNOWN = "The page you were looking for could not be found. Please check the link."


def _show(handler, account, session_id, status=200, error="", typed=None):
    world = handler.world
    with world.lock:
        session = world.session(session_id)
        items = account.store.snapshot(account.store.private[session_id]["line_items"])
        intent = account.store.get("payment_intent", session["payment_intent"]) or {}
        customer = account.store.get("customer", session["customer"]) or {}
        processing = intent.get("status") == "processing"
    if session["status"] == "open":
        session["customer_email"] = session["customer_email"] or customer.get("email")
        page = templates.payment_page(account, session, items, error, typed or {})
    elif session["status"] == "expired":
        page = templates.message_page("This page has expired", templates.EXPIRED, session)
    else:
        page = templates.complete_page(session, processing)
    handler.send_html(status, page)


def _pay(handler, account, session_id, request):
    world = handler.world
    form = parse_qs(request.body.decode(errors="replace"), keep_blank_values=True)
    typed = {name: values[0].strip() for name, values in form.items()}
    method = typed.get("method", "card")
    email = typed.get("email") or None
    number = typed.get("card_number", "").replace(" ", "").replace("-", "")
    error = _problem(world.session(session_id), method, number, email)
    if error:
        _show(handler, account, session_id, 422, error, typed)
        return
    decline = DECLINED_CARDS.get(number) if method == "card" else None
    try:
        events = world.payer.confirm(session_id, method, decline, email=email)
    except CheckoutError:
        # Another payer was faster, or time was: show what became of the session.
        _show(handler, account, session_id, 409)
        return
    if decline:
        text = MESSAGES.get(decline, MESSAGES["generic_decline"])
        _show(handler, account, session_id, 402, text, typed)
        return
    world.deliveries.wait_answered(events)
    handler.redirect(success_url(world.session(session_id)))


def _problem(session, method, number, email):
    """Return what is wrong with the form, empty if it can be sent."""
    if session["status"] != "open":
        return ""
    if method not in session["payment_method_types"]:
        return "Choose a payment method."
    if method == "card" and number not in (SUCCESS_CARD, *DECLINED_CARDS):
        return "Use one of the test card numbers below."
    if not (session["customer_email"] or session["customer"] or email):
        return "Enter your e-mail address."
    return ""


def success_url(session):
    """Return where a payer goes after payment, with the session's id filled in."""
    return session["success_url"].replace(SESSION_PLACEHOLDER, quote(session["id"]))


DEBIT_ACTIONS = ("settle", "fail")


def _end_debit(handler, session_id, action):
    world = handler.world
    try:
        if action == "settle":
            world.settle_debit(session_id)
        else:
            world.fail_debit(session_id)
    except CheckoutError as error:
        handler.send_html(409, templates.message_page("Nothing to do", str(error)))
        return
    handler.redirect(f"/c/pay/{session_id}")
