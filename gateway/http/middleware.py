"""The edge of every Django request: correlation id, host, tokens in URLs, one error body, security headers.

Asynchronous, so that neither the lean nor the ordinary handler needs a thread for it.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from gateway import correlation
from gateway.http import foreign_hosts, headers
from gateway.http.authentication import caller_of, note_refusal, refused_credential
from gateway.http.errors import ApiError, api_error_for, respond
from gateway.identity import console_sessions
from gateway.identity.principals import RIGHTS_LIMIT_SECONDS, InvalidCredential, directory
from ledger.uptime import uptime_seconds

# Probes use any host name to reach a process; what they get is public.
ANY_HOST_PATHS = frozenset({"/health", "/ready"})
PAGE_METHODS = ("GET", "HEAD", "OPTIONS", "POST")
DOCUMENTS_PREFIX = "/operator/api/docs/"
# Where a backend serves its gateways.
BACKEND_PREFIX = "/api/"
CACHEABLE_PREFIX = "/static/"
# Pages of the origins in VX11_ALLOWED_ORIGINS may call the API with a token, never with cookies.
API_PREFIX = "/operator/api/"
PREFLIGHT_AGE_SECONDS = 600
CROSS_ORIGIN_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Correlation-Id, X-VX11-Token"

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class EdgeMiddleware:
    """The outermost middleware of the lean and of the ordinary handler."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        scope: dict[str, Any] = getattr(request, "scope", {})
        correlation_id = headers.correlation_id(scope.get("headers", ()))
        request.correlation_id = correlation_id  # type: ignore[attr-defined]  # read by correlation_id_of
        correlation.current.set(correlation_id)
        try:
            if request.path not in ANY_HOST_PATHS:
                _check_host(request)
            headers.query_of(scope.get("query_string", b""))
            if _is_page(request.path) and "%00" in request.get_full_path():
                raise ApiError("bad_request")  # No text of any page has a NUL, and PostgreSQL takes none.
            if request.method not in PAGE_METHODS and _is_page(request.path):
                raise ApiError("method_not_allowed", headers={"Allow": ", ".join(PAGE_METHODS)})
            began = uptime_seconds()
            response = await self.get_response(request)
            await _refuse_outdated(request, response, began)
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes the one error body
            note_refusal(error, caller_of(request))
            response = respond(api_error_for(error), correlation_id, request)
        retry_after_seconds = getattr(request, "retry_after_seconds", None)
        if retry_after_seconds is not None:
            # Set by gateway.admin.login, whose page says so.
            response.status_code = 429
            response["Retry-After"] = str(retry_after_seconds)
        response["X-Correlation-Id"] = correlation_id
        raw = scope.get("headers", ())
        for name, value in headers_for(request.path, request.method or "", raw).items():
            response.headers.setdefault(name, value)
        return without_body(response) if request.method == "HEAD" else response


async def _refuse_outdated(request: HttpRequest, response: HttpResponseBase, began: float) -> None:
    """Raises ApiError for a response that was made with outdated rights: the process may have been suspended."""
    now = uptime_seconds()
    if now >= getattr(response, "good_until", math.inf):
        raise ApiError("dependency_unavailable")
    # Django loads the user when the request begins, and pages of the admin may take long.
    user = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
    if now - began < RIGHTS_LIMIT_SECONDS or user is None or not user.is_authenticated:
        return
    caller = caller_of(request)
    try:
        # A POST may sign a user in or out, and then has another session than at its beginning.
        principal = await directory.named(console_sessions.principal_id(user.pk))
        if request.method in ("GET", "HEAD") and principal.generation != console_sessions.generation(user):
            raise InvalidCredential("password changed", principal.public_id)
    except InvalidCredential as refused:
        raise await refused_credential("main_auth_failed", refused, caller) from None


def _check_host(request: HttpRequest) -> None:
    try:
        request.get_host()
    except DisallowedHost:
        raise foreign_hosts.refusal(request.META.get("HTTP_HOST", "")) from None


def _is_page(path: str) -> bool:
    """Whether it is a page. Endpoints of the API check their methods themselves."""
    return path.startswith(DOCUMENTS_PREFIX) or not path.startswith((API_PREFIX, BACKEND_PREFIX))


def headers_for(path: str, method: str, raw: headers.RawHeaders) -> dict[str, str]:
    """Default headers of the response to this request."""
    fields = {**headers.SECURITY_HEADERS, **cross_origin_headers(path, method, raw)}
    if not path.startswith(CACHEABLE_PREFIX):
        fields["Cache-Control"] = "no-store"
    if settings.SECURE_HSTS_SECONDS:
        fields["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}"
    return fields


def cross_origin_headers(path: str, method: str, raw: headers.RawHeaders) -> dict[str, str]:
    """CORS headers of the response to this request; none unless its origin is allowed."""
    origins = headers.all_values(raw, b"origin")
    if len(origins) != 1 or origins[0] not in settings.ALLOWED_ORIGINS or not path.startswith(API_PREFIX):
        return {}
    fields = {
        "Access-Control-Allow-Origin": origins[0],
        "Access-Control-Expose-Headers": "Retry-After, X-Correlation-Id",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }
    if method == "OPTIONS":
        fields["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
        fields["Access-Control-Allow-Headers"] = CROSS_ORIGIN_HEADERS
        fields["Access-Control-Max-Age"] = str(PREFLIGHT_AGE_SECONDS)
    return fields


def without_body(response: HttpResponseBase) -> HttpResponseBase:
    """The response to a HEAD: the headers of the GET and no body. A 304 gets no Content-Length, because it has no
    body.
    """
    if isinstance(response, HttpResponse) and not response.streaming and response.status_code != 304:
        response.headers.setdefault("Content-Length", str(len(response.content)))
        response.content = b""
    return response
