"""Webhook endpoints. The secret is shown once, in the answer that makes the endpoint."""

import stripe

from ..api import Routes
from ..errors import invalid
from ..ids import random_text
from ..sdk import shape
from .common import check_list, check_url, listed, metadata, stored

KIND = "webhook_endpoint"
MOST = 16

routes = Routes()


def _check(request):
    params = request.params
    if "url" in params:
        check_url(params["url"], "url")
    if params.get("enabled_events") == []:
        raise invalid("Invalid array", param="enabled_events")


def _check_create(request):
    _check(request)
    if len(request.store.newest_first(KIND)) >= MOST:
        raise invalid(f"You have reached the maximum of {MOST} test webhook endpoints.")


@routes.add(
    "POST",
    "/v1/webhook_endpoints",
    "WebhookEndpointCreateParams",
    KIND,
    "webhook_write",
    check=_check_create,
)
def create(request):
    """Make an endpoint; this answer alone holds its secret."""
    params = request.params
    secret = "whsec_" + random_text(32)
    endpoint = shape(
        stripe.WebhookEndpoint,
        omit=("deleted", "secret"),
        id="we_1" + random_text(23),
        object=KIND,
        api_version=params.get("api_version"),
        created=request.now,
        description=params.get("description") or None,
        enabled_events=params["enabled_events"],
        livemode=False,
        metadata=metadata(params),
        status="enabled",
        url=params["url"],
    )
    request.store.add(endpoint, secret=secret)
    return {**endpoint, "secret": secret}


@routes.add(
    "GET",
    "/v1/webhook_endpoints/{webhook_endpoint}",
    "WebhookEndpointRetrieveParams",
    KIND,
    "webhook_read",
)
def retrieve(request):
    """Return one endpoint without its secret."""
    return stored(request, KIND, "webhook_endpoint")


@routes.add(
    "GET",
    "/v1/webhook_endpoints",
    "WebhookEndpointListParams",
    f"[{KIND}]",
    "webhook_read",
    check=check_list,
)
def list_all(request):
    """Return all endpoints without their secrets."""
    return listed(request, KIND)


@routes.add(
    "POST",
    "/v1/webhook_endpoints/{webhook_endpoint}",
    "WebhookEndpointUpdateParams",
    KIND,
    "webhook_write",
    check=_check,
)
def update(request):
    """Change an endpoint; its API version stays what it was."""
    endpoint = stored(request, KIND, "webhook_endpoint")
    params = request.params
    for name in ("url", "enabled_events"):
        endpoint[name] = params.get(name, endpoint[name])
    if "description" in params:
        endpoint["description"] = params["description"] or None
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        endpoint["metadata"] = metadata(params, endpoint["metadata"])
    return endpoint


@routes.add(
    "DELETE",
    "/v1/webhook_endpoints/{webhook_endpoint}",
    "WebhookEndpointDeleteParams",
    KIND,
    "webhook_write",
)
def delete(request):
    """Delete an endpoint; nothing is sent to it any more."""
    endpoint = stored(request, KIND, "webhook_endpoint")
    request.store.remove(endpoint)
    return {"id": endpoint["id"], "object": KIND, "deleted": True}
