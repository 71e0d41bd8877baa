import logging

import psycopg2
import stripe
from psycopg2.extensions import TransactionRollbackError
from werkzeug.urls import url_encode

from odoo import http
from odoo.exceptions import RedirectWarning, UserError
from odoo.http import request

from .. import session_facts, utils
from .billing import BillingController

_logger = logging.getLogger(__name__)

# A pay link is a secret of its holder: neither caches nor the next site may learn it.
PRIVATE_HEADERS = {
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
    'X-Robots-Tag': 'noindex, nofollow',
}

VISIT_LOOKS = 5

# Where the session notes from which invoices' pages its visitor went to pay.
CAME_FROM = 'stripe_checkout_came_from'

# Why nothing can be opened or booked right now: Stripe, accounting or another module refuses. What
# they say is for staff; whoever pays reads one of our pages.
REFUSALS = (stripe.StripeError, utils.InexactAmount, UserError, RedirectWarning)

# How long the page after Checkout waits before it looks again: soon at first, then seldom, and
# not for ever.
WAITING_SECONDS = (2, 2, 3, 5, 10, 20, 30, 60, 60, 60)

# `website` gives the pages the frontend's layout; without `multilang` the address of a link stays
# as it was handed out, in any language.
PAGE = {
    'type': 'http',
    'auth': 'public',
    'methods': ['GET'],
    'website': True,
    'multilang': False,
    'sitemap': False,
}


class PayController(http.Controller):
    """The client's road to Stripe and back."""

    # === THERE === #

    @http.route('/pay/<string:token>', **PAGE)
    def pay(self, token):
        """Lead whoever holds a link straight to Stripe, or say why not.

        :param str token: The token of the link.
        """
        link = request.env['stripe.payment.link']._find(token)
        if not link:
            return self._render_unknown()
        self._use_language_of(link)
        if self._is_only_looking() or link._is_part_paid():
            state = link._get_state()
            return self._render('state', {'link': link, 'state': state})
        return self._lead(link)

    @http.route('/pay/<string:token>/checkout', **{**PAGE, 'methods': ['GET', 'POST']})
    def checkout(self, token):
        """Lead somebody to Stripe who pressed Pay, where a mere visit does not.

        :param str token: The token of the link.
        """
        link = request.env['stripe.payment.link']._find(token)
        if not link:
            return self._render_unknown()
        if request.httprequest.method != 'POST':
            return self._lead_to_link(link)
        self._use_language_of(link)
        return self._lead(link)

    @staticmethod
    def _is_only_looking():
        """Tell whether nobody visits who would pay: nothing is opened for a link scanner, a preview
        or a prefetch, nor for staff who look where their client's link leads. A client who is taken
        for one finds a Pay button.

        https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Purpose

        :rtype: bool
        """
        headers = request.httprequest.headers
        purposes = [headers.get(name, '') for name in ('Sec-Purpose', 'Purpose', 'X-Moz')]
        return (
            request.httprequest.method != 'GET'  # HEAD, and OPTIONS, which Odoo lets through.
            or any('prefetch' in purpose.lower() for purpose in purposes)
            or request.env['ir.http'].is_a_bot()
            or request.env.user._is_internal()
        )

    def _lead(self, link):
        """Redirect to the Checkout page of a link, or say what became of the invoices."""
        try:
            state, url = self._visit(link)
        except REFUSALS as error:
            request.env.cr.rollback()  # A former session was paid, maybe, and is half booked.
            _logger.warning(
                "No Checkout Session for link %s: %s", link.id, utils.redact(str(error))
            )
            state, url = 'unavailable', None
        if url:
            return self._protect(request.redirect(url, code=303, local=False))
        return self._render('state', {'link': link, 'state': state})

    def _visit(self, link):
        """Visit a link, looking again at once where another visitor was faster.

        Odoo's own retrying would sleep for seconds, and open another connection for each of the
        visitors that woke up together.
        """
        for _look in range(VISIT_LOOKS):
            try:
                return link._visit()
            except psycopg2.errors.SerializationFailure:
                request.env.cr.rollback()  # A fresh snapshot, in which the other's session is.
        return link._visit()

    # === BACK === #

    @http.route('/pay/<string:token>/done', **PAGE)
    def done(self, token, session_id=None, look='0'):
        """Thank the client for what was really received, or wait for it.

        :param str token: The token of the link.
        :param str session_id: The Checkout Session that the client comes from.
        :param str look: How often the page has looked for the payment by itself.
        """
        link, transaction = self._find_payment(token, session_id)
        if not transaction:
            return self._render_unknown()
        self._use_language_of(link)
        self._settle(transaction)
        state = self._get_done_state(transaction)
        looks = int(look) if len(look) < 4 and look.isdecimal() else 0
        looks_again = state == 'waiting' and looks < len(WAITING_SECONDS)
        response = self._render(
            'done',
            {'link': link, 'transaction': transaction, 'state': state, 'looks_again': looks_again},
        )
        if looks_again:
            # The browser looks again by itself, without JavaScript.
            query = url_encode({'session_id': session_id, 'look': looks + 1})
            response.headers['Refresh'] = (
                f'{WAITING_SECONDS[looks]}; url={link._get_path()}/done?{query}'
            )
        return response

    @http.route('/pay/<string:token>/receipt', **PAGE)
    def receipt(self, token, session_id=None):
        """Show the receipt of a payment to whoever has just made it.

        :param str token: The token of the link.
        :param str session_id: The Checkout Session of the payment.
        """
        link, transaction = self._find_payment(token, session_id)
        if not transaction or not transaction.payment_id:
            return self._render_unknown()
        self._use_language_of(link)
        return self._protect(BillingController()._show_payment_receipt(transaction.payment_id))

    def _find_payment(self, token, session_id):
        """Return the link and the transaction of a session, None for what does not belong together.

        :rtype: tuple[stripe.payment.link, payment.transaction|None]
        """
        link = request.env['stripe.payment.link']._find(token)
        return link, link._find_transaction(session_id) if link else None

    @staticmethod
    def _get_done_state(transaction):
        """Say in one word what the page after Checkout has to tell.

        :return: `'done'`, `'pending'` (a delayed method), `'uncertain'` where a debit that may
                 still be drawn is waited for no longer, `'failed'`, or `'waiting'` where nothing is
                 known yet.
        :rtype: str
        """
        if transaction.state == 'done' and transaction.payment_id:
            return 'done'
        if transaction.state in ('pending', 'authorized'):
            return 'pending'
        if transaction.stripe_checkout_freed or transaction.stripe_checkout_left_account:
            return 'uncertain'
        return 'failed' if transaction.state in ('cancel', 'error') else 'waiting'

    @http.route('/pay/<string:token>/cancelled', **PAGE)
    def cancelled(self, token):
        """Take a client back who left Stripe without paying.

        :param str token: The token of the link.
        """
        link = request.env['stripe.payment.link']._find(token)
        if not link:
            return self._render_unknown()
        self._use_language_of(link)
        state = link._get_state()
        return self._render(
            'state',
            {
                'link': link,
                'state': 'cancelled_at_stripe' if state == 'payable' else state,
            },
        )

    @http.route('/payment/stripe_checkout/return', **PAGE)
    def return_to_form(self, session_id=None):
        """Take a client back who paid through Odoo's payment form.

        :param str session_id: The Checkout Session that the client comes from.
        """
        transaction = request.env['payment.transaction']._stripe_checkout_find(session_id)
        if transaction:
            self._settle(transaction)
        return request.redirect('/payment/status')

    def _settle(self, transaction):
        """Settle the session that a client comes from, before the webhook does if need be.

        :param payment.transaction transaction: The transaction of the session.
        """
        if transaction.payment_id and transaction.stripe_checkout_method:
            return  # Nothing is left to be learned: an event alone does not tell the method.
        try:
            session = transaction.provider_id._stripe_checkout_retrieve_session(
                transaction.stripe_checkout_session_id
            )
            self._settle_facts(transaction, session_facts.from_session(session))
        except REFUSALS as error:
            # The webhook or the sweep settles it; the page says what is known so far.
            request.env.cr.rollback()
            _logger.warning(
                "Could not settle the session of %s: %s",
                transaction.reference,
                utils.redact(str(error)),
            )

    def _settle_facts(self, transaction, facts):
        """Settle what Stripe says, looking again at once where somebody else was faster.

        Odoo's own retrying would sleep for seconds, and ask Stripe again.

        :param payment.transaction transaction: The transaction of the session.
        :param SessionFacts facts: The facts, as Stripe has just stated them.
        """
        cr = request.env.cr
        for _look in range(VISIT_LOOKS):
            # A snapshot from before the call would miss what the webhook settled meanwhile.
            cr.commit()  # pylint: disable=invalid-commit
            try:
                # What is booked lacks the method at most: nobody waits for that, least of all for
                # whoever writes the confirmation.
                if not transaction.payment_id or transaction.try_lock_for_update():
                    transaction._stripe_checkout_settle(transaction.provider_id, [facts])
                cr.commit()  # pylint: disable=invalid-commit
                return
            except TransactionRollbackError:
                cr.rollback()

    # === HELPERS === #

    def _use_language_of(self, link):
        """Speak the language of the client who was sent the link."""
        lang = link.move_ids[:1].partner_id.lang
        # An archived client keeps a language that was switched off.
        if lang and request.env['res.lang']._get_data(code=lang):
            request.update_context(lang=lang)

    def _render_unknown(self):
        """Answer every unknown token alike."""
        response = self._render('state', {'link': None, 'state': 'unknown'})
        response.status_code = 404
        return response

    def _render(self, page, values):
        template = f'payment_stripe_checkout.pay_{page}'
        values['is_way_back'] = bool(values['link']) and self._is_way_back(values['link'])
        lang = request.env.lang  # Of the client: the records were found before it was known.
        for name in {'link', 'transaction'} & values.keys():
            values[name] = values[name] and values[name].with_context(lang=lang)
        return self._protect(request.render(template, values))

    def _lead_to_link(self, link):
        """Lead to the link whoever comes to the address of one of its buttons without pressing it:
        a browser that opens its pages again asks for them anew.

        :param stripe.payment.link link: The link.
        """
        return self._protect(request.redirect(link._get_path(), code=303))

    @staticmethod
    def _is_way_back(link):
        """Tell whether the visitor may be led to the page of the invoice.

        That are clients who are logged in, and whoever came from there. A pay link alone does not
        open it: it is handed on to whoever pays, it ends and can be revoked, while the address of
        an invoice's page is good for ever.

        :param stripe.payment.link link: The link.
        :rtype: bool
        """
        came_from = request.session.get(CAME_FROM, [])
        return link._is_seen_by(request.env.user) or (
            bool(link.move_ids) and set(link.move_ids.ids) <= set(came_from)
        )

    @staticmethod
    def _protect(response):
        response.headers.update(PRIVATE_HEADERS)
        return response
