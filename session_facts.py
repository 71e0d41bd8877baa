"""What a Checkout Session says about money, read once from Stripe's object. No database here."""

from dataclasses import dataclass, field
from datetime import datetime

from . import const, utils

# What is kept of a session in the event ledger: no address, no name, no card.
_KEPT_KEYS = (
    'id', 'object', 'status', 'payment_status', 'amount_total', 'currency', 'created',
    'expires_at', 'livemode', 'metadata', 'payment_intent',
)  # fmt: skip


@dataclass(frozen=True)
class SessionFacts:
    """The state of a Checkout Session at one moment.

    `outcome` is one of `open`, `processing` (a delayed method, not settled yet), `paid`, `failed`
    (a delayed method that will not be settled) and `expired`.
    """

    session_id: str
    outcome: str
    payment_intent: str | None = None
    amount_minor: int = 0
    currency_name: str = ''
    paid_at: datetime | None = None  # when the money arrived; UTC, naive as Odoo keeps it
    confirmed_at: datetime | None = None  # when the client let a bank account be debited, UTC
    method: str = ''
    message: str = ''
    livemode: bool = False
    metadata: dict = field(default_factory=dict)
    created_at: datetime | None = None  # when the session was made, UTC
    # Who paid, as Stripe says it now; never stored with events.
    payer_email: str = ''
    payer_name: str = ''

    @property
    def amount(self):
        """The amount in major units."""
        return utils.to_major_units(self.amount_minor, self.currency_name)

    @property
    def database_uuid(self):
        """The database that made the session, None for a session of somebody else's."""
        return self.metadata.get(const.METADATA_DATABASE)

    @property
    def transaction_reference(self):
        """The reference of the transaction that the session was made for."""
        return self.metadata.get(const.METADATA_TRANSACTION)

    @property
    def invoice_ids(self):
        """The invoices that the session was made for."""
        names = sorted(name for name in self.metadata if name.startswith(const.METADATA_INVOICES))
        numbers = ','.join(self.metadata[name] for name in names).split(',')
        return [int(number) for number in numbers if number.isdigit()]

    @property
    def is_probe(self):
        """Whether the session only tests the connection, and is for nobody to pay."""
        return const.METADATA_PROBE in self.metadata

    @property
    def is_final_success(self):
        """Whether the session is paid for good: the one statement an event is trusted with."""
        return self.outcome == 'paid'


def is_debit(method):
    """Tell whether a method draws the money from a bank account, which takes some days.

    :param str method: Stripe's name of it, see
        https://docs.stripe.com/api/charges/object#charge_object-payment_method_details-type
    :rtype: bool
    """
    return method.endswith('_debit') or method in ('us_bank_account', 'nz_bank_account')


def write_invoice_ids(invoice_ids):
    """Write the invoices of a session as its metadata, in as many values as it takes.

    :param list[int] invoice_ids: The ids, as many as a session can have lines at most.
    :return: The metadata, which `SessionFacts.invoice_ids` reads.
    :rtype: dict[str, str]
    """
    width = 1 + max((len(str(invoice_id)) for invoice_id in invoice_ids), default=0)
    step = const.MAXIMUM_METADATA_LENGTH // width
    return {
        f'{const.METADATA_INVOICES}{f"_{start // step + 1}" if start else ""}': ','.join(
            map(str, invoice_ids[start : start + step])
        )
        for start in range(0, len(invoice_ids), step)
    } or {const.METADATA_INVOICES: ''}


def reduce_session(session):
    """Keep of a session only what settling needs.

    :param dict session: Stripe's Checkout Session.
    :return: The session without personal data.
    :rtype: dict
    """
    kept = {key: session[key] for key in _KEPT_KEYS if key in session}
    if 'metadata' in kept:
        kept['metadata'] = reduce_metadata(kept['metadata'])
    return kept


def reduce_metadata(metadata):
    """Keep of an object's metadata only what we wrote: others may write names and addresses.

    :param dict|None metadata: The metadata of an object at Stripe.
    :rtype: dict[str, str]
    """
    return {
        name: value
        for name, value in (metadata or {}).items()
        if name.startswith(const.METADATA_PREFIX)
    }


def from_session(session, occurred_at=None):
    """Read the facts from a Checkout Session.

    With the PaymentIntent expanded (`payment_intent.latest_charge.balance_transaction`) a delayed
    payment that failed is told from one that is under way; without it the session alone cannot
    tell, and counts as under way.

    :param dict session: Stripe's Checkout Session.
    :param int occurred_at: When Stripe says it happened, as a Unix time; read from the charge if
                            not given, which does not tell when a delayed method was settled.
    :return: The facts.
    :rtype: SessionFacts
    """
    intent = session.get('payment_intent')
    expanded = intent if isinstance(intent, dict) else {}
    charge = expanded.get('latest_charge')
    charge = charge if isinstance(charge, dict) else {}
    error = expanded.get('last_payment_error') or {}
    method = (charge.get('payment_method_details') or {}).get('type') or ''
    paid_at = occurred_at or _read_paid_at(charge, method)
    confirmed_at = charge.get('created') if is_debit(method) else None
    payer = session.get('customer_details') or {}
    return SessionFacts(
        session_id=session['id'],
        outcome=_read_outcome(session, expanded),
        payment_intent=expanded.get('id') or intent or None,
        amount_minor=session.get('amount_total') or 0,
        currency_name=(session.get('currency') or '').upper(),
        paid_at=utils.to_datetime(paid_at) if paid_at else None,
        confirmed_at=utils.to_datetime(confirmed_at) if confirmed_at else None,
        method=method,
        message=utils.redact(error.get('message')),
        livemode=bool(session.get('livemode')),
        metadata=session.get('metadata') or {},
        created_at=utils.to_datetime(session['created']) if session.get('created') else None,
        payer_email=payer.get('email') or '',
        payer_name=payer.get('name') or '',
    )


def _read_outcome(session, intent):
    """Reduce status, payment status and the PaymentIntent's status to one word."""
    if session.get('status') == 'expired':
        return 'expired'
    if session.get('status') != 'complete':
        return 'open'
    if session.get('payment_status') in ('paid', 'no_payment_required'):
        return 'paid'
    if intent.get('status') in ('requires_payment_method', 'canceled'):
        return 'failed'
    return 'processing'


def _read_paid_at(charge, method):
    """Return when the money was captured, None where the charge does not tell.

    The charge of a bank debit is made when the debit starts, and Stripe shows it on the balance
    then, days before it is settled:
    https://support.stripe.com/questions/changes-to-balance-transaction-behavior-for-debit-payment-methods
    """
    if is_debit(method):
        return None
    balance_transaction = charge.get('balance_transaction')
    if isinstance(balance_transaction, dict):
        return balance_transaction.get('created')
    return charge.get('created') if method == 'card' else None
