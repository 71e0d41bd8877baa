"""HTML of the hosted Checkout page."""

from html import escape

from .currencies import display
from .payment_methods import DEBIT_LABELS, DECLINED_CARDS, SUCCESS_CARD

BANNER = "Stripe stand-in – this is not Stripe. No money moves."
EXPIRED = "It can no longer be paid. Go back to the shop and ask for a new link."

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:#f6f7f9;color:#1b2430;font:16px/1.5 system-ui,-apple-system,"Segoe UI",
 Roboto,sans-serif}
.banner{background:#7a3e00;color:#fff;text-align:center;padding:.5rem 1rem;font-weight:600}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem;display:grid;gap:1.5rem}
@media(min-width:48rem){main.two{grid-template-columns:1fr 1fr;align-items:start;
 padding-top:3rem;gap:3rem}main.two>.pay{grid-column:2;grid-row:1/span 2}}
.card{background:#fff;border:1px solid #dde1e7;border-radius:10px;padding:1.25rem}
h1{font-size:1.05rem;font-weight:600;margin:0 0 .25rem;color:#4a5564}
h2{font-size:1.05rem;margin:0 0 .75rem}
.total{font-size:2.1rem;font-weight:700;margin:0 0 1rem;overflow-wrap:anywhere}
.items{list-style:none;margin:0;padding:0;border-top:1px solid #dde1e7}
.items li{display:flex;justify-content:space-between;gap:1rem;padding:.6rem 0;
 border-bottom:1px solid #dde1e7}
.items span{overflow-wrap:anywhere}
.items small{display:block;color:#5b6675}
label{display:block;font-weight:600;margin:0 0 .25rem}
input[type=text],input[type=email]{width:100%;padding:.65rem .7rem;font:inherit;color:inherit;
 background:#fff;border:1px solid #8b95a3;border-radius:6px;margin:0 0 1rem}
fieldset{border:0;padding:0;margin:0 0 1rem}
legend{font-weight:600;padding:0;margin-bottom:.25rem}
.choice{display:flex;align-items:center;gap:.6rem;border:1px solid #c5ccd6;border-radius:6px;
 padding:.65rem .7rem;margin-bottom:.5rem;font-weight:400;cursor:pointer}
.choice input{margin:0;width:1.1rem;height:1.1rem;accent-color:#0a5bd3}
button{width:100%;padding:.8rem;border:0;border-radius:6px;background:#0a5bd3;color:#fff;
 font:inherit;font-weight:600;cursor:pointer}
button:hover{background:#084aac}
button.plain{background:#fff;color:#1b2430;border:1px solid #8b95a3;margin-top:.5rem}
:focus-visible{outline:3px solid #f0a400;outline-offset:2px}
a{color:#0a5bd3}
.back{text-align:center;margin:1rem 0 0}
.error{background:#fdecea;border:1px solid #b3261e;color:#8c1d18;border-radius:6px;
 padding:.6rem .8rem;margin:0 0 1rem}
.note{color:#5b6675;font-size:.9rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.25rem .5rem .25rem 0;vertical-align:top;font-weight:400}
form:not(:has(#method-card:checked)) .card-number{display:none}
code{font-family:ui-monospace,Menlo,Consolas,monospace;white-space:nowrap}
"""

MEANINGS = {
    "generic_decline": "is declined",
    "insufficient_funds": "is declined: insufficient funds",
    "expired_card": "is declined: expired card",
    "incorrect_cvc": "is declined: wrong security code",
}


def layout(title, body, columns=""):
    """Return a whole page.

    :param title: plain text.
    :param body: HTML.
    :param columns: ``two`` for two columns on wide screens.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<div class="banner" role="note">{BANNER}</div>
<main class="{columns}">
{body}
</main>
</body>
</html>
"""


def message_page(title, text, session=None):
    """Return a plain page that says one thing.

    :param session: adds the way back to the shop, if it has one.
    """
    back = _back_link(session) if session else ""
    return layout(
        title,
        f'<section class="card"><h2>{escape(title)}</h2><p>{escape(text)}</p>{back}</section>',
    )


def complete_page(session, processing):
    """Return the page of a session that was paid, or whose bank debit is under way."""
    if not processing:
        paid = session["payment_status"] == "paid"
        text = "This payment is complete." if paid else "The bank refused this payment."
        return message_page("Paid" if paid else "Not paid", text, session)
    action = f"/c/pay/{escape(session['id'])}"
    return layout(
        "Bank debit under way",
        '<section class="card"><h2>Bank debit under way</h2>'
        "<p>At Stripe the bank answers some days later. Here you decide:</p>"
        f'<form method="post" action="{action}/settle">'
        '<button id="settle">The bank pays</button></form>'
        f'<form method="post" action="{action}/fail">'
        '<button id="fail" class="plain">The bank refuses</button></form>'
        f"{_back_link(session)}</section>",
    )


def payment_page(account, session, items, error, typed):
    """Return the page of an open session.

    :param account: the merchant.
    :param items: line items.
    :param error: what to tell the payer, empty for nothing.
    :param typed: what the payer has entered so far.
    """
    currency = session["currency"]
    total = escape(display(session["amount_total"], currency))
    branding = session["branding_settings"] or {}
    name = branding.get("display_name") or account.display_name
    summary = (
        f'<section aria-label="Order"><h1 id="merchant">{escape(name)}</h1>'
        f'<p class="total" id="total">{total}</p>'
        f'<ul class="items">{"".join(_item(item) for item in items)}</ul></section>'
    )
    form = (
        f'<section class="card pay"><h2>Pay {escape(name)}</h2>{_error(error)}'
        f'<form id="payment-form" method="post" action="/c/pay/{escape(session["id"])}">'
        f"{_email(session, typed)}{_methods(session, typed)}"
        f'<button type="submit" id="pay">Pay {total}</button></form>'
        f"{_custom_text(session)}{_cancel(session)}</section>"
    )
    return layout(f"Pay {name}", summary + form + _test_numbers(), "two")


def _item(item):
    quantity = item["quantity"]
    each = display(item["price"]["unit_amount"], item["currency"])
    count = f"<small>{quantity} × {escape(each)}</small>" if quantity != 1 else ""
    amount = escape(display(item["amount_total"], item["currency"]))
    return f"<li><span>{escape(item['description'])}{count}</span><b>{amount}</b></li>"


def _error(error):
    if not error:
        return ""
    return f'<p class="error" id="error" role="alert">{escape(error)}</p>'


def _email(session, typed):
    known = session["customer_email"]
    value = known or typed.get("email", "")
    fixed = "readonly" if known else "required"
    return (
        '<label for="email">E-mail</label><input type="email" id="email" name="email"'
        f' autocomplete="email" value="{escape(value)}" {fixed}>'
    )


def _methods(session, typed):
    offered = session["payment_method_types"]
    chosen = typed.get("method", offered[0])
    radios = "".join(_method(method, method == chosen) for method in offered)
    card = ""
    if "card" in offered:
        number = escape(typed.get("card_number", SUCCESS_CARD))
        card = (
            '<div class="card-number"><label for="card_number">Card number</label>'
            '<input type="text" id="card_number" name="card_number"'
            f' inputmode="numeric" autocomplete="off" value="{number}"></div>'
        )
    return f"<fieldset><legend>Payment method</legend>{radios}</fieldset>{card}"


def _method(method, checked):
    label = "Card" if method == "card" else f"Bank debit ({DEBIT_LABELS.get(method, method)})"
    mark = " checked" if checked else ""
    return (
        f'<label class="choice" for="method-{method}"><input type="radio" name="method"'
        f' id="method-{method}" value="{method}"{mark}>{escape(label)}</label>'
    )


def _custom_text(session):
    message = (session["custom_text"]["submit"] or {}).get("message")
    return f'<p class="note" id="submit-text">{escape(message)}</p>' if message else ""


def _cancel(session):
    if not session["cancel_url"]:
        return '<p class="back note">The shop has set no way back.</p>'
    return f'<p class="back"><a id="cancel" href="{escape(session["cancel_url"])}">Cancel</a></p>'


def _back_link(session):
    if not session.get("cancel_url"):
        return ""
    return f'<p><a id="cancel" href="{escape(session["cancel_url"])}">Back to the shop</a></p>'


def _test_numbers():
    rows = [(SUCCESS_CARD, "is paid"), *((n, MEANINGS[code]) for n, code in DECLINED_CARDS.items())]
    body = "".join(f"<tr><td><code>{n}</code></td><td>{text}</td></tr>" for n, text in rows)
    return (
        '<section class="card"><h2>Test numbers</h2><table><tbody>'
        f'{body}</tbody></table><p class="note">A bank debit is under way first; afterwards this'
        " page lets you decide what the bank answers.</p></section>"
    )
