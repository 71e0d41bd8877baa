"""What the movements of Stripe's balance leave for people to do, and what a payout holds."""

from datetime import timedelta

import stripe

from odoo import api, fields, models

from .. import utils

ACTIVITY_TYPE = 'payment_stripe_checkout.mail_activity_type_balance'

# After a day a payment and its movement should have found each other.
PATIENCE = timedelta(days=1)

PAYOUTS_PER_RUN = 5
PAYOUT_PAGES = 5
PAGE_SIZE = 100
FOLLOW_UP_LIMIT = 100


class StripeBalanceTransaction(models.Model):
    _inherit = 'stripe.balance.transaction'

    # === THE BALANCE AT CONNECT === #

    @api.model
    def _store_opening(self, provider, totals):
        """Store what was on the balance before the first movement that is read.

        :param payment.provider provider: The provider.
        :param dict totals: What was on the balance after the last of the movements that are stored,
                            by ISO 4217 code, in major units.
        """
        account_ref = provider._stripe_checkout_get_account_ref()
        moved = {
            currency.name: net
            for currency, net in self._read_group(
                [('provider_id', '=', provider.id), ('account_ref', '=', account_ref)],
                ['currency_id'],
                ['net:sum'],
            )
        }
        connected_at = provider.stripe_checkout_connected_at or fields.Datetime.now()
        values_list = []
        for name in sorted({*totals, *moved}):
            currency = self.env['res.currency']._stripe_checkout_find(name)
            amount = currency.round(totals.get(name, 0.0) - moved.get(name, 0.0))
            if not currency.is_zero(amount):
                values_list.append({
                    'stripe_id': f'opening:{account_ref}:{name}',
                    'type': 'opening',
                    'kind': 'opening',
                    'description': self.env._("Balance at connect"),
                    'currency_name': name,
                    'amount': amount,
                    'net': amount,
                    'created_at': connected_at,
                    'available_on': connected_at,
                })
        self._store(provider, values_list)

    # === PAYOUTS === #

    @api.model
    def _list_payouts(self, provider):
        """Note which movements an automatic payout holds, once Stripe's list is complete.

        :param payment.provider provider: The provider.
        :raise stripe.StripeError: If Stripe cannot be asked right now.
        """
        payouts = self.search(
            [
                ('provider_id', '=', provider.id),
                ('type', '=', 'payout'),
                ('payout_automatic', '=', True),
                ('payout_reconciled', '=', True),
                ('payout_listed', '=', False),
                ('account_ref', '=', provider._stripe_checkout_get_account_ref()),
            ],
            limit=PAYOUTS_PER_RUN,
        )
        for payout in payouts:
            try:
                payout._list_payout()
            except stripe.InvalidRequestError as error:
                # Stripe will not list this one, ever: the others and all that moves go on.
                payout._give_payout_up(error)

    def _list_payout(self):
        """Read some pages of what the payout holds; the next run goes on where this one stops."""
        self.ensure_one()
        movements = self.provider_id._stripe_checkout_get_client().v1.balance_transactions
        parameters = {'payout': self.source_id, 'limit': PAGE_SIZE}
        for _page in range(PAYOUT_PAGES):
            if self.payout_cursor:
                parameters['starting_after'] = self.payout_cursor
            page = movements.list(parameters).to_dict()
            ids = [row['id'] for row in page['data']]
            rows = self.search([
                ('provider_id', '=', self.provider_id.id),
                ('stripe_id', 'in', ids),
            ])
            (rows - self).payout_row_id = self
            self.payout_cursor = ids[-1] if page['has_more'] else False
            if not self.payout_cursor:
                self.payout_listed = True
                break

    def _give_payout_up(self, error):
        """Ask no more what the payout holds, and tell staff; its money is booked all the same.

        :param stripe.InvalidRequestError error: Stripe's answer.
        """
        self.ensure_one()
        self.payout_listed = True
        self._schedule(
            self.env._("Content of a payout unknown"),
            self.env._(
                "Stripe does not list which payments the payout of %(amount)s (%(payout)s) holds. "
                "It is booked; look them up in the Stripe Dashboard. %(answer)s",
                amount=self.currency_id.format(-self.amount),
                payout=self.source_id,
                answer=self.provider_id._stripe_checkout_describe_error(error),
            ),
        )

    @api.model
    def _update_payout(self, provider, payout_id, values):
        """Note how a payout stands.

        :param payment.provider provider: The provider.
        :param str payout_id: Stripe's id of the payout.
        :param dict values: What `balance_facts.read_payout` has read.
        """
        rows = self.search([('provider_id', '=', provider.id), ('source_id', '=', payout_id)])
        rows.filtered(lambda row: row.type == 'payout').write(values)

    def _schedule_failed_payout(self, payouts):
        """Tell staff of a payout whose money has come back, once its movement is booked.

        :param stripe.balance.transaction payouts: What the payout has moved.
        """
        self.ensure_one()
        payout = payouts.filtered(lambda row: row.type == 'payout')[:1] or self
        payout._schedule(
            self.env._("Payout failed"),
            self.env._(
                "The payout of %(amount)s (%(payout)s) did not reach the bank: %(reason)s "
                "The money is back on Stripe's balance. Check the bank account in the "
                "Stripe Dashboard.",
                amount=self.currency_id.format(self.amount),
                payout=self.source_id,
                reason=utils.redact(self.payout_failure) or '',
            ),
        )

    # === TO-DOS === #

    def _schedule(self, summary, note):
        self.ensure_one()
        self.activity_schedule(
            ACTIVITY_TYPE,
            summary=summary,
            note=note,
            user_id=self.provider_id._stripe_checkout_get_admin_user().id,
        )

    def _get_invoice_names(self):
        """Return the invoices that a movement of ours is about, in words.

        :rtype: str
        """
        self.ensure_one()
        transactions = self.env['payment.transaction']
        if self.payment_intent:  # An empty one is that of each page that nobody has paid.
            transactions = transactions.search([
                ('provider_id', '=', self.provider_id.id),
                ('stripe_checkout_payment_intent', '=', self.payment_intent),
            ])
        names = transactions.invoice_ids.mapped('display_name')
        return ', '.join(names) or self.env._("no known invoice")

    def _schedule_classification(self, lines):
        """Leave the to-do of a movement that only a person can explain.

        :param account.bank.statement.line lines: The lines on the account of such movements.
        """
        values = {
            'amount': self.currency_id.format(self.amount),
            'label': self.description or self.type,
            'id': self.stripe_id,
            'account': self.provider_id.stripe_checkout_classify_account_id.display_name,
        }
        note = self.env._(
            "%(amount)s moved on Stripe's balance (%(label)s, %(id)s), and Odoo cannot know "
            "why. It is booked on %(account)s: transfer it to the right account, then press "
            "Classified.",
            **values,
        )
        if set(lines.mapped('stripe_checkout_part')) == {'difference'}:
            note = self.env._(
                "%(amount)s of %(invoices)s moved on Stripe's balance (%(label)s, %(id)s): "
                "%(difference)s beside the booked %(payment)s, and Odoo cannot know why. The "
                "difference is booked on %(account)s: transfer it to the right account, then press "
                "Classified.",
                **values,
                invoices=self._get_invoice_names(),
                difference=self.currency_id.format(sum(lines.mapped('amount'))),
                payment=self.payment_id.name,
            )
        self._schedule(self.env._("Movement to classify"), note)

    @api.model
    def _follow_up(self, provider):
        """Tell staff of movements and payments that have not found each other after a day.

        :param payment.provider provider: The provider.
        """
        end = fields.Datetime.now() - PATIENCE
        stuck = self.search(
            [
                ('provider_id', '=', provider.id),
                # One that is booked has an error while the fees of its day are not.
                '|',
                ('state', '=', 'pending'),
                ('error', '!=', False),
                ('is_reported', '=', False),
                ('create_date', '<', end),
                # A debit is on the balance while it is under way, and available when it is not.
                '|', '|',
                ('kind', '!=', 'capture'),
                ('method', '=', 'card'),
                ('available_on', '<', end),
            ],
            limit=FOLLOW_UP_LIMIT,
        )  # fmt: skip
        unbooked_fees = stuck.filtered(lambda row: row.state != 'pending')
        for row in unbooked_fees:
            row._schedule_unbooked_fees()
        for row in stuck - unbooked_fees:
            row._schedule(
                self.env._("Movement not booked"),
                self.env._(
                    "%(amount)s moved on Stripe's balance (%(label)s, %(id)s, %(invoices)s) and "
                    "could not be booked: %(error)s It is tried again by itself. Mend the cause, "
                    "or look for failed events in the event log.",
                    amount=row.currency_id.format(row.amount),
                    label=row.description or row.type,
                    id=row.stripe_id,
                    invoices=row._get_invoice_names(),
                    error=row.error or self.env._("its payment is not in the books."),
                ),
            )
        stuck.is_reported = True
        found = self.search([
            ('provider_id', '=', provider.id),
            ('state', '!=', 'pending'),
            ('error', '=', False),
            ('is_reported', '=', True),
        ])
        found.filtered(lambda row: row.state == 'booked').activity_unlink([ACTIVITY_TYPE])
        found.is_reported = False
        self.env['account.payment'].sudo()._stripe_checkout_report_missing(provider, end)
