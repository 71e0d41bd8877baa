from unittest.mock import patch

from odoo.modules.module import Manifest, MissingDependency, check_python_external_dependency
from odoo.tests import BaseCase


class TestLibrary(BaseCase):
    """Odoo says at the installation that Stripe's library is too old, not a client later."""

    def test_older_library_is_refused(self):
        manifest = Manifest.for_addon('payment_stripe_checkout')
        [dependency] = manifest['external_dependencies']['python']
        check_python_external_dependency(dependency)
        for version in ('5.0.0', '11.6.0'):  # Debian's own; one without what the addon calls.
            with (
                patch('importlib.metadata.version', return_value=version),
                self.assertRaises(MissingDependency),
            ):
                check_python_external_dependency(dependency)
