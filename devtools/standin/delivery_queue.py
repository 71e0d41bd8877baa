"""A queue of deliveries that fall due, sent by a few worker threads."""

import heapq
import itertools
import logging
import threading
import time

_logger = logging.getLogger(__name__)

WORKERS = 8


class DeliveryQueue:
    """Hands deliveries to ``work`` when they are due.

    :param work: ``function(delivery)``, called in a worker thread.
    """

    def __init__(self, work):
        self._do = work
        self._ready = threading.Condition()
        self._numbers = itertools.count()
        self._due = []
        self._under_way = 0
        self._workers = 0
        self._stopped = False

    def put(self, delivery, seconds=0.0):
        """Queue a delivery that is due in ``seconds``."""
        with self._ready:
            if self._stopped:
                return
            entry = (time.monotonic() + seconds, next(self._numbers), delivery)
            heapq.heappush(self._due, entry)
            if self._workers < WORKERS:
                self._workers += 1
                threading.Thread(target=self._work, name="standin-delivery", daemon=True).start()
            self._ready.notify()

    def _work(self):
        while True:
            delivery = self._next()
            if delivery is None:
                return
            try:
                self._do(delivery)
            except Exception:
                _logger.exception("A delivery of the stand-in failed")
            finally:
                with self._ready:
                    self._under_way -= 1
                    self._ready.notify_all()

    def _next(self):
        with self._ready:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._under_way += 1
                    return heapq.heappop(self._due)[2]
                self._ready.wait(wait)
            self._workers -= 1
            return None

    def wait_idle(self, timeout):
        """Wait until nothing is queued or under way.

        :param timeout: seconds.
        :return: whether that came true in time.
        """
        with self._ready:
            return self._ready.wait_for(lambda: not self._due and not self._under_way, timeout)

    def clear(self):
        """Drop what is queued."""
        with self._ready:
            self._due.clear()
            self._ready.notify_all()

    def start(self):
        """Take deliveries again after :meth:`stop`."""
        with self._ready:
            self._stopped = False

    def stop(self):
        """End the workers and drop what is queued."""
        with self._ready:
            self._stopped = True
            self._due.clear()
            self._ready.notify_all()
