from odoo import api, fields, models
from odoo.tools import html_escape

ACTIVITY_TYPE = 'payment_stripe_checkout.mail_activity_type_dispute'

# Stripe's states, https://docs.stripe.com/api/disputes/object#dispute_object-status
STATUSES = [
    ('warning_needs_response', "Inquiry: answer needed"),
    ('warning_under_review', "Inquiry: under review"),
    ('warning_closed', "Inquiry closed"),
    ('needs_response', "Evidence needed"),
    ('under_review', "Under review"),
    ('won', "Won"),
    ('lost', "Lost"),
    ('prevented', "Prevented"),
]
FINAL = ('warning_closed', 'won', 'lost', 'prevented')
WAITING_FOR_US = ('warning_needs_response', 'needs_response')


class StripeDispute(models.Model):
    """A payment that the client's bank asks back.

    What moves on Stripe's balance is booked from the balance transactions. Here is what it means:
    who has to do what by when, and, once it is lost, that the invoice is open again.
    """

    _name = 'stripe.dispute'
    _description = "Dispute"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _order = 'opened_at desc, id desc'
    _rec_name = 'dispute_id'

    dispute_id = fields.Char(required=True, readonly=True)
    transaction_id = fields.Many2one(
        'payment.transaction', required=True, readonly=True, ondelete='restrict', index=True
    )
    payment_id = fields.Many2one(related='transaction_id.payment_id')
    invoice_ids = fields.Many2many(
        'account.move',
        string="Invoices",
        help="What the disputed payment has paid, else what it was for.",
        readonly=True,
    )
    provider_id = fields.Many2one(related='transaction_id.provider_id', store=True)
    company_id = fields.Many2one(related='transaction_id.company_id', store=True, index=True)
    partner_id = fields.Many2one(related='transaction_id.partner_id', store=True)
    status = fields.Selection(STATUSES, required=True, readonly=True, tracking=True)
    reason = fields.Char(readonly=True)
    amount = fields.Monetary(readonly=True)
    currency_id = fields.Many2one('res.currency', required=True, readonly=True)
    opened_at = fields.Datetime(string="Opened On", readonly=True)
    evidence_due_by = fields.Datetime(readonly=True)
    chargeback_move_id = fields.Many2one(
        'account.move',
        string="Chargeback Entry",
        help="What took the payment off its invoices when the dispute was lost.",
        readonly=True,
    )

    _dispute_unique = models.UniqueIndex('(dispute_id)', "This dispute is known already.")

    # === SETTLE === #

    @api.model
    def _settle(self, provider, facts):
        """Bring a dispute to the state that Stripe states.

        Right whatever the number and the order of the calls: a final state stays, apart from a
        loss that is overturned.

        :param payment.provider provider: The provider whose account the facts come from.
        :param DisputeFacts facts: The facts.
        :return: The dispute; empty if its payment is not booked yet.
        :rtype: stripe.dispute
        """
        transaction = self.env['payment.transaction'].search([
            ('provider_id', '=', provider.id),
            ('stripe_checkout_payment_intent', '=', facts.payment_intent or ''),
        ])
        if not transaction or not transaction.payment_id:
            return self.browse()
        transaction._stripe_checkout_take_turn()
        values = {
            'status': facts.status,
            'reason': facts.reason.replace('_', ' '),
            'amount': facts.amount,
            'evidence_due_by': facts.evidence_due_by,
        }
        dispute = self.search([('dispute_id', '=', facts.dispute_id)])
        if not dispute:
            currency = self.env['res.currency']._stripe_checkout_find(facts.currency_name)
            dispute = self.create({
                **values,
                'dispute_id': facts.dispute_id,
                'transaction_id': transaction.id,
                'invoice_ids': transaction._stripe_checkout_get_paid_invoices().ids,
                'currency_id': currency.id,
                'opened_at': facts.opened_at,
            })
            dispute._tell_invoices(
                self.env._(
                    "The payment of %(amount)s is disputed (%(reason)s).",
                    amount=currency.format(facts.amount),
                    reason=dispute.reason,
                )
            )
        elif dispute.status not in FINAL or (dispute.status, facts.status) == ('lost', 'won'):
            dispute.write(values)  # Stripe may change the day and the amount alone, too.
        if dispute.status == 'lost' and not dispute.chargeback_move_id:
            dispute._charge_back(facts)
        dispute._note_returned()
        dispute._follow_up()
        return dispute

    @api.model
    def _note_applied(self, payments):
        """Let running disputes speak of what their payments have paid meanwhile: what an order was
        paid for in advance is invoiced later, and staff apply what has no home.

        :param account.payment payments: The payments.
        """
        if not payments:
            return
        running = self.search([
            ('transaction_id.payment_id', 'in', payments.ids),
            ('status', 'not in', FINAL),
        ])
        for dispute in running:
            dispute.invoice_ids = dispute.transaction_id._stripe_checkout_get_paid_invoices()

    @api.model
    def _note_reversed(self, payments):
        """Take off the to-dos of disputed payments of test mode that are out of the books.

        :param account.payment payments: The payments, reversed.
        """
        for dispute in self.search([('transaction_id.payment_id', 'in', payments.ids)]):
            dispute._follow_up()
            dispute._close_lost()

    # === LOST === #

    def _charge_back(self, facts):
        """Take the payment off its invoices: the client owes the money again.

        :param DisputeFacts facts: The facts of the lost dispute.
        """
        self.ensure_one()
        payment = self.payment_id
        credit = payment.move_id.line_ids.filtered(
            lambda line: line.account_id == payment.destination_account_id
        )
        matched = credit.matched_debit_ids.debit_move_id
        self.invoice_ids = self.transaction_id._stripe_checkout_get_paid_invoices()
        move = self.env['account.move'].create(self._prepare_chargeback(credit.account_id, facts))
        move.action_post()
        self.chargeback_move_id = move
        debit = move.line_ids.filtered(lambda line: line.account_id == credit.account_id)
        credit.with_context(stripe_checkout_rematch=True).remove_move_reconcile()
        # Where part of the payment was disputed, the rest stays where it was: first with what went
        # back before, by a refund or another dispute, else that would be owed beside the invoice.
        returned = matched.filtered(lambda line: not line.move_id.is_invoice())
        paid = matched - returned
        for lines in (debit, returned, paid):
            rest = lines.filtered(
                lambda line: not line.reconciled and line.parent_state == 'posted'
            )
            if rest and not credit.reconciled:
                self.transaction_id._stripe_checkout_try_plan([credit + rest])
        self.transaction_id._stripe_checkout_follow_up_credit()
        opened = paid.filtered(lambda line: not line.reconciled).move_id
        if self.invoice_ids and not opened:
            # It had no home, as what is paid twice or beyond the invoice: nothing is owed again.
            self._tell_invoices(
                self.env._(
                    "The dispute was lost: %(amount)s went back to the client. No invoice was paid "
                    "with it.",
                    amount=self.currency_id.format(self.amount),
                )
            )
            return
        self._tell_invoices(
            self.env._(
                "The dispute was lost: %(amount)s went back to the client, and the invoice is open "
                "again.",
                amount=self.currency_id.format(self.amount),
            ),
            opened,
        )
        note = self.env._(
            "%(amount)s of %(invoices)s went back to the client (%(reason)s): it is owed again. "
            "Ask for it in another way, or make a credit note.",
            amount=self.currency_id.format(self.amount),
            invoices=', '.join(opened.mapped('name')) or self.transaction_id.reference,
            reason=self.reason,
        )
        discount = self.currency_id.round(-sum(credit.mapped('amount_currency')) - payment.amount)
        if discount > 0:
            note += ' ' + self.env._(
                "The early-payment discount of %(discount)s stays granted.",
                discount=self.currency_id.format(discount),
            )
        self.transaction_id._stripe_checkout_schedule_follow_up(
            self.env._("Dispute lost"), note, documents=opened
        )

    def _prepare_chargeback(self, receivable, facts):
        """Prepare the entry from the disputed payments to the receivable of the client.

        :param account.account receivable: The account of the payment.
        :param DisputeFacts facts: The facts of the lost dispute.
        :return: The values of the `account.move`.
        :rtype: dict
        """
        payment = self.payment_id
        company = payment.company_id
        tx = self.transaction_id
        lost_at = facts.lost_at or tx._stripe_checkout_find_event_time(
            'charge.dispute.closed', self.dispute_id
        )
        balance = self.currency_id._convert(self.amount, company.currency_id, company, payment.date)
        name = self.env._("Chargeback of %(payment)s", payment=payment.name)
        disputed = self.provider_id._stripe_checkout_ensure_dispute_account()
        return {
            'move_type': 'entry',
            'journal_id': payment.journal_id.id,
            'company_id': company.id,
            'date': tx._stripe_checkout_get_booking_date(lost_at),
            'ref': f'{name} - {self.dispute_id}',
            'line_ids': [
                fields.Command.create({
                    'name': name,
                    'account_id': account.id,
                    'partner_id': payment.partner_id.id,
                    'currency_id': self.currency_id.id,
                    'amount_currency': sign * self.amount,
                    'balance': sign * balance,
                })
                for account, sign in ((receivable, 1), (disputed, -1))
            ],
        }

    # === FOLLOW UP === #

    def _follow_up(self):
        """Keep one to-do while Stripe waits for an answer, due when Stripe says."""
        self.ensure_one()
        payment = self.payment_id
        is_untrue = payment._stripe_checkout_is_test_mode() and payment.move_id.reversal_move_ids
        if self.status not in WAITING_FOR_US or is_untrue:
            self.activity_unlink([ACTIVITY_TYPE])
            return
        values = {
            'date_deadline': (self.evidence_due_by or fields.Datetime.now()).date(),
            'note': self.env._(
                "%(client)s disputes %(amount)s (%(reason)s) of %(invoices)s. Hand in your "
                "evidence in the Stripe Dashboard in time; without it the money is lost.",
                client=html_escape(self.partner_id.display_name),  # Clients choose it.
                amount=self.currency_id.format(self.amount),
                reason=self.reason,
                invoices=', '.join(self.invoice_ids.mapped('name')),
            ),
        }
        todo = self.activity_search([ACTIVITY_TYPE])
        if todo:
            todo.write(values)
            return
        self.activity_schedule(
            ACTIVITY_TYPE,
            **values,
            summary=self.env._("Answer the dispute in Stripe"),
            user_id=self.provider_id._stripe_checkout_get_follow_up_user(self.company_id).id,
        )

    def _tell_invoices(self, message, invoices=None):
        for invoice in invoices or self.invoice_ids:
            invoice.message_post(body=message)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_dispute_account_id = fields.Many2one(
        'account.account',
        string="Disputed Payments",
        help="Where disputed money stands until the dispute is decided.",
        copy=False,
    )

    def _stripe_checkout_ensure_dispute_account(self):
        """Return the account of disputed payments, made if need be.

        :rtype: account.account
        """
        self.ensure_one()
        if not self.stripe_checkout_dispute_account_id:
            accounts = self.env['account.account'].with_company(self.company_id)
            self.stripe_checkout_dispute_account_id = accounts.create({
                'name': self.env._("Disputed online payments"),
                'code': accounts._search_new_account_code('101900'),
                'account_type': 'asset_current',
                'reconcile': True,
                'company_ids': [fields.Command.link(self.company_id.id)],
            })
        return self.stripe_checkout_dispute_account_id


class AccountMove(models.Model):
    _inherit = 'account.move'

    stripe_checkout_dispute_ids = fields.Many2many(
        'stripe.dispute',
        string="Disputes",
        compute='_compute_stripe_checkout_dispute_ids',
        compute_sudo=True,
        groups='account.group_account_invoice,account.group_account_readonly',
    )

    def _compute_stripe_checkout_dispute_ids(self):
        disputes = self.env['stripe.dispute'].search([
            ('invoice_ids', 'in', self.ids),
        ])
        for move in self:
            move.stripe_checkout_dispute_ids = disputes.filtered(
                lambda dispute, move=move: move in dispute.invoice_ids
            )

    def _stripe_checkout_filter_disputed(self):
        """Return the invoices of which a payment is disputed right now: nobody is reminded then.

        :rtype: account.move
        """
        # In sudo mode: clients see that an invoice is disputed.
        disputes_sudo = self.env['stripe.dispute'].sudo()
        running = disputes_sudo.search([
            ('invoice_ids', 'in', self.ids),
            ('status', 'not in', FINAL),
            # Reversed payments of test mode are disputed by nobody.
            ('transaction_id.payment_id.move_id.reversal_move_ids', '=', False),
        ])
        return self & running.invoice_ids.with_env(self.env)
