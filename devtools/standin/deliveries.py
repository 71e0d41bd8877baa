"""Webhook deliveries: signed afresh for each attempt, retried when refused, held on demand."""

import random
import threading
import time

from .delivery import Delivery
from .delivery_queue import DeliveryQueue
from .events import wanted

# Checkout waits this long for the answer before it sends the payer back.
LONGEST_WAIT = 10.0
RETRY_DELAYS = (0.2, 0.4, 0.8)


class Deliveries:
    """All deliveries of the stand-in.

    :param world: the stand-in.

    ``retry_delays`` (seconds before each retry), ``timeout`` (seconds for an answer) and
    ``extra_headers`` (added to each delivery) may be changed at any time; ``attempts`` is the log.
    """

    def __init__(self, world):
        self.world = world
        self.queue = DeliveryQueue(self._send_once)
        self._lock = threading.Lock()
        self.generation = 0
        self._set_defaults()

    def _set_defaults(self):
        self.retry_delays = RETRY_DELAYS
        self.timeout = LONGEST_WAIT
        self.extra_headers = {}
        self.attempts = []
        self.held = []
        self._holding = False
        self._delay = 0.0
        self.second_secrets = []
        self._latest = {}

    def reset(self):
        """Forget all deliveries and settings."""
        self.queue.clear()
        with self._lock:
            self.generation += 1
            self._set_defaults()

    # How deliveries go out

    def hold(self):
        """Keep every delivery from now on until :meth:`release`."""
        self._holding = True

    def delay(self, seconds):
        """Send every new delivery ``seconds`` later than it would have been sent."""
        self._delay = float(seconds)

    def double_sign(self, old_secret):
        """Send a second ``v1`` made with this secret, as after a roll in the Dashboard.

        :param old_secret: None ends it.
        """
        self.second_secrets = [old_secret] if old_secret else []

    def duplicate_events(self, on=True):
        """Make two events with different ids for each thing that happens."""
        self.world.events.duplicate = bool(on)

    def send(self, account, event):
        """Queue an event for every endpoint of its account that asked for its type."""
        deliveries = self._deliveries_of(account, event)
        event["pending_webhooks"] = len(deliveries)
        with self._lock:
            self._latest[event["id"]] = deliveries
            if self._holding:
                self.held += deliveries
                return
        for delivery in deliveries:
            self.queue.put(delivery, self._delay)

    def _deliveries_of(self, account, event):
        endpoints = account.store.newest_first("webhook_endpoint")
        return [
            Delivery(self, account, event, endpoint)
            for endpoint in endpoints
            if wanted(endpoint, event["type"])
        ]

    def _send_once(self, delivery):
        """Send once; queue the next try when it is refused."""
        attempt = delivery.attempt()
        if delivery.generation != self.generation:
            return attempt
        if attempt and not attempt.succeeded and delivery.tries <= len(self.retry_delays):
            self.queue.put(delivery, self.retry_delays[delivery.tries - 1])
        return attempt

    def record(self, delivery, attempt):
        """Log an attempt; the event counts the endpoints that have not taken it yet."""
        with self._lock:
            if delivery.generation != self.generation:
                return
            self.attempts.append(attempt)
            first = attempt.succeeded and not delivery.delivered
            delivery.delivered |= attempt.succeeded
        if first:
            with self.world.lock:
                event = delivery.event
                event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)

    # Held deliveries

    def release(self, order="fifo", copies=1):
        """Send what is held, one after another, and stop holding.

        :param order: ``fifo``, ``reverse``, ``random``, or a list of event ids; a list sends just
            these and goes on holding.
        :param copies: how often each is sent.
        :return: the attempts made.
        :raise ValueError: for an unknown order or an event that is not held.
        """
        with self._lock:
            chosen = _ordered(self.held, order)
            self.held = [delivery for delivery in self.held if delivery not in chosen]
            if isinstance(order, str):
                self._holding = False
        sent = [self._send_once(delivery) for delivery in chosen for _copy in range(int(copies))]
        return [attempt for attempt in sent if attempt]

    def pop_all(self):
        """Take the held deliveries without sending them; holding goes on.

        :return: list of :class:`Delivery`.
        """
        with self._lock:
            taken, self.held = self.held, []
        return taken

    def repeat(self, event_id, times=10, parallel=8):
        """Send one event again and again.

        :param times: number of attempts for each endpoint.
        :param parallel: how many at once.
        :return: the attempts made.
        :raise ValueError: if there is no such event.
        """
        with self.world.lock:
            account, event = self._find(event_id)
            waiting = [
                delivery
                for _time in range(int(times))
                for delivery in self._deliveries_of(account, event)
            ]
        made = []

        def work():
            while True:
                with self._lock:
                    if not waiting:
                        return
                    delivery = waiting.pop()
                attempt = delivery.attempt()
                if attempt:
                    made.append(attempt)

        threads = [threading.Thread(target=work) for _number in range(int(parallel))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return made

    def _find(self, event_id):
        for account in self.world.accounts:
            event = account.store.get("event", event_id)
            if event:
                return account, event
        raise ValueError(f"No such event: {event_id}")

    # Waiting

    def wait_idle(self, timeout=30.0):
        """Wait until nothing is queued, waiting for a retry or under way; held ones do not count.

        :param timeout: seconds.
        :return: whether it became idle in time.
        """
        return self.queue.wait_idle(timeout)

    def wait_answered(self, events, timeout=LONGEST_WAIT):
        """Wait for the answer to the first attempt of these events, as hosted Checkout does.

        Held and delayed deliveries are not waited for.
        """
        if self._holding or self._delay:
            return
        deadline = time.monotonic() + timeout
        for event in events:
            for delivery in self._latest.get(event["id"], []):
                delivery.answered.wait(max(0.0, deadline - time.monotonic()))


def _ordered(held, order):
    """Return the held deliveries to send, in the order asked for."""
    orders = {
        "fifo": lambda: list(held),
        "reverse": lambda: held[::-1],
        "random": lambda: random.sample(held, len(held)),
    }
    if isinstance(order, str):
        if order not in orders:
            raise ValueError(f"Unknown order: {order}. Known: {', '.join(orders)}, or event ids.")
        return orders[order]()
    missing = set(order) - {delivery.event["id"] for delivery in held}
    if missing:
        raise ValueError(f"Not held: {', '.join(sorted(missing))}.")
    return [delivery for event_id in order for delivery in held if delivery.event["id"] == event_id]
