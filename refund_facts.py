"""What a Refund says about money, read once from Stripe's object. No database here."""

from dataclasses import dataclass, field
from datetime import datetime

from . import const, utils


@dataclass(frozen=True)
class RefundFacts:
    """The state of a refund at one moment.

    `outcome` is one of `waiting` (nothing has left Stripe's balance yet), `paid` (the money is on
    its way to the client, or there) and `failed` (it came back, or never left).
    """

    refund_id: str
    outcome: str
    payment_intent: str | None = None
    amount_minor: int = 0
    currency_name: str = ''
    refunded_at: datetime | None = None  # UTC, naive as Odoo keeps it
    message: str = ''
    metadata: dict = field(default_factory=dict)

    @property
    def amount(self):
        """The amount in major units."""
        return utils.to_major_units(self.amount_minor, self.currency_name)

    @property
    def transaction_reference(self):
        """The reference of the refund's transaction, None for a refund made at Stripe."""
        return self.metadata.get(const.METADATA_TRANSACTION)


def from_refund(refund):
    """Read the facts from a refund.

    The balance of the account pays when Stripe says `pending` or `succeeded`; of the two only the
    second is final. https://docs.stripe.com/api/refunds/object#refund_object-status

    :param dict refund: Stripe's Refund.
    :rtype: RefundFacts
    """
    outcome = {'pending': 'paid', 'succeeded': 'paid', 'requires_action': 'waiting'}
    intent = refund.get('payment_intent')
    return RefundFacts(
        refund_id=refund['id'],
        outcome=outcome.get(refund.get('status'), 'failed'),
        payment_intent=intent.get('id') if isinstance(intent, dict) else intent,
        amount_minor=refund.get('amount') or 0,
        currency_name=(refund.get('currency') or '').upper(),
        refunded_at=utils.to_datetime(refund['created']) if refund.get('created') else None,
        message=(refund.get('failure_reason') or '').replace('_', ' '),
        metadata=refund.get('metadata') or {},
    )
