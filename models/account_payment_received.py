"""How a payment came in that did not come through Stripe."""

from odoo import fields, models

RECEIVED_BY = [
    ('check', "Check"),
    ('ach', "ACH"),
    ('wire', "Wire"),
    ('cash', "Cash"),
    ('other', "Other"),
]


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    received_by = fields.Selection(
        RECEIVED_BY, help="How the client has paid outside of Stripe.", tracking=True
    )


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _stripe_checkout_is_registered(self):
        """Tell whether all that is left was received otherwise, and waits for the bank's statement.

        With Odoo's accounting app a payment may have no entry until then: it leaves the balance as
        it was.

        :rtype: bool
        """
        self.ensure_one()
        if self.payment_state != 'in_payment':
            return False
        # In sudo mode: clients cannot read payments.
        waiting_sudo = self.sudo().matched_payment_ids.filtered(
            lambda payment: (
                not payment.move_id
                and payment.payment_type == 'inbound'
                and payment.state in ('in_process', 'paid')
            )
        )
        received = sum(
            payment.currency_id._convert(
                payment.amount, self.currency_id, self.company_id, payment.date
            )
            for payment in waiting_sudo
        )
        return self.currency_id.compare_amounts(received, self._stripe_checkout_get_due()) >= 0

    def _compute_payments_widget_reconciled_info(self):
        """Override of `account` to say of each payment on the invoice how it came in."""
        res = super()._compute_payments_widget_reconciled_info()
        labels = dict(
            self.env['account.payment']._fields['received_by']._description_selection(self.env)
        )
        for move in self.filtered('invoice_payments_widget'):
            widget = move.invoice_payments_widget
            ids = [line['account_payment_id'] for line in widget['content']]
            payments = self.env['account.payment'].browse(filter(None, ids))
            received_by = {payment.id: payment.received_by for payment in payments.sudo()}
            for line in widget['content']:
                if label := labels.get(received_by.get(line['account_payment_id'])):
                    line['payment_method_name'] = label
            move.invoice_payments_widget = widget
        return res
