"""Events: what happened, kept for 30 days and told to the webhook endpoints."""

import stripe

from .ids import random_text
from .sdk import shape

KEPT = 30 * 24 * 3600


class Events:
    """Makes events and hands them to the deliveries.

    :param world: the stand-in.
    """

    def __init__(self, world):
        self.world = world
        self.duplicate = False

    def emit(self, account, type, obj, *, cause=None, previous=None):
        """Make an event about an object as it is now.

        :param account: whose object it is.
        :param type: such as ``checkout.session.completed``.
        :param obj: the object; its present state is copied into the event.
        :param cause: id and idempotency key of the API request, None when a payer or time did it.
        :param previous: earlier values of changed fields, for ``….updated`` events.
        :return: the events made: one, or two that differ in their id alone.
        """
        made = []
        for _copy in range(2 if self.duplicate else 1):
            data = {"object": account.store.snapshot(obj)}
            if previous is not None:
                data["previous_attributes"] = previous
            event = shape(
                stripe.Event,
                omit=("account", "context"),
                id="evt_1" + random_text(23),
                object="event",
                api_version=account.api_version,
                created=self.world.clock.now(),
                data=data,
                livemode=False,
                pending_webhooks=0,
                request=cause or {"id": None, "idempotency_key": None},
                type=type,
            )
            account.store.add(event)
            made.append(event)
            self.world.deliveries.send(account, event)
        return made


def wanted(endpoint, type):
    """Tell whether a webhook endpoint has asked for events of this type."""
    if endpoint["status"] != "enabled":
        return False
    return "*" in endpoint["enabled_events"] or type in endpoint["enabled_events"]
