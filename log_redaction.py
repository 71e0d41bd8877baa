"""Keeps API keys and webhook secrets out of the log, also out of the tracebacks in it."""

import logging

from . import utils

STRIPE_LOGGER = 'stripe'

_formatter = logging.Formatter()


class RedactingFilter(logging.Filter):
    """Redacts the text of a record before any handler sees it."""

    def filter(self, record):
        """Override of `logging` to replace message and traceback by redacted texts.

        An error is part of its own traceback: a message that is redacted hides nothing as long as
        the exception is logged beside it.

        :param logging.LogRecord record: The record.
        :return: True, every record is logged.
        :rtype: bool
        """
        record.msg = utils.redact(record.getMessage())
        record.args = ()
        if record.exc_info:
            record.exc_text = utils.redact(_formatter.formatException(record.exc_info))
            record.exc_info = None
        return True


def redact_logs(package):
    """Have everything redacted that the modules of a package log, and Stripe's library.

    At the level DEBUG the library logs whole answers, and the answer to a new webhook endpoint
    bears its secret.

    A filter counts for the records of its own logger alone, not for those of the loggers below.

    :param str package: The name of the package, whose modules are all imported.
    :return: None
    """
    for name in list(logging.root.manager.loggerDict):
        if name in (package, STRIPE_LOGGER) or name.startswith(f'{package}.'):
            logging.getLogger(name).addFilter(RedactingFilter())
