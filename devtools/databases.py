"""Create, copy and drop Odoo databases, together with their filestores."""

import os
import shutil
from contextlib import closing, contextmanager

import psycopg2
from psycopg2 import sql

from .console import DevError

DROPPED_AT_THE_END = "databases"  # a file in the run's folder, one name a line


@contextmanager
def cursor(runtime, database="postgres"):
    """Give a cursor in autocommit mode.

    :param Runtime runtime: The run.
    :param str database: The database.
    :raise DevError: If the server cannot be reached.
    """
    settings = runtime.pg or {}
    try:
        connection = psycopg2.connect(
            dbname=database, host=settings.get("PGHOST"), user=settings.get("PGUSER")
        )
    except psycopg2.OperationalError as error:
        where = settings.get("PGHOST") or os.environ.get("PGHOST")
        raise DevError(f"PostgreSQL at {where}: {str(error).strip().splitlines()[0]}") from None
    with closing(connection):
        connection.autocommit = True
        with connection.cursor() as result:
            yield result


def exists(runtime, name):
    """Return whether the server has a database of this name."""
    with cursor(runtime) as cr:
        cr.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return bool(cr.rowcount)


def create_empty(runtime, name):
    """Create a database as Odoo does."""
    _create(runtime, name, "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'")


def copy(runtime, template, name):
    """Copy a database that nobody is connected to, with its filestore.

    :param Runtime runtime: The run.
    :param str template: The database to copy.
    :param str name: The new one; dropped at the run's end.
    """
    with (runtime.path / DROPPED_AT_THE_END).open("a") as handle:
        handle.write(f"{name}\n")
    _create(runtime, name, sql.SQL("TEMPLATE {}").format(sql.Identifier(template)))
    source = filestore(runtime, template)
    if source.is_dir():
        shutil.copytree(source, filestore(runtime, name), dirs_exist_ok=True)


def _create(runtime, name, how):
    clause = how if isinstance(how, sql.Composable) else sql.SQL(how)
    try:
        with cursor(runtime) as cr:
            cr.execute(sql.SQL("CREATE DATABASE {} ").format(sql.Identifier(name)) + clause)
    except psycopg2.errors.InsufficientPrivilege:
        raise DevError("The PostgreSQL user needs the right to create databases.") from None


def drop(runtime, name):
    """Drop a database and its filestore; one that is not there is fine."""
    with cursor(runtime) as cr:
        # Not WITH (FORCE): it is refused while the server itself is vacuuming the database, whose
        # process only a superuser may end. Without it, PostgreSQL ends that one by itself.
        cr.execute(
            """
            SELECT pg_terminate_backend(pid)
              FROM pg_stat_activity
             WHERE datname = %s AND usename = CURRENT_USER AND backend_type = 'client backend'
            """,
            [name],
        )
        statement = sql.SQL("DROP DATABASE IF EXISTS {}")
        cr.execute(statement.format(sql.Identifier(name)))
    shutil.rmtree(filestore(runtime, name), ignore_errors=True)


def drop_all(runtime):
    """Drop every database that this run has copied."""
    listed = runtime.path / DROPPED_AT_THE_END
    for name in listed.read_text().split() if listed.exists() else ():
        drop(runtime, name)


def filestore(runtime, name):
    """Return the folder in which Odoo keeps a database's files."""
    return runtime.data_dir / "filestore" / name
