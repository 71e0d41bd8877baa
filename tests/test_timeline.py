from ast import literal_eval
from datetime import datetime, timedelta

from freezegun import freeze_time
from lxml import html

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger
from odoo.tools.safe_eval import safe_eval

from .common import StripeCheckoutCommon

LIFE = 'odoo.addons.payment_stripe_checkout.models.stripe_payment_link_life'


@tagged('post_install', '-at_install')
class TestTimeline(StripeCheckoutCommon):
    """Staff see on the invoice how its online payment stands, and what happened."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.biller, cls.auditor = (
            new_test_user(
                cls.env,
                login=login,
                groups=group,
                company_id=cls.company.id,
                company_ids=[fields.Command.set(cls.company.ids)],
            )
            for login, group in (
                ('biller', 'account.group_account_invoice'),
                ('auditor', 'account.group_account_readonly'),
            )
        )

    def read_timeline(self, invoice, user=None):
        invoice.invalidate_recordset()
        page = html.fromstring(str(invoice.with_user(user or self.biller).stripe_checkout_timeline))
        return [row.text_content().strip() for row in page.xpath('//tr/td[2]')]

    def work(self):
        self.deliver()
        self.run_queue()
        self.run_cron('ir_cron_send_mails')

    def hand_out(self, invoice):
        return self.env['stripe.payment.link']._hand_out(invoice, self.client)

    # === HISTORY === #

    def test_the_whole_story(self):
        invoice = self.create_invoice(100)
        self.hand_out(invoice)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], outcome='insufficient_funds')
        self.work()
        self.stripe.pay(session['id'])
        self.work()
        told = self.read_timeline(invoice, self.auditor)
        self.assertEqual(len(told), 6, told)
        for fact in (
            "client@example.com",
            "opened for the first time",
            "Checkout started: $ 100.00",
            "Attempt declined: not enough money on the account (insufficient_funds)",
            "Paid: $ 100.00, Card",
            "Payment confirmation sent",
        ):
            lines = [line for line in told if fact in line.replace('\N{NO-BREAK SPACE}', ' ')]
            self.assertEqual(len(lines), 1, f"{fact} in {told}")

    def test_times_are_those_of_the_facts(self):
        invoice = self.create_invoice(100)
        start = fields.Datetime.now()
        with freeze_time(start + timedelta(hours=1)):
            self.hand_out(invoice)
        with freeze_time(start + timedelta(hours=2)):
            self.open_link(invoice)
        moments = [moment for moment, _text in invoice.sudo()._stripe_checkout_get_timeline()]
        self.assertEqual(moments[:2], [start + timedelta(hours=hours) for hours in (1, 2)])

    def test_nothing_yet(self):
        self.assertEqual(self.read_timeline(self.create_invoice(100)), [])

    def test_failed_debit(self):
        invoice = self.create_invoice(100)
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        self.assertTrue(any("on its way" in line for line in self.read_timeline(invoice)))
        self.stripe.fail_debit(session['id'])
        self.work()
        told = self.read_timeline(invoice)
        self.assertTrue(any(line.startswith("Failed:") for line in told), told)
        self.assertIn("Client told that the debit failed", told)

    # === STATUS === #

    def assert_status(self, invoice, status):
        """Check that the status reads and is searched alike, by whoever sees the invoice."""
        invoice.invalidate_recordset()
        for user in (self.biller, self.auditor):
            self.assertEqual(invoice.with_user(user).stripe_checkout_status, status)
            moves = self.env['account.move'].with_user(user)
            found = moves.search([('stripe_checkout_status', '=', status)])
            self.assertIn(invoice, found)
            others = moves.search([('stripe_checkout_status', '!=', status)])
            self.assertNotIn(invoice, others)

    def test_statuses(self):
        invoice = self.create_invoice(100)
        self.assert_status(self.create_invoice(100, post=False), False)
        self.assert_status(invoice, 'ready')
        self.hand_out(invoice)
        self.assert_status(invoice, 'sent')
        session = self.open_link(invoice)
        self.assert_status(invoice, 'started')
        self.stripe.pay(session['id'], outcome='insufficient_funds')
        self.work()
        self.assert_status(invoice, 'declined')
        with freeze_time(datetime.now() + timedelta(days=40)):
            self.assert_status(invoice, 'expired')
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        self.assert_status(invoice, 'processing')
        self.stripe.settle_debit(session['id'])
        self.work()
        self.assert_status(invoice, 'paid')

    def test_new_link_was_not_sent_yet(self):
        """Catches what became of the former link, which the client can no longer pay with."""

        def decline(invoice):
            self.stripe.pay(self.open_link(invoice)['id'], outcome='insufficient_funds')
            self.work()

        for status, go in (
            ('sent', self.hand_out),
            ('started', self.open_link),
            ('declined', decline),
        ):
            invoice = self.create_invoice(100)
            go(invoice)
            self.assert_status(invoice, status)
            invoice.with_user(self.biller).action_stripe_checkout_new_link()
            self.assert_status(invoice, 'ready')
            self.assertEqual(invoice in self.find('stripe_checkout_unfinished'), status != 'sent')
            invoice.invalidate_recordset()
            self.open_link(invoice)
            self.assert_status(invoice, 'started')

    def test_paid_in_part_is_no_checkout_that_was_left(self):
        """Catches an invoice whose payment went well among those to ask why it did not."""
        self.provider.stripe_checkout_allow_partial = True
        invoice = self.create_invoice(100)
        link = self.env['stripe.payment.link']._get_or_create_for_amount(invoice, 40)
        response = self.url_open(link._get_path(), allow_redirects=False)
        session = self.get_session(response.headers['Location'])
        self.stripe.pay(session['id'], outcome='insufficient_funds')
        self.work()
        self.assert_status(invoice, 'declined')
        self.stripe.pay(session['id'])
        self.work()
        self.assertEqual(invoice.payment_state, 'partial')
        self.assert_status(invoice, 'opened')
        self.assertNotIn(invoice, self.find('stripe_checkout_unfinished'))

    def test_looking_at_an_expired_invoice_changes_nothing(self):
        """Catches the link that the QR code makes whenever the invoice is shown or printed."""
        self.company.link_qr_code = True
        invoice = self.create_invoice(100)
        self.hand_out(invoice).expires_at = fields.Datetime.now()
        self.assert_status(invoice, 'expired')
        self.url_open(invoice.get_portal_url(report_type='html'))
        self.assertEqual(len(invoice.stripe_payment_link_ids), 2)
        with freeze_time(datetime.now() + timedelta(days=60)):
            self.assert_status(invoice, 'expired')
            self.assertIn(invoice, self.find('stripe_checkout_expired'))
            self.hand_out(invoice)
            self.assert_status(invoice, 'sent')

    def find(self, name):
        """Return what a filter of the list finds for staff."""
        view = (
            self
            .env['account.move']
            .with_user(self.biller)
            .get_view(self.env.ref('account.view_account_invoice_filter').id, 'search')
        )
        [domain] = html.fromstring(view['arch']).xpath(f"//filter[@name='{name}']/@domain")
        return self.env['account.move'].with_user(self.biller).search(literal_eval(domain))

    def test_filters(self):
        untouched, started, expired, debited, paid = (self.create_invoice(100) for _ in range(5))
        draft = self.create_invoice(100, post=False)
        self.open_link(started)
        self.open_link(expired)
        expired.sudo().stripe_payment_link_ids.expires_at = fields.Datetime.now()
        self.stripe.pay(self.open_link(debited)['id'], 'us_bank_account')
        self.stripe.pay(self.open_link(paid)['id'])
        self.work()
        everything = untouched + started + expired + debited + paid + draft
        for name, expected in (
            ('stripe_checkout_unpaid', untouched + started + expired + debited),
            ('stripe_checkout_unfinished', started + expired),
            ('stripe_checkout_expired', expired),
        ):
            self.assertEqual(self.find(name) & everything, expected, name)

    def test_list_of_many_takes_constant_queries(self):
        def count(number):
            invoices = self.env['account.move'].browse()
            for _invoice in range(number):
                invoices += self.create_invoice(10)
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            invoices.with_user(self.biller).read(['stripe_checkout_status'])
            return self.cr.sql_log_count - before

        count(1)  # Warms the caches.
        self.assertEqual(count(2), count(12))

    # === LINK === #

    def test_new_link_replaces_the_former(self):
        invoice = self.create_invoice(100)
        former = self.get_path(invoice)
        invoice.with_user(self.biller).action_stripe_checkout_new_link()
        self.assertNotEqual(self.get_path(invoice), former)
        self.get_page(self.url_open(former), 'replaced')
        self.open_link(invoice)
        self.assertTrue(any("replaced by biller" in line for line in self.read_timeline(invoice)))

    def test_new_link_replaces_joint_ones_too(self):
        invoices = self.create_invoice(100) + self.create_invoice(50)
        joint = self.env['stripe.payment.link']._get_or_create_for_all(invoices)
        others = self.get_path(invoices[1])
        invoices[0].with_user(self.biller).action_stripe_checkout_new_link()
        self.get_page(self.url_open(joint._get_path()), 'replaced')
        self.assertEqual(self.get_path(invoices[1]), others, "Not that of the other invoice alone")

    def test_no_new_link_where_nothing_can_be_paid(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.provider.state = 'disabled'
        with self.assertRaisesRegex(UserError, "cannot be paid online"):
            invoice.with_user(self.biller).action_stripe_checkout_new_link()
        self.provider.state = 'test'
        self.assertEqual(self.get_path(invoice), path, "The link that the client has lives on")

    def test_revoking_closes_the_page_at_stripe(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        session = self.open_link(invoice)
        invoice.with_user(self.biller).action_stripe_checkout_revoke_link()
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')
        self.assertFalse(invoice.with_user(self.biller).stripe_checkout_url)
        self.get_page(self.url_open(path), 'revoked')
        self.assert_status(invoice, 'revoked')

    def test_revoking_ends_the_offer_of_a_new_link_too(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        self.hand_out(invoice)
        invoice.sudo().stripe_payment_link_ids.expires_at = fields.Datetime.now()
        self.hand_out(invoice)
        invoice.with_user(self.biller).action_stripe_checkout_revoke_link()
        self.assert_status(invoice, 'revoked')
        self.get_page(self.url_open(path), 'revoked')
        told = self.read_timeline(invoice)
        self.assertEqual(len([line for line in told if "revoked by biller" in line]), 1)
        self.assertIn("Payment link expired", told)
        invoice.with_user(self.biller).action_stripe_checkout_new_link()
        invoice.sudo().stripe_payment_link_ids.sorted('id')[-1].expires_at = fields.Datetime.now()
        self.assert_status(invoice, 'expired')

    @mute_logger(LIFE)
    def test_revoking_while_stripe_is_away_is_made_up_for(self):
        invoice = self.create_invoice(100)
        path = self.get_path(invoice)
        session = self.open_link(invoice)
        self.stripe.faults.next(3, 'reset')
        action = invoice.with_user(self.biller).action_stripe_checkout_revoke_link()
        self.assertEqual(action['params']['type'], 'warning')
        self.get_page(self.url_open(path), 'revoked')
        with freeze_time(datetime.now() + timedelta(minutes=10)):
            self.run_cron('ir_cron_sweep')
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')

    def test_revoking_what_was_just_paid_loses_no_money(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'])
        invoice.with_user(self.biller).action_stripe_checkout_revoke_link()
        self.assert_booked(invoice, 100)

    def test_actions_are_for_billing_staff(self):
        invoice = self.create_invoice(100)
        self.stripe.pay(self.open_link(invoice)['id'], 'us_bank_account')
        self.work()
        stranger = new_test_user(self.env, login='stranger', groups='base.group_user')
        for user in (stranger, self.auditor):
            for name in ('new_link', 'revoke_link', 'free', 'open_remind'):
                with self.assertRaises(AccessError):
                    getattr(invoice.with_user(user), f'action_stripe_checkout_{name}')()
        self.assertEqual(invoice.transaction_ids.state, 'pending')

    # === FORM === #

    def is_visible(self, invoice, name):
        """Tell whether the form shows staff a field or a button of the payment's page."""
        invoice.invalidate_recordset()
        as_biller = invoice.with_user(self.biller)
        view = as_biller.get_view(self.env.ref('account.view_move_form').id, 'form')
        [node] = html.fromstring(view['arch'].encode()).xpath(
            f"//page[@name='stripe_checkout']//*[@name='{name}']"
        )
        fields_read = ['state', 'stripe_checkout_status', 'stripe_checkout_url']
        values = as_biller.read([*fields_read, 'stripe_checkout_reason'])[0]
        conditions = node.xpath("ancestor-or-self::*[ancestor-or-self::page]/@invisible")
        return not any(safe_eval(condition, values) for condition in conditions)

    def test_form_shows_the_status_whatever_it_is(self):
        invoice = self.create_invoice(100)
        self.assertTrue(self.is_visible(invoice, 'stripe_checkout_status'))
        session = self.open_link(invoice)
        self.stripe.pay(session['id'], 'us_bank_account')
        self.work()
        self.assert_status(invoice, 'processing')
        self.assertTrue(self.is_visible(invoice, 'stripe_checkout_status'))
        self.assertFalse(self.is_visible(invoice, 'action_stripe_checkout_revoke_link'))
        self.stripe.settle_debit(session['id'])
        self.work()
        self.assert_status(invoice, 'paid')
        self.assertTrue(self.is_visible(invoice, 'stripe_checkout_status'))

    def test_form_offers_no_link_where_nothing_can_be_paid(self):
        """Catches buttons that lead to a refusal only, as before Stripe is connected."""
        invoice = self.create_invoice(100)
        names = ('open_remind', 'new_link')
        for name in names:
            self.assertTrue(self.is_visible(invoice, f'action_stripe_checkout_{name}'))
        self.assertFalse(self.is_visible(invoice, 'stripe_checkout_reason'))
        self.disconnect(now=True)
        for name in names:
            self.assertFalse(self.is_visible(invoice, f'action_stripe_checkout_{name}'))
        self.assertTrue(self.is_visible(invoice, 'stripe_checkout_reason'))
        self.assertIn("cannot be paid online", invoice.stripe_checkout_reason)

    def test_form_keeps_the_history_while_payment_is_on_hold(self):
        """Catches a page that is gone where staff look why the client cannot pay."""
        invoice = self.create_invoice(100)
        self.hand_out(invoice)
        invoice.action_toggle_block_payment()
        self.assert_status(invoice, False)
        for name in ('stripe_checkout_timeline', 'stripe_checkout_reason'):
            self.assertTrue(self.is_visible(invoice, name))
        for name in ('status', 'actions'):
            self.assertFalse(self.is_visible(invoice, f'stripe_checkout_{name}'))
        self.assertIn("on hold", invoice.stripe_checkout_reason)

    def test_a_part_link_can_be_revoked_after_the_end_of_the_other(self):
        self.provider.stripe_checkout_allow_partial = True
        invoice = self.create_invoice(100)
        self.hand_out(invoice)
        invoice.sudo().stripe_payment_link_ids.expires_at = fields.Datetime.now()
        self.assertFalse(self.is_visible(invoice, 'action_stripe_checkout_revoke_link'))
        link = self.env['stripe.payment.link']._get_or_create_for_amount(invoice, 40)
        response = self.url_open(link._get_path(), allow_redirects=False)
        session = self.get_session(response.headers['Location'])
        self.assertTrue(self.is_visible(invoice, 'action_stripe_checkout_revoke_link'))
        invoice.with_user(self.biller).action_stripe_checkout_revoke_link()
        self.assertEqual(self.stripe.session(session['id'])['status'], 'expired')
        self.assertFalse(self.is_visible(invoice, 'action_stripe_checkout_revoke_link'))

    def test_list_shows_the_status(self):
        moves = self.env['account.move'].with_user(self.biller)
        view = moves.get_view(self.env.ref('account.view_out_invoice_tree').id, 'list')
        [column] = html.fromstring(view['arch'].encode()).xpath(
            "//field[@name='stripe_checkout_status']"
        )
        self.assertEqual(column.get('optional'), 'show')

    def test_form_lets_staff_copy_the_link(self):
        moves = self.env['account.move'].with_user(self.biller)
        view = moves.get_view(self.env.ref('account.view_move_form').id, 'form')
        [link] = html.fromstring(view['arch'].encode()).xpath(
            "//field[@name='stripe_checkout_url']"
        )
        self.assertEqual(link.get('widget'), 'CopyClipboardURL')

    def test_form_shows_it_to_staff(self):
        invoice = self.create_invoice(100)
        with Form(invoice.with_user(self.biller)) as form:
            self.assertEqual(form.stripe_checkout_status, 'ready')
            self.assertTrue(form.stripe_checkout_url)
