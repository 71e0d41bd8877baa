"""An Odoo server in a process of its own, threaded or with worker processes."""

import itertools
import json
import signal
import socket
import time
import urllib.error
import urllib.request
from contextlib import closing

from . import databases, odoo_config
from .console import DevError
from .processes import kill_group, spawn, stop

_numbers = itertools.count(1)


class RpcError(Exception):
    """Odoo refused a call.

    :param str name: The Python name of Odoo's exception.
    :param str message: Its text.
    """

    def __init__(self, name, message):
        super().__init__(message)
        self.name = name


def free_port():
    """Return a port of the loopback interface that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def hold_port():
    """Return a socket that keeps a free port from whoever asks for any port at all.

    A server that asks for this very port gets it, since both allow that it is used again.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


class OdooServer:
    """One Odoo server on 127.0.0.1.

    :param Runtime runtime: The run.
    :param str database: The one database that it serves.
    :param int workers: 0 for threads, else the number of worker processes.
    :param int max_cron_threads: How many scheduled actions run at once.
    :param int port: The HTTP port; a free one by default.
    :param dict extra_env: Further environment variables.
    :param tuple extra_args: Further arguments on Odoo's command line.
    """

    def __init__(
        self,
        runtime,
        database,
        *,
        workers=0,
        max_cron_threads=2,
        port=None,
        extra_env=None,
        extra_args=(),
    ):
        self.runtime = runtime
        self.database = database
        self.workers = workers
        self.max_cron_threads = max_cron_threads
        self.wanted_port = port
        self.extra_env = extra_env or {}
        self.extra_args = tuple(extra_args)
        self.name = f"odoo-{database}-{next(_numbers)}"
        self.log_path = runtime.path / f"{self.name}.log"
        self.port = port
        self.process = None
        self._uids = {}

    @property
    def url(self):
        """The server's address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def create_database(self):
        """Make the database, with the addon installed, as a copy of the run's template."""
        databases.copy(self.runtime, self.runtime.installed_template, self.database)

    def drop_database(self):
        """Drop the database before the run's end."""
        databases.drop(self.runtime, self.database)

    def start(self, timeout=60):
        """Start the server and wait until it answers.

        :param float timeout: Seconds to wait.
        :raise DevError: If it ends or stays silent; the message names the log.
        """
        for _attempt in range(3):
            self.port = self.wanted_port or free_port()
            self._launch()
            if self._wait(timeout):
                return
            # Between choosing a free port and listening on it another process may take it.
            if self.wanted_port or "Address already in use" not in self._log():
                break
        self.kill()
        if self.wanted_port and "Address already in use" in self._log():
            raise DevError(f"Port {self.wanted_port} is taken: choose another one.")
        raise DevError(f"Odoo did not start:\n{odoo_config.summary(self._log())}")

    def _launch(self):
        config = odoo_config.write(
            self.runtime,
            self.runtime.path / f"{self.name}.conf",
            self.database,
            http_port=self.port,
            gevent_port=free_port(),
            workers=self.workers,
            max_cron_threads=self.max_cron_threads,
            logfile=self.log_path,
        )
        command = [self.runtime.python, *odoo_config.SERVER, "-c", config, *self.extra_args]
        output = self.log_path.with_suffix(".out")
        with output.open("ab") as handle:
            self.process = spawn(
                command,
                env=self.runtime.environment(**self.extra_env),
                stdout=handle,
                stderr=handle,
                cwd=self.runtime.path,
            )

    def _wait(self, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                # Past the health check the registry loads: the login page needs it.
                for path in ("/web/health", "/web/login"):
                    with _opener().open(self.url + path, timeout=timeout) as answer:
                        answer.read()
                return True
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        return False

    def _log(self):
        paths = (self.log_path, self.log_path.with_suffix(".out"))
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())

    def stop(self):
        """Stop the server as an operator does; one that has ended is fine."""
        if self.process:
            stop(self.process, with_signal=signal.SIGTERM, grace=15)
            self.process = None

    def kill(self):
        """End the server and its workers at once, as a power cut does."""
        if self.process:
            kill_group(self.process)
            self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop()

    def execute(self, model, method, *args, user="admin", password="admin", **kwargs):
        """Call a model's method over RPC, as a user.

        :param str model: The model's name.
        :param str method: A public method.
        :param args: Its positional arguments, the record ids first.
        :param str user: The user's login.
        :param str password: The user's password.
        :param kwargs: Its keyword arguments.
        :return: What the method returns.
        :raise RpcError: With Odoo's own message.
        """
        uid = self._log_in(user, password)
        arguments = (self.database, uid, password, model, method, args, kwargs)
        return self._call("object", "execute_kw", *arguments)

    def _log_in(self, user, password):
        credentials = (user, password)
        if credentials not in self._uids:  # logging in is slow on purpose
            uid = self._call("common", "authenticate", self.database, *credentials, {})
            if not uid:
                raise RpcError("odoo.exceptions.AccessDenied", f"{user} cannot log in.")
            self._uids[credentials] = uid
        return self._uids[credentials]

    def _call(self, service, method, *args):
        params = {"service": service, "method": method, "args": args}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "call", "params": params})
        request = urllib.request.Request(
            f"{self.url}/jsonrpc", body.encode(), {"Content-Type": "application/json"}
        )
        with _opener().open(request, timeout=120) as response:
            answer = json.load(response)
        if "error" in answer:
            data = answer["error"]["data"]
            raise RpcError(data["name"], data["message"])
        return answer.get("result")


def _opener():
    # A proxy of the person's must not see calls to this machine.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
