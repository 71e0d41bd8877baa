"""Breaks the API on purpose for the next calls."""

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

KINDS = ("500", "500_after", "429", "timeout", "reset", "lost_answer", "slow")
# Longer than the time-out of any client that the tests use.
DEFAULT_SECONDS = {"timeout": 60.0, "slow": 1.0}


@dataclass
class Fault:
    """A fault that waits for its calls.

    :param left: for how many more calls.
    :param path: pattern such as ``/v1/checkout/sessions*``, None for any.
    :param seconds: how long no answer comes (``timeout``), or how late it comes.
    """

    kind: str
    left: int
    path: str | None
    method: str | None
    seconds: float
    repaired: threading.Event = field(repr=False)

    def pause(self):
        """Keep a caller waiting, but not beyond the moment at which everything is repaired."""
        if self.seconds:
            self.repaired.wait(self.seconds)

    def matches(self, method, path):
        """Tell whether a call is one of those to break."""
        return self.method in (None, method) and (self.path is None or fnmatchcase(path, self.path))


class Faults:
    """What to break next. Control routes are never touched."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pending = []
        self._repaired = threading.Event()

    def next(self, n, kind, path=None, method=None, seconds=None):
        """Break the next ``n`` calls that match.

        :param kind: ``500`` and ``429`` answer with that error and do nothing; ``500_after``
            carries the call out, then answers with that error; ``timeout`` gives
            no answer and does nothing; ``reset`` cuts the connection and does nothing;
            ``lost_answer`` carries the call out, then cuts the connection; ``slow`` carries it
            out and answers late. A 500 is stored under the call's idempotency key, as at Stripe.
        :param path: exact path or pattern with ``*``.
        :param method: ``GET``, ``POST`` or ``DELETE``.
        :param seconds: for ``timeout``, ``slow`` and ``lost_answer``.
        :raise ValueError: for a kind that does not exist.
        """
        kind = str(kind)
        if kind not in KINDS:
            raise ValueError(f"Unknown kind of fault: {kind}. Known: {', '.join(KINDS)}.")
        if seconds is None:
            seconds = DEFAULT_SECONDS.get(kind, 0.0)
        with self._lock:
            method = method and method.upper()
            fault = Fault(kind, int(n), path, method, float(seconds), self._repaired)
            self._pending.append(fault)

    def take(self, method, path):
        """Return the fault for this call, None if it is to work."""
        with self._lock:
            for fault in self._pending:
                if fault.left > 0 and fault.matches(method, path):
                    fault.left -= 1
                    self._pending = [each for each in self._pending if each.left > 0]
                    return fault
        return None

    @property
    def pending(self):
        """Return the faults that still wait for calls, as JSON-ready dicts."""
        with self._lock:
            return [
                {name: value for name, value in vars(fault).items() if name != "repaired"}
                for fault in self._pending
            ]

    def clear(self):
        """Repair everything: also who waits for an answer gets it now."""
        with self._lock:
            self._pending.clear()
            self._repaired.set()
            self._repaired = threading.Event()
