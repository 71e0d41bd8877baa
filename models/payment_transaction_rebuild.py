"""Paid sessions of ours without a row: the database was restored from an older copy."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import email_normalize

from ..const import PROVIDER_CODE

# How far Stripe's clock and ours may be apart.
CLOCK_MARGIN = timedelta(minutes=5)


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    @api.model
    def _stripe_checkout_rebuild(self, provider, facts):
        """Make the missing transaction of a session of ours that was paid.

        The money is captured, whatever this database remembers: where the invoices are gone too
        it becomes the open credit of the contact who paid.

        :param payment.provider provider: The provider.
        :param SessionFacts facts: The facts, as Stripe has just stated them.
        :return: The transaction.
        :rtype: payment.transaction
        :raise UserError: If Odoo does not know the currency.
        """
        currency = self.env['res.currency']._stripe_checkout_require(facts.currency_name)
        invoices = self._stripe_checkout_find_invoices(facts)
        payer = invoices[:1].partner_id or self._stripe_checkout_find_payer(provider, facts)
        return self.create({
            'provider_id': provider.id,
            'payment_method_id': provider.with_context(active_test=False).payment_method_ids[:1].id,
            'reference': self._compute_reference(PROVIDER_CODE, prefix=facts.transaction_reference),
            'amount': facts.amount,
            'currency_id': currency.id,
            'partner_id': payer.id,
            'operation': 'online_redirect',
            'invoice_ids': [fields.Command.set(invoices.ids)],
            'stripe_checkout_promise': self._stripe_checkout_prepare_promise(invoices, facts.amount)
            if invoices.currency_id == currency
            else {
                'currency': facts.currency_name,
                'amount': facts.amount_minor,
                'invoices': [],
            },
            'stripe_checkout_session_id': facts.session_id,
        })

    @api.model
    def _stripe_checkout_find_invoices(self, facts):
        """Return the invoices of a session that are in this database.

        An older copy gives the same ids again, to other invoices: those are younger than the
        session.

        :rtype: account.move
        """
        invoices = self.env['account.move'].browse(facts.invoice_ids).exists()
        latest = (facts.created_at or fields.Datetime.now()) + CLOCK_MARGIN
        return invoices.filtered(lambda move: move.create_date <= latest)

    @api.model
    def _stripe_checkout_find_payer(self, provider, facts):
        """Return the contact with the e-mail address that was given at Stripe, made if need be.

        :rtype: res.partner
        """
        partners = self.env['res.partner']
        email = email_normalize(facts.payer_email)
        known = email and partners.search(
            [
                ('email_normalized', '=', email),
                *partners._check_company_domain(provider.company_id),
            ],
            order='id',
            limit=1,
        )
        return known or partners.create({
            'name': facts.payer_name or email or self.env._("Unknown payer"),
            'email': email,
        })
