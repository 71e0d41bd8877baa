"""What a Checkout Session asks of the client: the promise, and its form for Stripe."""

from odoo import api, models
from odoo.tools import email_normalize_all

from .. import const, session_facts, utils


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    @api.model
    def _stripe_checkout_prepare_promise(self, invoices, amount):
        """Prepare what the client is asked to pay.

        :param account.move invoices: The invoices, of one currency.
        :param float amount: The amount of them all, in major units.
        :return: The promise: the currency, the amount, the share of each invoice, and the
                 early-payment discounts that go with it; all amounts are in minor units.
        :rtype: dict
        :raise utils.InexactAmount: If Stripe cannot take the amount as it is.
        """
        currency_name = invoices.currency_id.name
        minor = utils.to_minor_units(amount, currency_name)
        dues = {
            invoice: utils.to_minor_units(invoice.amount_residual, currency_name)
            for invoice in invoices.sorted('id')
        }
        discounts = {
            invoice: utils.to_minor_units(invoice._stripe_checkout_get_discount(), currency_name)
            for invoice in dues
        }
        if minor > sum(dues.values()) - sum(discounts.values()):
            discounts = dict.fromkeys(dues, 0)  # The client pays without.
        left, shares, granted = minor, [], {}
        for invoice, due in dues.items():
            discount = discounts[invoice]
            share = min(due - discount, left)
            left -= share
            shares.append([invoice.id, share])
            if discount and share == due - discount:
                granted[str(invoice.id)] = discount
        promise = {'currency': currency_name, 'amount': minor, 'invoices': shares}
        return {**promise, 'discounts': granted} if granted else promise

    def _stripe_checkout_get_share(self, invoice):
        """Return which part of the transaction is for an invoice.

        :param account.move invoice: One of the invoices of the transaction.
        :return: The amount in major units; all of it where nothing was promised.
        :rtype: float
        """
        self.ensure_one()
        promise = self.stripe_checkout_promise
        if not promise:
            return self.amount
        return utils.to_major_units(
            dict(promise['invoices']).get(invoice.id, 0), promise['currency']
        )

    def _stripe_checkout_prepare_session_payload(self):
        """Prepare what is asked of Stripe, the same for the same transaction at any time.

        :return: The parameters of Stripe's Checkout Session.
        :rtype: dict
        """
        self.ensure_one()
        invoices = self.invoice_ids.sorted('id')
        database_uuid = self.env['ir.config_parameter'].sudo().get_param('database.uuid')
        metadata = {
            const.METADATA_DATABASE: database_uuid,
            const.METADATA_PROVIDER: str(self.provider_id.id),
            const.METADATA_TRANSACTION: self.reference,
            **session_facts.write_invoice_ids(invoices.ids),
        }
        if self.stripe_checkout_link_id:
            addresses = self.stripe_checkout_link_id._get_session_values()
        else:
            base_url = self.provider_id.stripe_checkout_base_url or self.get_base_url()
            addresses = {
                'success_url': f'{base_url}/payment/stripe_checkout/return'
                '?session_id={CHECKOUT_SESSION_ID}',
                'cancel_url': f'{base_url}{self.landing_route or "/my"}',
            }
        payload = {
            'mode': 'payment',
            'line_items': self._stripe_checkout_prepare_line_items(),
            'success_url': addresses['success_url'],
            'cancel_url': addresses['cancel_url'],
            'expires_at': utils.to_timestamp(self.stripe_checkout_session_expires_at),
            'client_reference_id': self.reference[:200],
            'metadata': metadata,
            # The session's metadata is not copied to the PaymentIntent.
            'payment_intent_data': {'description': self.reference[:1000], 'metadata': metadata},
            # The client pays what the invoice says, in its currency.
            'adaptive_pricing': {'enabled': False},
            'locale': utils.to_checkout_locale(self.partner_lang),
        }
        emails = email_normalize_all(self.partner_email or '')
        if emails:
            payload['customer_email'] = emails[0]
        return payload

    def _stripe_checkout_prepare_line_items(self):
        """Prepare one line for each invoice, or one for the whole transaction.

        :rtype: list[dict]
        """
        promise = self.stripe_checkout_promise
        # In the client's language, whoever visits: a repeated call must be the same call.
        env = self.with_context(lang=self.partner_lang).env
        if promise:
            names = {invoice.id: invoice.name for invoice in self.invoice_ids}
            lines = [
                (env._("Invoice %(number)s", number=names[invoice_id]), share)
                for invoice_id, share in promise['invoices']
                if share
            ]
        else:
            lines = [
                (self.reference, utils.to_minor_units(self.amount, self.currency_id.name)),
            ]
        return [
            {
                'quantity': 1,
                'price_data': {
                    'currency': self.currency_id.name.lower(),
                    'unit_amount': minor_amount,
                    'product_data': {'name': name},
                },
            }
            for name, minor_amount in lines
        ]
