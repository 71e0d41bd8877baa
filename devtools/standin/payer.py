"""What a payer does, and what time does to a Checkout Session."""

from .errors import CheckoutError
from .payment_methods import MESSAGES, customer_details
from .payments import Payment


class Payer:
    """Pays, is declined, settles and fails; all under the stand-in's lock.

    :param world: the stand-in.
    """

    def __init__(self, world):
        self.world = world

    def find(self, session_id):
        """Return the account and the session with this id.

        :raise CheckoutError: if there is none.
        """
        for account in self.world.accounts:
            session = account.store.get("checkout.session", session_id)
            if session:
                return account, session
        raise CheckoutError(f"No such Checkout Session: {session_id}")

    def confirm(self, session_id, method="card", decline=None, amount=None, email=None):
        """Press "Pay" on the hosted page.

        :param method: ``card``, or a bank debit that the session offers.
        :param decline: decline code of a refused card, None for success.
        :param amount: what is captured instead of the session's total, in minor units.
        :param email: what the payer typed, where the session does not name it.
        :return: the events of completing the session, empty after a decline.
        :raise CheckoutError: if the session is not open or does not offer the method.
        :raise ValueError: for an unknown decline code.
        """
        if decline and decline not in MESSAGES:
            raise ValueError(f"Unknown decline: {decline}. Known: {', '.join(MESSAGES)}.")
        with self.world.lock:
            self.world.clock.run_due()
            account, session = self.find(session_id)
            if session["status"] != "open":
                raise CheckoutError(f"This Checkout Session is {session['status']}.")
            if method not in session["payment_method_types"]:
                offered = ", ".join(session["payment_method_types"])
                raise CheckoutError(f"This session does not offer {method}, only {offered}.")
            if amount is not None:
                session["amount_subtotal"] = session["amount_total"] = amount
            payment = Payment(self.world, account, session)
            payment.start(method, email or session["customer_email"])
            if decline:
                payment.decline(decline)
                return []
            if method == "card":
                payment.succeed()
                session["payment_status"] = "paid"
            else:
                payment.process()
            self._complete(account, session, email)
            return self._emit(account, "completed", session)

    def _complete(self, account, session, email):
        customer = account.store.get("customer", session["customer"]) or {}
        session["status"] = "complete"
        session["url"] = None
        session["customer_details"] = customer_details(
            session["customer_email"] or customer.get("email") or email, customer.get("name")
        )

    def settle_debit(self, session_id):
        """Let the bank pay a debit that is under way.

        :raise CheckoutError: if none is.
        """
        with self.world.lock:
            account, session, payment = self._processing(session_id)
            payment.succeed()
            session["payment_status"] = "paid"
            self._emit(account, "async_payment_succeeded", session)
            return session

    def fail_debit(self, session_id, code="insufficient_funds"):
        """Let the bank refuse a debit that is under way.

        :raise CheckoutError: if none is.
        """
        with self.world.lock:
            account, session, payment = self._processing(session_id)
            payment.fail(code)
            self._emit(account, "async_payment_failed", session)
            return session

    def fail_late(self, session_id, code="insufficient_funds"):
        """Let a bank debit fail that had succeeded: without a dispute, and the session stays paid.

        :raise CheckoutError: if no bank debit has paid the session.
        """
        with self.world.lock:
            account, session = self.find(session_id)
            payment = Payment(self.world, account, session)
            if session["payment_status"] != "paid" or payment.is_by_card:
                raise CheckoutError("No bank debit has paid this Checkout Session.")
            if payment.charge["amount_refunded"] or payment.charge["disputed"]:
                raise CheckoutError("Of this debit, money went back already.")
            if payment.charge["status"] == "failed":
                raise CheckoutError("This debit has failed already.")
            if payment.charge["balance_transaction"] is None:  # What had come in has its movement.
                self.world.bookkeeping.book_now(account, payment.charge)
            payment.fail(code)
            return session

    def _processing(self, session_id):
        account, session = self.find(session_id)
        payment = Payment(self.world, account, session)
        if not payment.intent or payment.intent["status"] != "processing":
            raise CheckoutError("No bank debit of this Checkout Session is under way.")
        return account, session, payment

    def expire_in_time(self, account, session):
        """Expire a session when its time comes, if it is still open then."""

        def due():
            if session["status"] == "open":
                self.expire(account, session)

        self.world.clock.at(session["expires_at"], due)

    def expire(self, account, session, cause=None):
        """Expire an open session; a PaymentIntent left by a declined card is cancelled.

        :param cause: see :meth:`events.Events.emit`.
        """
        session["status"] = "expired"
        session["url"] = None
        payment = Payment(self.world, account, session)
        if payment.intent:
            payment.cancel()
        self._emit(account, "expired", session, cause)

    def _emit(self, account, what, session, cause=None):
        return self.world.events.emit(account, f"checkout.session.{what}", session, cause=cause)
