"""Run a command below a parent that ends every process and folder of the run, whatever happens.

Three lines of defence: the command ends what it started; the parent ends what a crashed command
left; and when the parent itself is killed, the kernel signals the command (`die_with_parent`).
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .processes import become_subreaper, die_with_parent, end_descendants
from .runtime import FILE, ROOT, VARIABLE

PREFIX = "psc-run-"
LOCK = "lock"
GRACE = 20  # seconds that an interrupted command has for its own clean-up


def supervise(python, module, arguments, facts):
    """Run ``python -m devtools.<module>`` in a run folder of its own.

    :param Path python: The virtual environment's Python.
    :param str module: The module's name below ``devtools``.
    :param list arguments: Its arguments.
    :param dict facts: The fields of `Runtime` that are known so far.
    :return: The command's exit code.
    :rtype: int
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=short_folder()))
    lock = (folder / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        (folder / FILE).write_text(json.dumps({**facts, "folder": folder}, default=str))
        (folder / "lib").mkdir()
        (folder / "lib" / "devtools").symlink_to(ROOT / "devtools")
        environment = {
            name: value
            for name, value in os.environ.items()
            # Without PGHOST the server is ours: no other variable may lead elsewhere.
            if os.environ.get("PGHOST") or not name.startswith("PG")
        }
        environment |= {
            VARIABLE: str(folder),
            "PYTHONPATH": str(folder / "lib"),
            # A proxy of the person's must not see calls to this machine.
            **dict.fromkeys(("NO_PROXY", "no_proxy"), leave_proxy_out(os.environ)),
            "PYTHONPYCACHEPREFIX": str(Path(facts["cache"]) / "bytecode"),
        }
        environment.pop("PYTHONHOME", None)
        command = [str(python), "-m", f"devtools.{module}", *arguments]
        return _run(command, environment, lock.fileno())
    finally:
        end_descendants()
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def leave_proxy_out(environment):
    """Return for which hosts no proxy is asked: this machine, beside what the person says.

    :param dict environment: The person's environment.
    :rtype: str
    """
    # The small letters win, https://docs.python.org/3/library/urllib.request.html
    said = environment.get("no_proxy") or environment.get("NO_PROXY")
    if said == "*":
        return said
    return ",".join(filter(None, (said, "127.0.0.1", "localhost")))


def _run(command, environment, lock):
    become_subreaper()
    process = subprocess.Popen(
        command,
        env=environment,
        # The command keeps the lock, should this process be killed before it.
        pass_fds=[lock],
        # A session of its own: Ctrl-C reaches this process, which hands it on once.
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGTERM),
    )

    def hand_on(number, _frame):
        if process.poll() is None:
            process.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
        signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(GRACE)

    handlers = {
        number: signal.signal(number, hand_on)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        code = process.wait()
    finally:
        signal.alarm(0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def short_folder():
    """Return a folder short enough for a socket in it: the kernel allows about 100 characters."""
    folder = tempfile.gettempdir()
    return folder if len(folder) < 60 else "/tmp"
