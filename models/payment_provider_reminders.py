"""The schedule of payment reminders: off unless staff switch it on."""

import pytz

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..const import PROVIDER_CODE

REMINDER_MAXIMUM_DAYS = 365


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_reminders = fields.Boolean(
        string="Payment Reminders",
        help="Remind clients of unpaid invoices by e-mail, each time with a fresh payment link. "
        "Never of invoices that are paid, disputed, or whose payment is on its way.",
        copy=False,
        tracking=True,
    )
    stripe_checkout_reminder_before = fields.Char(
        string="Days Before the Due Date",
        help="Numbers of days, separated by commas. 0 is the due date itself.",
        default="3",
        copy=False,
        tracking=True,
    )
    stripe_checkout_reminder_after = fields.Char(
        string="Days After the Due Date",
        help="Numbers of days, separated by commas.",
        default="1, 7, 14",
        copy=False,
        tracking=True,
    )

    @api.constrains('stripe_checkout_reminder_before', 'stripe_checkout_reminder_after')
    def _check_stripe_checkout_reminders(self):
        for provider in self.filtered(lambda p: p.code == PROVIDER_CODE):
            provider._stripe_checkout_get_reminder_stages()

    def _stripe_checkout_get_reminder_stages(self):
        """Return when clients are reminded, in days from the due date, the latest first.

        :rtype: list[int]
        :raise ValidationError: If a list of days is not one.
        """
        self.ensure_one()
        before = self._stripe_checkout_parse_days(self.stripe_checkout_reminder_before)
        after = self._stripe_checkout_parse_days(self.stripe_checkout_reminder_after)
        return sorted({-days for days in before} | after, reverse=True)

    def _stripe_checkout_parse_days(self, text):
        """Read a list of days.

        :param str text: Numbers, separated by commas; may be empty.
        :rtype: set[int]
        :raise ValidationError: If it is anything else.
        """
        words = [word.strip() for word in (text or '').split(',') if word.strip()]
        if any(not word.isdecimal() or int(word) > REMINDER_MAXIMUM_DAYS for word in words):
            raise ValidationError(
                self.env._(
                    "Write the days of reminders as numbers from 0 to %(maximum)s, separated by "
                    "commas, such as: 1, 7, 14",
                    maximum=REMINDER_MAXIMUM_DAYS,
                )
            )
        return {int(word) for word in words}

    def _stripe_checkout_get_today(self):
        """Return what day it is in the time zone of the connection.

        :rtype: date
        """
        self.ensure_one()
        now = pytz.utc.localize(fields.Datetime.now())
        return now.astimezone(pytz.timezone(self.stripe_checkout_tz or 'UTC')).date()
