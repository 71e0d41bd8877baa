import logging

import psycopg2

from odoo import api, fields, models

from ..const import PROVIDER_CODE

_logger = logging.getLogger(__name__)

STAFF_GROUPS = 'account.group_account_invoice,account.group_account_readonly'


class AccountMove(models.Model):
    _inherit = 'account.move'

    stripe_payment_link_ids = fields.Many2many(
        'stripe.payment.link',
        'stripe_payment_link_move_rel',
        'move_id',
        'link_id',
        string="Payment Links",
        readonly=True,
        copy=False,
        groups=STAFF_GROUPS,
    )
    stripe_checkout_url = fields.Char(
        string="Payment Link",
        help="The link with which the client can pay this invoice online. Empty when it cannot be "
        "paid online.",
        compute='_compute_stripe_checkout_url',
        compute_sudo=True,
        groups=STAFF_GROUPS,
    )

    stripe_checkout_test_mode = fields.Boolean(
        string="Online Payment in Test Mode",
        help="The payment link leads to test payments, or such a payment is under way or matched "
        "with the invoice. No money moves.",
        compute='_compute_stripe_checkout_url',
        compute_sudo=True,
        groups=STAFF_GROUPS,
    )

    @api.depends(
        'state',
        'payment_state',
        'amount_residual',
        'stripe_payment_link_ids.expires_at',
        'stripe_payment_link_ids.revoked',
        'stripe_payment_link_ids.replaced',
    )
    def _compute_stripe_checkout_url(self):
        tested = self._stripe_checkout_filter_paid_in_test_mode()
        tested |= self.filtered(lambda move: move._stripe_checkout_is_under_way_in_test_mode())
        for move in self:
            link = move.stripe_payment_link_ids._get_current()
            payable = link and move._stripe_checkout_get_state() == 'payable'
            move.stripe_checkout_url = link._get_url() if payable else False
            move.stripe_checkout_test_mode = move in tested or (
                payable and link._stripe_checkout_is_test_mode()
            )

    def _stripe_checkout_filter_paid_in_test_mode(self):
        """Return the invoices that a payment of test mode is matched with, which moved no money.

        :rtype: account.move
        """
        # In sudo mode: clients and strangers cannot read what an invoice is matched with.
        partials_sudo = self.env['account.partial.reconcile'].sudo()
        tested = partials_sudo.search([
            ('debit_move_id.move_id', 'in', self.ids),
            ('credit_move_id.journal_id.stripe_checkout_mode', '=', 'test'),
        ]).debit_move_id.move_id
        return self & tested.with_env(self.env)

    def _stripe_checkout_is_under_way_in_test_mode(self):
        """Tell whether a payment of the invoice is on its way that moves no money.

        :rtype: bool
        """
        return any(
            tx.provider_code == PROVIDER_CODE and not tx.is_live
            for tx in self._stripe_checkout_get_pending_transactions()
        )

    def _post(self, soft=True):
        """Override of `account` to give every customer invoice its payment link.

        A posted invoice may be an e-invoice that is out already: nothing here may take it back.
        """
        posted = super()._post(soft=soft)
        invoices = posted.filtered(
            lambda move: move.move_type == 'out_invoice' and not move.sudo().stripe_payment_link_ids
        )
        try:
            with self.env.cr.savepoint():
                self.env['stripe.payment.link']._create_for_each(invoices)
        except psycopg2.OperationalError:
            raise  # Odoo runs the whole request again.
        except Exception:
            _logger.exception("No payment links could be made for invoices %s", invoices.ids)
        posted.filtered(
            lambda move: move.move_type == 'out_refund' and move.reversed_entry_id
        )._stripe_checkout_match_credit_notes()
        return posted

    def _stripe_checkout_reverse(self, day=None):
        """Reverse entries, and match each with its reversal.

        What they were matched with is open again.

        :param date day: The day of the reversals; today if not given.
        :return: The reversal entries.
        :rtype: account.move
        """
        day = day or fields.Date.context_today(self)
        return self.with_context(stripe_checkout_rematch=True)._reverse_moves(
            [
                {'date': day, 'ref': self.env._("Reversal of: %(name)s", name=move.name)}
                for move in self
            ],
            cancel=True,
        )
