from datetime import date

import stripe

from odoo.tests import BaseCase

from .. import const, utils


class TestAmounts(BaseCase):
    """Amounts are exact in Stripe's units, or refused."""

    def test_amounts_that_a_browser_sends(self):
        for text, amount in [('40', 40.0), ('33.33', 33.33), ('-1', -1.0)]:
            self.assertEqual(utils.parse_amount(text), amount)
        for text in ('', 'x', '1,5', 'nan', 'inf', '-inf', '1e999', None):
            self.assertIsNone(utils.parse_amount(text), text)

    def test_days_that_a_browser_sends(self):
        self.assertEqual(utils.parse_day('2026-02-28'), date(2026, 2, 28))
        for text in ('', 'x', '2026-02-30', '28.02.2026', None):
            self.assertIsNone(utils.parse_day(text), text)

    def test_smallest_amount(self):
        for currency, amount in [('USD', 0.5), ('JPY', 50.0), ('KWD', 0.01), ('ISK', 1.0)]:
            self.assertEqual(utils.get_minimum_charge(currency), amount)
            self.assertTrue(utils.can_be_charged(amount, currency))

    def test_exact_amounts(self):
        # Each line: what Odoo has, the currency, what Stripe gets.
        for amount, currency, minor in [
            (1111.1100000000001, 'USD', 111111),
            (0.1 + 0.2, 'EUR', 30),
            (19.99, 'EUR', 1999),
            (5000.0, 'JPY', 5000),
            (5000.0, 'KRW', 5000),
            (1200.0, 'ISK', 120000),
            (1200.0, 'UGX', 120000),
            (1.23, 'KWD', 1230),
            (12.0, 'MGA', 12),
            (999999.99, 'USD', 99999999),
        ]:
            with self.subTest(amount=amount, currency=currency):
                self.assertEqual(utils.to_minor_units(amount, currency), minor)
                self.assertAlmostEqual(utils.to_major_units(minor, currency), amount, places=6)

    def test_inexact_amounts_are_refused(self):
        for amount, currency in [
            (10.005, 'USD'),
            (100.5, 'JPY'),
            (100.5, 'ISK'),
            (100.5, 'UGX'),
            (1.234, 'KWD'),
            (1e300, 'USD'),
        ]:
            with self.subTest(amount=amount, currency=currency):
                with self.assertRaises(utils.InexactAmount):
                    utils.to_minor_units(amount, currency)
                self.assertFalse(utils.can_be_charged(amount, currency))

    def test_rounded_up_to_what_stripe_takes(self):
        for amount, currency, rounded in [
            (9.23, 'USD', 9.23),
            (9.231, 'USD', 9.24),
            (3.067, 'KWD', 3.07),
            (100.01, 'JPY', 101),
            (100.01, 'ISK', 101),
            (0, 'USD', 0),
        ]:
            self.assertEqual(utils.round_up(amount, currency), rounded)

    def test_limits(self):
        self.assertTrue(utils.can_be_charged(0.5, 'USD'))
        self.assertFalse(utils.can_be_charged(0.49, 'USD'))
        self.assertTrue(utils.can_be_charged(0.3, 'GBP'))
        self.assertFalse(utils.can_be_charged(49, 'JPY'))
        self.assertFalse(utils.can_be_charged(0, 'XPF'))
        self.assertTrue(utils.can_be_charged(999999.99, 'USD'))
        self.assertFalse(utils.can_be_charged(1000000, 'USD'))


class TestKeys(BaseCase):
    def test_mode_comes_from_the_prefix(self):
        self.assertEqual(utils.get_key_mode('sk_test_abc', 'secret'), 'test')
        self.assertEqual(utils.get_key_mode('rk_live_abc', 'secret'), 'live')
        self.assertEqual(utils.get_key_mode('pk_live_abc', 'publishable'), 'live')
        for wrong in ('pk_test_abc', 'sk_test_', 'sk_abc', 'whsec_abc', '', 'SK_TEST_abc'):
            self.assertIsNone(utils.get_key_mode(wrong, 'secret'), wrong)
        self.assertIsNone(utils.get_key_mode('sk_test_abc', 'publishable'))

    def test_account_of_a_key(self):
        account, rest = '1AbCdEfGhIjKlMnO', 'x' * 82
        for prefix in ('sk_test_', 'pk_live_', 'rk_test_'):
            self.assertEqual(utils.read_key_account(f'{prefix}5{account}{rest}'), account[:14])
        for key in ('pk_test_TYooMQauvdEDq54NiTphI7jx', f'sk_test_{rest}', 'pk_test_51AbC', ''):
            self.assertIsNone(utils.read_key_account(key), key)

    def test_nothing_of_a_key_is_left_but_its_ends(self):
        text = "Invalid API Key provided: sk_test_51Hidden9876 and whsec_Secret1234"
        self.assertEqual(
            utils.redact(text), "Invalid API Key provided: sk_test_…9876 and whsec_…1234"
        )
        self.assertEqual(utils.mask_key('rk_live_51Hidden9876'), 'rk_live_…9876')
        self.assertEqual(utils.mask_key('typed by mistake'), '…take')

    def test_the_pinned_version_is_that_of_the_sdk(self):
        self.assertEqual(const.API_VERSION, stripe.api_version)
