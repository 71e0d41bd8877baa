"""Test mode that cannot be mistaken: its entries, and the way to take them out of the books."""

from odoo import fields, models


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_test_entry_count = fields.Integer(
        string="Test Entries in the Books", compute='_compute_stripe_checkout_test_entry_count'
    )

    def _compute_stripe_checkout_test_entry_count(self):
        for provider in self:
            provider.stripe_checkout_test_entry_count = len(
                provider._stripe_checkout_get_test_entries()
            )

    def _stripe_checkout_get_test_entries(self):
        """Return the entries of test mode that are still in the books.

        Not payments alone: refunds, fees, disputes and payouts of test mode are no less untrue.

        :rtype: account.move
        """
        self.ensure_one()
        return self.env['account.move'].search([
            ('journal_id.stripe_checkout_mode', '=', 'test'),
            ('company_id', 'child_of', self.company_id.id),
            ('state', '=', 'posted'),
            ('reversed_entry_id', '=', False),
            ('reversal_move_ids', '=', False),
        ])

    def action_stripe_checkout_open_reverse_tests(self):
        """List the entries of test mode in the books, with the way to reverse them.

        :rtype: dict
        """
        self.ensure_one()
        self._stripe_checkout_check_access()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'payment_stripe_checkout.action_stripe_checkout_reverse_tests'
        )
        # Made here: on a record that is not stored yet, payments show without their numbers.
        wizard = self.env['stripe.checkout.reverse.tests'].create({'provider_id': self.id})
        return {**action, 'res_id': wizard.id, 'context': {'default_provider_id': self.id}}
