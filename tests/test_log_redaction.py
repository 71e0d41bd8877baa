import logging

from odoo.tests import BaseCase

from ..log_redaction import RedactingFilter, redact_logs

PACKAGE = 'odoo.addons.payment_stripe_checkout'


class TestLogRedaction(BaseCase):
    """No secret reaches the log, whoever puts it into a message or an error."""

    def test_every_logger_of_the_addon_redacts(self):
        loggers = [
            logging.getLogger(name)
            for name in logging.root.manager.loggerDict
            if name.startswith((f'{PACKAGE}.models.', f'{PACKAGE}.controllers.'))
        ]
        loggers.append(logging.getLogger('stripe'))  # It logs whole answers at the level DEBUG.
        self.assertGreater(len(loggers), 10)
        for logger in loggers:
            self.assertTrue(
                any(isinstance(each, RedactingFilter) for each in logger.filters), logger.name
            )

    def test_message_arguments_and_tracebacks(self):
        logger = logging.getLogger(f'{PACKAGE}_example.models')
        redact_logs(f'{PACKAGE}_example')
        with self.assertLogs(logger) as logs:
            logger.info("Key %s", 'rk_live_hidden5678')
            try:
                try:
                    raise ValueError('whsec_hidden1234')
                except ValueError as error:
                    raise RuntimeError('sk_test_hidden1234') from error
            except RuntimeError:
                logger.exception("Failed")
        text = '\n'.join(logs.output)
        self.assertNotIn('hidden', text)
        self.assertIn('rk_live_…5678', text)
        self.assertIn('RuntimeError: sk_test_…1234', text)
        self.assertIn('ValueError: whsec_…1234', text)
