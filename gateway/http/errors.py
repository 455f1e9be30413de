"""The one error body (RFC 9457): all reasons, their statuses, and the exceptions that lead to them.

Exception
+-- ApiError               the edge's answer, any status below; carries its reason and extra fields
|   +-- TokenInQuery       400, with what the audit needs to name the token's holder
+-- LedgerUnavailable     (ledger)           -> 503 dependency_unavailable
|   +-- LedgerBusy        (ledger)           -> 503 at_capacity
+-- StoreUnavailable      (gateway.shared_store.store)    -> 503 dependency_unavailable
+-- LimitExceeded         (gateway.shared_store.limits)   -> 429 rate_limited, too_many_streams
+-- OperationalError, InterfaceError (Django) -> 503 dependency_unavailable
+-- BadFilter             (gateway.filters)  -> 422 validation_error
+-- anything else                            -> 500 internal_error, logged with its correlation id
"""

import dataclasses
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf

from gateway.filters import BadFilter
from gateway.http.asgi import Send
from gateway.shared_store.limits import LimitExceeded, setting_of
from gateway.shared_store.store import StoreUnavailable
from ledger.faults import LedgerBusy, LedgerUnavailable

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "/operator/api/docs/errors#"
# A dependency that was away is soon worth another try.
RETRY_AFTER_SECONDS = 2

# reason: status and a sentence for a person
REASONS: dict[str, tuple[int, str]] = {
    "malformed_json": (400, "The body is not valid JSON."),
    "token_in_query": (400, "Send tokens in a header, never in the URL."),
    "duplicate_parameter": (400, "A parameter that may stand once was given twice."),
    "bad_cursor": (400, "The cursor is not one that this server gave out."),
    "ambiguous_credentials": (400, "Two different credentials were sent; send one."),
    "bad_request": (400, "The request cannot be understood."),
    "missing_token": (401, "Send a token in the X-VX11-Token header."),
    "main_auth_failed": (401, "The token is not valid."),
    "invalid_token": (401, "The ticket is not valid; ask for a new one."),
    "insufficient_scope": (403, "The token is valid, but does not carry the right to do this."),
    "csrf_failed": (403, "The CSRF token is missing or wrong; reload the page."),
    "cross_site": (403, "Requests from other sites are not accepted here."),
    "window_closed": (403, "No window is open, so operators may not do this now."),
    "not_found": (404, "There is nothing at this address."),
    "method_not_allowed": (405, "This address does not take that method."),
    "not_acceptable": (406, "This address cannot answer in the form that was asked for."),
    "window_already_open": (409, "Another window is open; extend it, or close it first."),
    "no_open_window": (409, "No window is open."),
    "idempotency_conflict": (409, "This key or event id was used before, with other content."),
    "view_name_taken": (409, "Another view of yours has this name."),
    "too_many_views": (409, "There are as many views as there may be; delete one first."),
    "webhook_name_taken": (409, "Another webhook has this name."),
    "too_many_webhooks": (409, "There are as many webhooks as there may be; delete one first."),
    "cursor_expired": (410, "The events after this cursor are no longer all there; start from the newest."),
    "payload_too_large": (413, "The body is larger than this address takes."),
    "unsupported_media_type": (415, "Send JSON in UTF-8 as application/json, without Content-Encoding."),
    "validation_error": (422, "Some fields have values that cannot be taken."),
    "rate_limited": (429, "Too many requests; try again later."),
    "too_many_streams": (429, "This token has as many open streams as it may have; close one."),
    "internal_error": (500, "Something went wrong here. Tell the operators the correlation id."),
    "dependency_unavailable": (503, "Something this needs is away; try again shortly."),
    "draining": (503, "This server is about to stop and opens no more streams; try again, another one will answer."),
    "backend_unavailable": (503, "The part of this server that does this is away; try again shortly."),
    "at_capacity": (503, "The server is full; try again shortly."),
}
# Existing front ends expect another value in `detail` than in `reason` here.
DETAILS = {"main_auth_failed": "invalid_token"}


class ApiError(Exception):
    """A request that is refused: a reason of REASONS, and what else the response contains.

    `errors` maps fields to lists of problems (422); `extra` are further members of the body.
    """

    def __init__(
        self,
        reason: str,
        *,
        title: str = "",
        errors: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.reason = reason
        self.status, sentence = REASONS[reason]
        self.title = title or sentence
        self.errors = errors
        self.extra = dict(extra or {})
        # For the audit: the principal that lacks a right.
        self.principal_id = ""
        self.headers = dict(headers or {})
        if self.status == 401:
            had_token = reason != "missing_token"
            self.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if had_token else "Bearer"
        if self.status == 503:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
        super().__init__(reason)

    def body(self, correlation_id: str) -> bytes:
        problem: dict[str, Any] = {
            "type": TYPE_PREFIX + self.reason,
            "title": self.title,
            "status": self.status,
            "detail": DETAILS.get(self.reason, self.reason),
            "reason": self.reason,
            "correlation_id": correlation_id,
            **self.extra,
        }
        if self.errors:
            problem["errors"] = self.errors
        return orjson.dumps(problem)


class TokenInQuery(ApiError):
    """A long-lived token stands in a URL. It is refused without being checked.

    `digests` are those of the texts that stood there, so that the audit can name the holder; the texts are not kept.
    """

    def __init__(self, digests: Sequence[str]) -> None:
        super().__init__("token_in_query")
        self.digests = tuple(digests)


def api_error_for(error: BaseException) -> ApiError:
    """The error response for an exception; an unforeseen one is logged and becomes internal_error."""
    match error:
        case ApiError():
            return error
        case LedgerBusy():
            return ApiError("at_capacity")
        # The last two come from Django's own database access: sessions, the admin.
        case LedgerUnavailable() | StoreUnavailable() | OperationalError() | InterfaceError():
            return ApiError("dependency_unavailable")
        case LimitExceeded():
            reason = "too_many_streams" if error.name == "streams" else "rate_limited"
            # People who see it in a log or a console can say at once what an operator has to change.
            title = f"{REASONS[reason][1]} {setting_of(error.name)}.".removesuffix(" .")
            return ApiError(reason, title=title, headers={"Retry-After": str(error.retry_after_seconds)})
        case BadFilter():
            return ApiError("validation_error", errors=error.errors)
        case Http404() | drf.NotFound():
            return ApiError("not_found")
        case RequestDataTooBig():
            return ApiError("payload_too_large")
        case PermissionDenied() | drf.PermissionDenied():
            return ApiError("insufficient_scope")
        # The last is a form value that no page of ours offers.
        case SuspiciousOperation() | BadRequest() | UnicodeDecodeError() | ValidationError():
            return ApiError("bad_request")
    logger.error("unforeseen error", exc_info=error)
    return ApiError("internal_error")


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A refusal as it is sent; its headers are those of the ApiError."""

    status: int
    content_type: str
    body: bytes


# Makes the body of a refusal: gets the refusal, the correlation id and the Content-Type of the request.
Form = Callable[[ApiError, str, str], Written]
_forms: dict[str, Form] = {}


def refuse_in_form(path: str, form: Form) -> None:
    """Write refusals of POST requests to this address in another form than ours: programs send them that read no other.

    Other methods are those of people and scanners, who get the one body of all addresses.
    """
    _forms[path] = form


def written(
    refusal: ApiError, correlation_id: str, *, method: str = "", path: str = "", content_type: str = ""
) -> Written:
    """The refusal of a request to `path`, whose body is of this type."""
    if method == "POST" and (form := _forms.get(path)):
        return form(refusal, correlation_id, content_type)
    return Written(refusal.status, CONTENT_TYPE, refusal.body(correlation_id))


def respond(refusal: ApiError, correlation_id: str, request: HttpRequest | None = None) -> HttpResponse:
    """The response that refuses; with the request, in the form that its address has."""
    if request is None:
        sent = written(refusal, correlation_id)
    else:
        content_type = request.META.get("CONTENT_TYPE", "")
        method = request.method or ""
        sent = written(refusal, correlation_id, method=method, path=request.path, content_type=content_type)
    return HttpResponse(sent.body, status=sent.status, content_type=sent.content_type, headers=refusal.headers)


async def send_api_error(
    send: Send,
    refusal: ApiError,
    correlation_id: str,
    headers: Mapping[str, str],
    *,
    head: bool = False,
    sent: Written | None = None,
) -> None:
    """The same response over ASGI, for where there is no Django request. A HEAD gets no body."""
    sent = sent or written(refusal, correlation_id)
    length = str(len(sent.body))
    fields = {**headers, "Content-Type": sent.content_type, "Content-Length": length, **refusal.headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": sent.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if head else sent.body})


def correlation_id_of(request: HttpRequest) -> str:
    return getattr(request, "correlation_id", "")


# Django's own error views, named in vx11_site/urls.py.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(ApiError("bad_request"), correlation_id_of(request))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(ApiError("insufficient_scope"), correlation_id_of(request))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(ApiError("not_found"), correlation_id_of(request))


def server_error(request: HttpRequest) -> HttpResponse:
    # Django calls this while it handles the error, which need not be a bug: the database may be away.
    error = sys.exc_info()[1]
    refusal = ApiError("internal_error") if error is None else api_error_for(error)
    return respond(refusal, correlation_id_of(request))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return respond(ApiError("csrf_failed"), correlation_id_of(request))
