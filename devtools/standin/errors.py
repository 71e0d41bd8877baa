"""Stripe's error answers.

Shape and wording follow https://docs.stripe.com/api/errors and the texts seen in public reports.
"""

DOC_URL = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """An answer of the API that is not 2xx.

    :param message: the text Stripe shows to the developer.
    :param status: HTTP status.
    :param type: Stripe's error type, such as ``invalid_request_error``.
    :param code: Stripe's machine-readable code, if this error has one.
    :param param: the parameter at fault, written like ``line_items[0][quantity]``.
    :param headers: further response headers.
    """

    def __init__(
        self,
        message,
        *,
        status=400,
        type="invalid_request_error",
        code=None,
        param=None,
        headers=None,
    ):
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.headers = headers or {}

    def body(self, request_id):
        """Return the JSON document of this error.

        :param request_id: id of the request that failed (``req_…``).
        :return: the dict that Stripe sends.
        """
        error = {"type": self.type, "message": self.message}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = DOC_URL + self.code.replace("_", "-")
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}


class StandInError(Exception):
    """Something was asked of the stand-in that the state of its objects does not allow."""


class CheckoutError(StandInError):
    """The payer did something that the state of the Checkout Session does not allow."""


def invalid(message, param=None, code=None):
    """Return the 400 for a request that cannot be carried out as it is."""
    return ApiError(message, param=param, code=code)


def missing_resource(kind, object_id, param, status=404):
    """Return the error for an id that this account does not have.

    Stripe answers 404 when the id is part of the address, 400 when it came as a parameter.
    """
    return ApiError(
        f"No such {kind}: '{object_id}'", status=status, code="resource_missing", param=param
    )


def unknown_address(method, path):
    """Return the 404 for an address that the API does not have."""
    return ApiError(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we"
        " can help at https://support.stripe.com/.",
        status=404,
    )


def server_error():
    """Return the 500 of a failure on Stripe's side."""
    return ApiError("An unknown error occurred", status=500, type="api_error")


def rate_limited():
    """Return the 429 for too many calls."""
    return ApiError(
        "Request rate limit exceeded. Learn more about rate limits here"
        " https://stripe.com/docs/rate-limits.",
        status=429,
        code="rate_limit",
        headers={"Stripe-Rate-Limited-Reason": "global-rate"},
    )
