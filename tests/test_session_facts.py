from datetime import datetime

from odoo.tests import BaseCase

from .. import session_facts


class TestSessionFacts(BaseCase):
    """What a Checkout Session says about money."""

    def read_facts(self, occurred_at=None, **values):
        session = {'id': 'cs_1', 'currency': 'usd', 'amount_total': 1250, 'livemode': False}
        return session_facts.from_session({**session, **values}, occurred_at)

    def test_invoices_are_written_and_read(self):
        for ids in ([], [7], list(range(1, 101)), list(range(98_765_432, 98_765_532))):
            metadata = session_facts.write_invoice_ids(ids)
            self.assertTrue(all(len(value) <= 500 for value in metadata.values()))
            self.assertTrue(all(len(name) <= 40 for name in metadata))
            self.assertCountEqual(self.read_facts(metadata=metadata).invoice_ids, ids)
        self.assertEqual(session_facts.write_invoice_ids([3, 5]), {'odoo_invoices': '3,5'})

    def test_outcomes(self):
        failed_intent = {'id': 'pi_1', 'status': 'requires_payment_method'}
        for outcome, values in [
            ('open', {'status': 'open', 'payment_status': 'unpaid'}),
            ('expired', {'status': 'expired', 'payment_status': 'unpaid'}),
            ('paid', {'status': 'complete', 'payment_status': 'paid'}),
            ('processing', {'status': 'complete', 'payment_status': 'unpaid'}),
            ('processing', {'status': 'complete', 'payment_intent': {'status': 'processing'}}),
            ('failed', {'status': 'complete', 'payment_intent': failed_intent}),
            ('failed', {'status': 'complete', 'payment_intent': {'status': 'canceled'}}),
        ]:
            with self.subTest(values=values):
                facts = self.read_facts(**values)
                self.assertEqual(facts.outcome, outcome)
                self.assertEqual(facts.is_final_success, outcome == 'paid')

    def test_amount_is_in_the_currency_of_the_session(self):
        self.assertEqual(self.read_facts().amount, 12.5)
        self.assertEqual(self.read_facts(currency='jpy').amount, 1250)
        self.assertEqual(self.read_facts(currency='jpy').currency_name, 'JPY')

    def test_time_of_capture(self):
        charge = {'created': 100, 'payment_method_details': {'type': 'us_bank_account'}}
        intent = {'id': 'pi_1', 'latest_charge': charge}
        facts = self.read_facts(payment_intent=intent)
        confirmed_at = datetime(1970, 1, 1, 0, 1, 40)
        debit = (None, confirmed_at, 'us_bank_account')
        self.assertEqual((facts.paid_at, facts.confirmed_at, facts.method), debit)
        # Which shows a debit that is still under way, too.
        charge['balance_transaction'] = {'created': 200}
        facts = self.read_facts(payment_intent=intent)
        self.assertEqual((facts.paid_at, facts.confirmed_at, facts.method), debit)
        del charge['balance_transaction']
        charge['payment_method_details']['type'] = 'card'
        self.assertEqual(
            self.read_facts(payment_intent=intent).paid_at, datetime(1970, 1, 1, 0, 1, 40)
        )
        charge['balance_transaction'] = {'created': 200}
        self.assertEqual(
            self.read_facts(payment_intent=intent).paid_at, datetime(1970, 1, 1, 0, 3, 20)
        )
        self.assertEqual(self.read_facts(300, payment_intent='pi_1').paid_at.minute, 5)
        self.assertEqual(self.read_facts(payment_intent='pi_1').payment_intent, 'pi_1')

    def test_no_personal_data_is_kept(self):
        kept = session_facts.reduce_session({
            'id': 'cs_1',
            'status': 'complete',
            'customer_details': {'email': 'client@example.com', 'name': "Client"},
            'customer_email': 'client@example.com',
            'url': 'https://example.com/secret',
            'metadata': {'odoo_transaction': 'INV-1', 'customer_name': "Client"},
        })
        self.assertEqual(
            kept,
            {'id': 'cs_1', 'status': 'complete', 'metadata': {'odoo_transaction': 'INV-1'}},
        )
