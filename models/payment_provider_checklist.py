"""The operating checklist: what a billing admin should have seen to, each line ticking itself."""

from datetime import timedelta

from odoo import api, fields, models

from .payment_provider_settings import SETTINGS_FIELDS

PAID_WITHIN = timedelta(days=90)  # The payments that tell how long clients take.


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_checklist = fields.Html(
        string="Checklist", compute='_compute_stripe_checkout_checklist', sanitize=False
    )

    @api.depends(lambda self: ['stripe_checkout_webhook_state', 'state', *sorted(SETTINGS_FIELDS)])
    def _compute_stripe_checkout_checklist(self):
        for provider in self:
            provider.stripe_checkout_checklist = self.env['ir.qweb']._render(
                'payment_stripe_checkout.settings_checklist',
                {'lines': provider._stripe_checkout_list_checklist()},
            )

    def _stripe_checkout_list_checklist(self):
        """Return the operating checklist, each line with whether it is done.

        Computed from what is stored: no call to Stripe.

        :return: The text of each line, whether it is ticked, and a hint.
        :rtype: list[tuple[str, bool, str]]
        """
        self.ensure_one()
        provider = self.sudo()  # Billing admins cannot read the key.
        connected = provider._stripe_checkout_is_connected()
        confirmed = provider.stripe_checkout_webhook_state == 'confirmed'
        # Registering anew forgets when the webhook was confirmed.
        tested = provider.stripe_checkout_confirmed_at and not provider._stripe_checkout_has_moved()
        hours = provider._stripe_checkout_get_link_hours()
        days = self._stripe_checkout_get_days_to_paid()
        overdue = self._stripe_checkout_count_overdue()
        return [
            (
                self.env._("Stripe is connected and the webhook is confirmed"),
                connected and confirmed,
                '',
            ),
            (
                self.env._("Payment links live as long as clients take to pay"),
                days is not None and days * 24 <= hours,
                self._stripe_checkout_describe_link_life(hours, days),
            ),
            (
                self.env._("Invoice e-mails carry a payment link"),
                provider.stripe_checkout_links_in_emails,
                '',
            ),
            (
                self.env._("Clients receive a payment confirmation"),
                provider.stripe_checkout_send_confirmations,
                '',
            ),
            (
                self.env._("Events have arrived since the address or the keys were changed"),
                connected and tested,
                provider.stripe_checkout_base_url if connected else '',
            ),
            (
                self.env._("No invoice is overdue"),
                not overdue,
                self.env._("%(count)s to remind of", count=overdue) if overdue else '',
            ),
        ]

    def _stripe_checkout_get_days_to_paid(self):
        """Return how long clients took of late, from an invoice to its payment online.

        :return: The average in days; None where nobody paid.
        :rtype: float|None
        """
        self.ensure_one()
        [(count, days)] = self.env['stripe.checkout.report']._read_group(
            [
                ('company_id', 'child_of', self.company_id.id),
                ('paid_at', '>=', fields.Datetime.now() - PAID_WITHIN),
            ],
            aggregates=['__count', 'days_to_paid:avg'],
        )
        return days if count else None

    def _stripe_checkout_describe_link_life(self, hours, days):
        """Say how long links live, beside how long clients take.

        :param int hours: The life of a link.
        :param float|None days: The days from invoice to payment.
        :rtype: str
        """
        if days is None:
            return self.env._("%(hours)s hours; nobody has paid online lately", hours=hours)
        return self.env._(
            "%(hours)s hours; clients took %(days).1f days on average", hours=hours, days=days
        )

    def _stripe_checkout_count_overdue(self):
        """Return how many customer invoices are overdue and unpaid.

        Those of branches too, which are paid through this connection.

        :rtype: int
        """
        self.ensure_one()
        return self.env['account.move'].search_count([
            ('company_id', 'child_of', self.company_id.id),
            ('move_type', '=', 'out_invoice'),
            ('state', '=', 'posted'),
            ('payment_state', 'in', ('not_paid', 'partial')),
            ('invoice_date_due', '<', fields.Date.context_today(self)),
        ])

    def action_stripe_checkout_open_overdue(self):
        """Open the overdue invoices of the company.

        :rtype: dict
        """
        self.ensure_one()
        self._stripe_checkout_check_access()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'account.action_move_out_invoice_type'
        )
        return {**action, 'context': {'search_default_late': 1, 'default_move_type': 'out_invoice'}}
