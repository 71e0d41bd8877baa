"""The way of every API call: key, version, route, permission, idempotency, validation, answer."""

import json
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from . import auth, expansion, forms, sdk, validation
from .calls import Call
from .errors import ApiError, invalid, rate_limited, server_error, unknown_address
from .ids import new_id

FORM = "application/x-www-form-urlencoded"
VERSION_PARAM = sdk.fields_of(sdk.params_type("WebhookEndpointCreateParams"))["api_version"][1]
VERSIONS = frozenset(VERSION_PARAM.enum)


@dataclass(frozen=True)
class HttpRequest:
    """What came over the wire."""

    method: str
    path: str
    query: str
    headers: dict
    body: bytes = b""


@dataclass
class Answer:
    """What goes back over the wire; ``status`` None means that the connection is cut."""

    status: int | None
    document: dict | None = None
    headers: dict = field(default_factory=dict)

    @property
    def body(self):
        """Return the bytes of the JSON document."""
        return json.dumps(self.document, indent=2).encode() + b"\n"


@dataclass(frozen=True)
class Route:
    """One call of the API.

    :param template: such as ``/v1/checkout/sessions/{session}``.
    :param params: the SDK's name of its parameters.
    :param returns: name of the object in the answer, in brackets for a list: ``[charge]``.
    :param permission: what a restricted key needs, such as ``checkout_session_read``.
    :param handler: ``function(request) -> dict``, run while the state is locked.
    :param check: ``function(request)`` for refusals that come before the call begins: no
        idempotency key remembers them.
    """

    method: str
    template: str
    params: str
    returns: str
    permission: str
    handler: object
    check: object = None

    @property
    def pattern(self):
        """Return the compiled pattern of the path."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template))


class Routes:
    """The calls of one resource; each module of ``resources`` has one."""

    def __init__(self):
        self.all = []

    def add(self, method, template, params, returns, permission, check=None):
        """Return a decorator that registers a handler; see :class:`Route`."""

        def register(handler):
            self.all.append(Route(method, template, params, returns, permission, handler, check))
            return handler

        return register


@dataclass
class ApiRequest:
    """A call whose key and route are known; handlers work with this.

    :param world: the stand-in.
    :param ids: the variable parts of the path.
    """

    world: object
    account: object
    route: Route
    ids: dict
    request_id: str
    idempotency_key: str | None
    params: dict = field(default_factory=dict)

    @property
    def store(self):
        """Return the account's objects."""
        return self.account.store

    @property
    def now(self):
        """Return the present in whole seconds."""
        return self.world.clock.now()

    @property
    def cause(self):
        """Return what an event says about the request that caused it."""
        return {"id": self.request_id, "idempotency_key": self.idempotency_key}


class Api:
    """Answers calls of the API.

    :param world: the stand-in.
    :param routers: a :class:`Routes` of each resource.
    :param included: see :func:`expansion.expand`.
    """

    def __init__(self, world, routers, included):
        self.world = world
        self.routes = [(route.pattern, route) for router in routers for route in router.all]
        self.included = included

    @property
    def permissions(self):
        """Return the names of all permissions that calls need, such as ``event_read``."""
        return {route.permission for _pattern, route in self.routes}

    def handle(self, http):
        """Carry out one call.

        :param http: the :class:`HttpRequest`.
        :return: the :class:`Answer`.
        """
        call = Call(
            method=http.method,
            path=http.path,
            idempotency_key=http.headers.get("idempotency-key"),
            stripe_version=http.headers.get("stripe-version"),
            request_id=new_id("req", 14),
            time=self.world.clock.time(),
        )
        self.world.calls.record(call)
        fault = self.world.faults.take(http.method, http.path)
        call.fault = fault.kind if fault else ""
        answer = self._answer(http, call, fault)
        call.status = answer.status
        return answer

    def _answer(self, http, call, fault):
        if call.fault in ("timeout", "reset"):
            fault.pause()
            return Answer(None)
        try:
            answer = self._call(http, call, fault)
        except ApiError as error:
            answer = _error_answer(error, call)
        if call.fault == "lost_answer":
            return Answer(None)
        return answer

    def _call(self, http, call, fault):
        key = auth.key_from(http.headers.get("authorization"))
        account, permissions = auth.authenticate(self.world.accounts, key)
        call.account = account.id
        if call.fault == "429":
            raise rate_limited()
        _check_headers(http, account)
        route, ids = self._find(http.method, http.path)
        auth.check_permission(account, key, permissions, route.permission)
        text = http.query if http.method != "POST" else _form(http)
        call.params = forms.parse(text)
        request = ApiRequest(self.world, account, route, ids, call.request_id, call.idempotency_key)
        if http.method == "POST" and call.idempotency_key:
            return self._once(request, http.path, call, fault)
        self._validate(request, call)
        return self._execute(request, call, fault)

    def _find(self, method, path):
        for pattern, route in self.routes:
            match = pattern.fullmatch(path)
            if match and route.method == method:
                return route, {name: unquote(value) for name, value in match.groupdict().items()}
        raise unknown_address(method, path)

    def _once(self, request, path, call, fault):
        """Carry the call out unless its idempotency key already has an answer."""
        keys, key = self.world.idempotency, request.idempotency_key
        stored = keys.begin(request.account, key, path, call.params)
        if stored:
            call.replayed = True
            call.params = validation.typed(call.params, request.route.params)
            return Answer(
                stored.status,
                stored.document,
                {
                    **stored.headers,
                    "Idempotent-Replayed": "true",
                    "Original-Request": stored.headers["Request-Id"],
                },
            )
        answer = None
        try:
            self._validate(request, call)
            answer = self._execute(request, call, fault)
        finally:
            if answer is None:
                keys.release(request.account, key)
            else:
                keys.finish(request.account, key, answer)
        return answer

    def _validate(self, request, call):
        request.params = validation.typed(call.params, request.route.params)
        call.params = request.params
        expansion.check(request.params.get("expand", []), request.route.returns)
        if request.route.check:
            with self.world.lock:
                request.route.check(request)

    def _execute(self, request, call, fault):
        try:
            if call.fault == "500":
                raise server_error()
            with self.world.lock:
                self.world.clock.run_due()
                document = request.store.snapshot(request.route.handler(request))
                paths = request.params.get("expand", [])
                expansion.expand(document, paths, request.store, self.included)
            if call.fault == "500_after":
                raise server_error()
            answer = Answer(200, document, _headers(call))
        except ApiError as error:
            answer = _error_answer(error, call)
        if call.fault in ("slow", "lost_answer"):
            fault.pause()
        return answer


def _headers(call):
    headers = {"Request-Id": call.request_id}
    if call.idempotency_key and call.method == "POST":
        headers["Idempotency-Key"] = call.idempotency_key
    if call.stripe_version:
        headers["Stripe-Version"] = call.stripe_version
    return headers


def _error_answer(error, call):
    headers = {**_headers(call), **error.headers}
    # A retry with the same key would only replay the stored 500.
    if error.status == 500 and call.method == "POST" and call.idempotency_key:
        headers["Stripe-Should-Retry"] = "false"
    return Answer(error.status, error.body(call.request_id), headers)


def _check_headers(http, account):
    version = http.headers.get("stripe-version")
    if version and version not in VERSIONS:
        raise invalid(
            f"Invalid Stripe API version: {version}. You may want to use {sdk.API_VERSION}."
        )
    connected = http.headers.get("stripe-account")
    if connected and connected != account.id:
        raise ApiError(
            f"The provided key does not have access to account '{connected}' (or that account does"
            " not exist). Application access may have been revoked.",
            status=403,
            code="account_invalid",
        )


def _form(http):
    content_type = http.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if http.body and content_type != FORM:
        raise invalid(
            f"Invalid request (check that your POST content type is {FORM}). If you have any"
            " questions, we can help at https://support.stripe.com/."
        )
    try:
        return http.body.decode()
    except UnicodeDecodeError:
        raise invalid("Invalid request: the body is not valid UTF-8.") from None
