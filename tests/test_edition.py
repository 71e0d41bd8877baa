import tempfile
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import config

from ..models import payment_provider
from .common import StripeCheckoutCommon

WRITTEN = ('community', 'Community', ' COMMUNITY ')


@tagged('post_install', '-at_install')
class TestEdition(StripeCheckoutCommon):
    """The edition is what the operator says, else what the database says, else enterprise."""

    def setUp(self):
        super().setUp()
        payment_provider.read_edition.cache_clear()
        self.invoice = self.create_invoice(100)

    # === WHERE IT IS SET === #

    def environment(self, value):
        return patch.dict('os.environ', {'STRIPE_CHECKOUT_EDITION': value})

    @contextmanager
    def odoo_conf(self, value):
        """Let Odoo read the option from a configuration file, as it does when it starts."""
        others = dict(config._file_options)
        with tempfile.TemporaryDirectory() as folder, patch.dict(config._file_options):
            path = Path(folder) / 'odoo.conf'
            path.write_text(f'[options]\nstripe_checkout_edition = {value}\n')
            config._load_file_options(path)
            config._file_options.update({**others, **config._file_options})
            yield

    @contextmanager
    def parameter(self, value):
        self.env['ir.config_parameter'].set_param('payment_stripe_checkout.edition', value)
        yield
        self.env['ir.config_parameter'].set_param('payment_stripe_checkout.edition', False)

    # === WHAT IT DOES === #

    def assert_enterprise(self):
        self.env.invalidate_all()
        self.assertTrue(self.invoice.with_user(self.billing_admin).stripe_checkout_url)
        self.connect()

    def assert_community(self):
        self.env.invalidate_all()
        self.assertFalse(self.invoice.with_user(self.billing_admin).stripe_checkout_url)
        with self.assertRaisesRegex(UserError, "Enterprise edition"):
            self.connect()

    # === TESTS === #

    def test_enterprise_without_a_word(self):
        self.assert_enterprise()

    def test_each_source_however_it_is_written(self):
        sources = (self.environment, self.odoo_conf, self.parameter)
        for source, value in product(sources, WRITTEN):
            with self.subTest(source=source.__name__, value=value):
                with source(value):
                    self.assert_community()
                self.assert_enterprise()

    def test_environment_is_final(self):
        with (
            self.environment('enterprise'),
            self.odoo_conf('community'),
            self.parameter('community'),
        ):
            self.assert_enterprise()

    def test_odoo_conf_is_above_the_database(self):
        with self.odoo_conf('enterprise'), self.parameter('community'):
            self.assert_enterprise()

    def test_unknown_word_is_logged_once_and_ignored(self):
        with (
            self.environment('oss'),
            self.parameter('community'),
            self.assertLogs(payment_provider.__name__, 'ERROR') as log,
        ):
            self.assert_community()
            self.assert_community()
        self.assertEqual(len(log.output), 1)
        self.assertIn("STRIPE_CHECKOUT_EDITION is 'oss'", log.output[0])
