"""The objects of one account, as the API shows them."""

import copy


class Store:
    """Objects by kind and id, in the order of their creation.

    What the API never shows (a webhook secret, the parameters for a later PaymentIntent) is kept
    apart in ``private``, so that no answer can hold it by mistake.

    ``livemode`` is what new objects say; the keys stay test keys, because live ones are refused.
    """

    def __init__(self):
        self.livemode = False
        self._kinds = {}
        self._by_id = {}
        self.private = {}

    def add(self, obj, **private):
        """Keep a new object.

        :param obj: dict with ``object`` and ``id``.
        :param private: what belongs to it and is never shown.
        :return: the same dict.
        """
        if "livemode" in obj:
            obj["livemode"] = self.livemode
        self._kinds.setdefault(obj["object"], {})[obj["id"]] = obj
        self._by_id[obj["id"]] = obj
        self.private[obj["id"]] = private
        return obj

    def get(self, kind, object_id):
        """Return the object, None if there is none of that kind and id."""
        return self._kinds.get(kind, {}).get(object_id)

    def find(self, object_id):
        """Return the object with this id, of whatever kind, None if there is none."""
        return self._by_id.get(object_id)

    def remove(self, obj):
        """Forget an object."""
        self._kinds[obj["object"]].pop(obj["id"], None)
        self._by_id.pop(obj["id"], None)
        self.private.pop(obj["id"], None)

    def newest_first(self, kind):
        """Return all objects of a kind, the newest first, as Stripe lists them."""
        return list(reversed(self._kinds.get(kind, {}).values()))

    def snapshot(self, obj):
        """Return a copy that later changes do not reach."""
        return copy.deepcopy(obj)
