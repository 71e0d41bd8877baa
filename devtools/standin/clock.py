"""The stand-in's own clock, and what falls due on it."""

import heapq
import itertools
import logging
import threading
import time

_logger = logging.getLogger(__name__)

# A jump of the machine's own clock must not keep a due job waiting for ever.
LONGEST_SLEEP = 1.0


class Clock:
    """Time that a test can move forward; jobs run when they fall due.

    :param lock: held while a job runs, so that jobs see and leave a whole state.
    """

    def __init__(self, lock):
        self._lock = lock
        self._offset = 0.0
        self._jobs = []
        self._numbers = itertools.count()
        self._wake = threading.Condition(threading.Lock())
        self._stopped = False

    def time(self):
        """Return the present as a float, in seconds since 1970."""
        return time.time() + self._offset

    def now(self):
        """Return the present as Stripe writes it: whole seconds since 1970."""
        return int(self.time())

    def at(self, when, job):
        """Run ``job`` once this clock reaches ``when``."""
        with self._wake:
            heapq.heappush(self._jobs, (when, next(self._numbers), job))
            self._wake.notify()

    def advance(self, seconds):
        """Move the clock forward and run what falls due, each job at its own time.

        :param seconds: how far; never negative, Stripe's time does not run backwards.
        :return: the new time in whole seconds.
        :raise ValueError: if ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError("The clock only moves forward.")
        with self._lock:
            target = self.time() + seconds
            while True:
                with self._wake:
                    upcoming = self._jobs[0][0] if self._jobs else target
                if upcoming >= target:
                    break
                self._offset += max(0.0, upcoming - self.time())
                self.run_due()
            self._offset += max(0.0, target - self.time())
            self.run_due()
            return self.now()

    def run_due(self):
        """Run every job whose time has come."""
        with self._lock:
            while True:
                with self._wake:
                    if not self._jobs or self._jobs[0][0] > self.time():
                        return
                    job = heapq.heappop(self._jobs)[2]
                job()

    def reset(self):
        """Return to the machine's time and forget all jobs."""
        with self._wake:
            self._offset = 0.0
            self._jobs.clear()

    def start(self):
        """Run due jobs from a thread of their own until :meth:`stop`."""
        self._stopped = False
        threading.Thread(target=self._loop, name="standin-clock", daemon=True).start()

    def stop(self):
        """End the thread; jobs stay."""
        with self._wake:
            self._stopped = True
            self._wake.notify()

    def _loop(self):
        while True:
            with self._wake:
                if self._stopped:
                    return
                wait = self._jobs[0][0] - self.time() if self._jobs else LONGEST_SLEEP
                if wait > 0:
                    self._wake.wait(min(wait, LONGEST_SLEEP))
                    continue
            try:
                self.run_due()
            except Exception:
                _logger.exception("A due job of the stand-in failed")
