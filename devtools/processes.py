"""Start processes that end with us, and end whatever is left of them."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

LINUX = sys.platform.startswith("linux")
# Loaded before any fork: a child between fork and exec must not import or take locks.
_LIBC = ctypes.CDLL(None, use_errno=True) if LINUX else None


def become_subreaper():
    """Adopt orphaned grandchildren, so that `end_descendants` finds them."""
    if LINUX:
        _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(signal_number):
    """Return a `preexec_fn` that makes the kernel signal the child when its parent dies."""
    parent = os.getpid()

    def preexec():
        if LINUX:
            _LIBC.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    return preexec


def spawn(command, *, end_signal=signal.SIGTERM, **options):
    """Start a process in a session of its own that gets `end_signal` when this process dies.

    :param list command: The program and its arguments.
    :param int end_signal: What the kernel sends when the parent is gone.
    :param options: As for `subprocess.Popen`.
    :return: The process.
    :rtype: subprocess.Popen
    """
    return subprocess.Popen(
        [str(part) for part in command],
        start_new_session=True,
        preexec_fn=die_with_parent(end_signal),
        **options,
    )


def stop(process, *, with_signal=signal.SIGTERM, grace=10):
    """Ask a process started by `spawn` to end, and kill its whole group if it does not.

    :param subprocess.Popen process: The process; one that has ended is fine.
    :param int with_signal: How to ask.
    :param float grace: Seconds to wait before killing.
    """
    if process.poll() is None:
        process.send_signal(with_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    kill_group(process)


def kill_group(process):
    """Send SIGKILL to a process started by `spawn` and all of its group; wait until they end."""
    with suppress(ProcessLookupError, PermissionError):  # it is gone, or only zombies are left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(p.group == process.pid for p in living()):
        time.sleep(0.01)


class Stat(NamedTuple):
    """One process as the kernel shows it."""

    pid: int
    state: str
    parent: int
    group: int


def parse_stat(text):
    """Return the `Stat` in the text of ``/proc/<pid>/stat``.

    The program's name, in brackets, may itself hold brackets and spaces.
    """
    pid, _bracket, rest = text.partition(" (")
    state, parent, group = rest.rpartition(")")[2].split()[:3]
    return Stat(int(pid), state, int(parent), int(group))


def living():
    """Return the `Stat` of every process of the machine that has not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):  # it ended meanwhile
            found.append(parse_stat(entry.read_text(errors="replace")))
    return [process for process in found if process.state not in "ZX"]


def descendants(root=None):
    """Return the pids of all living descendants of a process (this one by default)."""
    children = {}
    for process in living():
        children.setdefault(process.parent, []).append(process.pid)
    found, todo = [], [root or os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def end_descendants(grace=5):
    """End every descendant of this process: SIGTERM first, SIGKILL after `grace` seconds."""
    deadline = time.monotonic() + grace
    signal_number = signal.SIGTERM
    signalled = set()
    while pids := descendants():
        if time.monotonic() > deadline and signal_number != signal.SIGKILL:
            signal_number, signalled = signal.SIGKILL, set()
        for pid in set(pids) - signalled:
            signalled.add(pid)
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal_number)
        if time.monotonic() > deadline + grace:
            break  # nothing more can be done about a process that survives SIGKILL
        time.sleep(0.05)
        _reap()
    _reap()


def _reap():
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
