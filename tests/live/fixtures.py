"""Fixtures of the live tests.

A plugin that each module names, and no conftest.py: pytest imports that one before it knows the
addon as a part of `odoo.addons`.
"""

import pytest

from ...devtools.runtime import Runtime
from .site import Site


@pytest.fixture(scope='module')
def running_site(request):
    """A company that is connected to Stripe, on a server that the module's tests share."""
    name = request.module.__name__.rpartition('.')[2].removeprefix('test_')
    site = Site(Runtime.from_environment(), f'live_{name}')
    try:
        site.open()
        yield site
    finally:
        site.close()


@pytest.fixture
def site(running_site):
    """The module's company, its server running in the ordinary way."""
    running_site.ensure()
    yield running_site
    running_site.reset()
