"""The name of the method with which a client has paid."""

from odoo import models

from .. import session_facts


class PaymentTransaction(models.Model):
    _inherit = 'payment.transaction'

    def _stripe_checkout_get_method_name(self):
        """Return how the client has paid, as a client reads it.

        :return: The name of the method; empty where Stripe has not told it.
        :rtype: str
        """
        method = self.stripe_checkout_method or ''
        # https://docs.stripe.com/api/charges/object#charge_object-payment_method_details-type
        names = {
            'acss_debit': self.env._("Pre-authorized debit"),
            'amazon_pay': "Amazon Pay",
            'au_becs_debit': "BECS Direct Debit",
            'bacs_debit': "Bacs Direct Debit",
            'bancontact': "Bancontact",
            'blik': "BLIK",
            'card': self.env._("Card"),
            'card_present': self.env._("Card"),
            'cashapp': "Cash App Pay",
            'customer_balance': self.env._("Bank transfer"),
            'eps': "EPS",
            'ideal': "iDEAL",
            'klarna': "Klarna",
            'link': "Link",
            'p24': "Przelewy24",
            'paypal': "PayPal",
            'revolut_pay': "Revolut Pay",
            'sepa_debit': self.env._("SEPA Direct Debit"),
            'twint': "TWINT",
            'us_bank_account': self.env._("Bank account (ACH)"),
        }
        return names.get(method, method.replace('_', ' ').capitalize())

    def _stripe_checkout_are_debits(self):
        """Tell whether the client has nothing more to do for any of the payments on their way.

        What is no debit may wait for the client: a voucher or a bank transfer, paid with a
        reference that Stripe has shown.
        https://docs.stripe.com/payments/vouchers

        :rtype: bool
        """
        return all(tx._stripe_checkout_is_debit() for tx in self)

    def _stripe_checkout_is_debit(self):
        """Tell whether the method draws the money from a bank account, which takes some days.

        :rtype: bool
        """
        self.ensure_one()
        return session_facts.is_debit(self.stripe_checkout_method or '')
