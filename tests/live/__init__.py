"""Tests on real servers: processes, commits, cron threads, deliveries, browsers.

Run by pytest alone; Odoo's own test runner never loads them.
"""

import pytest

# Before any of them is imported.
pytest.register_assert_rewrite(f'{__name__}.books', f'{__name__}.client', f'{__name__}.site')
