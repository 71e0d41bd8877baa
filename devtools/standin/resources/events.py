"""Events of the last 30 days."""

from fnmatch import fnmatchcase

from ..api import Routes
from ..errors import missing_resource
from ..events import KEPT
from .common import check_list, check_only_one, listed, stored

KIND = "event"

routes = Routes()


@routes.add("GET", "/v1/events/{id}", "EventRetrieveParams", KIND, "event_read")
def retrieve(request):
    """Return one event, up to 30 days old."""
    event = stored(request, KIND, "id")
    if event["created"] < request.now - KEPT:
        raise missing_resource(KIND, event["id"], "id")
    return event


def _check(request):
    check_list(request)
    check_only_one(request.params, "type", "types")


@routes.add("GET", "/v1/events", "EventListParams", f"[{KIND}]", "event_read", check=_check)
def list_all(request):
    """Return events by type, time and whether every endpoint has taken them."""
    params = request.params
    patterns = params.get("types") or [params.get("type", "*")]
    oldest = request.now - KEPT

    def keep(event):
        if event["created"] < oldest:
            return False
        if not any(fnmatchcase(event["type"], pattern) for pattern in patterns):
            return False
        delivered = event["pending_webhooks"] == 0
        return params.get("delivery_success", delivered) == delivered

    return listed(request, KIND, keep=keep)
