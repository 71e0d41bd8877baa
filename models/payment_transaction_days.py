"""When a client has paid, when the money arrived, and the day on which that is booked."""

from datetime import timedelta

from odoo import fields, models
from odoo.tools import SQL

from .. import utils


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    stripe_checkout_confirmed_at = fields.Datetime(
        string="Debit Confirmed On",
        help="When the client let the bank account be debited; the money arrives days later.",
        readonly=True,
        copy=False,
    )

    def _stripe_checkout_get_paid_at(self, facts):
        """Return when the money arrived.

        A session that was read from Stripe does not tell it of a bank debit, its event does. Where
        that did not arrive in time, it is now.

        :param SessionFacts facts: The facts of the paid session.
        :return: The time in UTC.
        :rtype: datetime
        """
        return (
            facts.paid_at
            or self._stripe_checkout_find_event_time(
                'checkout.session.async_payment_succeeded', facts.session_id
            )
            or fields.Datetime.now()
        )

    def _stripe_checkout_find_event_time(self, event_type, object_id):
        """Return when something happened to an object of Stripe's, if the ledger knows.

        :param str event_type: Stripe's type of the event.
        :param str object_id: The id of the object, a Checkout Session say.
        :return: The time in UTC, None if no such event is stored.
        :rtype: datetime|None
        """
        self.ensure_one()
        self.env.cr.execute(
            SQL(
                """
                SELECT MIN(occurred_at)
                  FROM stripe_event
                 WHERE type = %s
                   AND provider_id = %s
                   AND payload ->> 'id' = %s
                """,
                event_type,
                self.provider_id.id,
                object_id,
            )
        )
        return self.env.cr.fetchone()[0]

    def _stripe_checkout_lacks_start(self):
        """Tell whether a discount depends on when the client let a bank account be debited.

        Stripe's event that the money has arrived may come before the one that it is under way.

        :return: Whether it does, and that is not known yet.
        :rtype: bool
        """
        self.ensure_one()
        promise = self.stripe_checkout_promise or {}
        return bool(promise.get('discounts')) and not self.stripe_checkout_confirmed_at

    def _stripe_checkout_prepare_discount_lines(self, facts, paid_at):
        """Prepare the journal items of the early-payment discounts that the client has earned.

        What was promised counts, if all of it was paid by the day of the terms: the day on which
        the client paid, whenever it is booked. Who lets a bank account be debited has paid then;
        the days that banks take are not the client's.

        :param SessionFacts facts: The facts of the paid session.
        :param datetime paid_at: When the money arrived, UTC: its day has the rate of exchange.
        :rtype: list[dict]
        """
        promise = self.stripe_checkout_promise or {}
        if not promise.get('discounts') or facts.amount_minor != promise['amount']:
            return []
        get_day = self.provider_id._stripe_checkout_get_day
        day = get_day(self.stripe_checkout_confirmed_at or paid_at)
        lines = []
        for invoice in self.invoice_ids.filtered(lambda move: move.state == 'posted'):
            promised = promise['discounts'].get(str(invoice.id))
            discount = invoice._stripe_checkout_get_discount(day)
            if promised and promised == utils.to_minor_units(discount, promise['currency']):
                lines += invoice._stripe_checkout_prepare_discount_lines(day, get_day(paid_at))
        return lines

    def _stripe_checkout_get_booking_date(self, moved_at, discount_lines=()):
        """Return the day on which a payment is booked, or what undoes it.

        Stripe's day in the provider's time zone; the first open day where that one is locked. Odoo
        would move the journal entry alone, and leave the payment behind.

        :param datetime moved_at: When the money moved at Stripe, UTC; now if not known.
        :param list[dict] discount_lines: The journal items of a discount; their taxes have a lock,
                                          too.
        :rtype: date
        """
        items = self.env['account.move.line']
        has_tax = any(items.new(line)._affect_tax_report() for line in discount_lines)
        provider = self.provider_id
        day = provider._stripe_checkout_get_day(moved_at or fields.Datetime.now())
        locks = self.company_id._get_violated_lock_dates(day, has_tax, provider.journal_id)
        return locks[-1][0] + timedelta(days=1) if locks else day
