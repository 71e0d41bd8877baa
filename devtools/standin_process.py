"""The Stripe stand-in in a process of its own."""

import json
import time
import urllib.error
import urllib.request

from .console import DevError
from .odoo_server import free_port
from .processes import spawn, stop


class StandInProcess:
    """``python -m devtools.standin``, with its default account's keys.

    :param Runtime runtime: The run.
    """

    def __init__(self, runtime):
        self.runtime = runtime
        self.log_path = runtime.path / "standin.log"
        self.url = None
        self.process = None

    def __enter__(self):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [self.runtime.python, "-m", "devtools.standin", "--port", str(port)]
        with self.log_path.open("ab") as log:
            environment = self.runtime.environment()
            self.process = spawn(command, env=environment, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + 30
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                reason = self.log_path.read_text(errors="replace").strip()[-500:]
                self.__exit__()
                raise DevError(f"The Stripe stand-in did not start: {reason}")
            time.sleep(0.1)
        return self

    def __exit__(self, *exc_info):
        if self.process:
            stop(self.process, grace=5)
            self.process = None

    def _answers(self):
        try:
            self.account()
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def account(self):
        """Return the default account: ``account``, ``secret_key``, ``publishable_key``."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/_control/account", timeout=10) as answer:
            return json.load(answer)
