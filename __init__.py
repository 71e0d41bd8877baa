from . import controllers, models, wizards
from .hooks import post_init_hook, uninstall_hook
from .log_redaction import redact_logs

redact_logs(__name__)
