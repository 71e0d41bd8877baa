"""The log of API calls. It never holds a key."""

import threading
from dataclasses import asdict, dataclass, field


@dataclass
class Call:
    """One call of the API.

    :param params: the parameters, typed when they passed validation, else as they were sent.
    :param status: HTTP status, None while there is no answer and when none was sent.
    :param replayed: whether the stored answer of an idempotency key was sent.
    :param account: id of the account, empty when the key was refused.
    :param fault: kind of the fault that was injected, empty for none.
    :param time: seconds since 1970 on the stand-in's clock.
    """

    method: str
    path: str
    params: dict = field(default_factory=dict)
    idempotency_key: str | None = None
    status: int | None = None
    replayed: bool = False
    account: str = ""
    stripe_version: str | None = None
    request_id: str = ""
    fault: str = ""
    time: float = 0.0

    def as_dict(self):
        """Return the call as a JSON-ready dict."""
        return asdict(self)


class CallLog(list):
    """A list of :class:`Call`, the oldest first, safe to append to from many threads."""

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()

    def record(self, call):
        """Append a call."""
        with self._lock:
            self.append(call)

    def matching(self, method=None, path=None):
        """Return the calls of one method and path, such as ``POST /v1/checkout/sessions``."""
        return [
            call
            for call in list(self)
            if method in (None, call.method) and path in (None, call.path)
        ]
