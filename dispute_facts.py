"""What a Dispute says, read once from Stripe's object. No database here."""

from dataclasses import dataclass
from datetime import datetime

from . import utils


@dataclass(frozen=True)
class DisputeFacts:
    """The state of a dispute at one moment; `status` is Stripe's own word."""

    dispute_id: str
    status: str
    payment_intent: str | None = None
    amount_minor: int = 0
    currency_name: str = ''
    reason: str = ''
    opened_at: datetime | None = None  # UTC, naive as Odoo keeps it
    evidence_due_by: datetime | None = None  # UTC, naive as Odoo keeps it
    lost_at: datetime | None = None  # UTC; a dispute does not tell, its event does

    @property
    def amount(self):
        """The amount in major units."""
        return utils.to_major_units(self.amount_minor, self.currency_name)


def from_dispute(dispute):
    """Read the facts from a dispute.

    :param dict dispute: Stripe's Dispute.
    :rtype: DisputeFacts
    """
    intent = dispute.get('payment_intent')
    due_by = (dispute.get('evidence_details') or {}).get('due_by')
    return DisputeFacts(
        dispute_id=dispute['id'],
        status=dispute['status'],
        payment_intent=intent.get('id') if isinstance(intent, dict) else intent,
        amount_minor=dispute.get('amount') or 0,
        currency_name=(dispute.get('currency') or '').upper(),
        reason=dispute.get('reason') or '',
        opened_at=utils.to_datetime(dispute['created']) if dispute.get('created') else None,
        evidence_due_by=utils.to_datetime(due_by) if due_by else None,
    )
