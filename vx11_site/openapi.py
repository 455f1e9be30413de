"""The OpenAPI document: the API without aliases, the stream, which has no view, and the errors of all operations.

Views declare their input and output. What follows from their kind (a body, a credential, the database) is added here,
for all of them in one place.
"""

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.urls import resolve
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

import events.http.openapi
import gateway.http.openapi
import operator_api.http.openapi
import operator_api.http.urls
import watches.http.openapi
import watches.http.webhook_openapi
from gateway.http.errors import REASONS
from gateway.http.headers import SECURITY_HEADERS
from gateway.http.openapi import COMMON_HEADERS, REFUSALS, Json, refusal_name, refusal_responses
from gateway.http.rest import SAFE_METHODS, Endpoint

Listed = tuple[str, str, str, Callable[..., Any]]

# The first version whose schemas are JSON Schema, which is expressive enough.
OPENAPI_VERSION = "3.1.1"
API_PREFIX = "/operator/api/"
SHOWN_PATHS = frozenset({"/health", "/ready", "/metrics"})
# Second names of endpoints that are in the document already, and what only front ends of the field ask for.
ALIASES = frozenset(
    "/operator/api/" + re.sub("<str:([a-z_]+)>", r"{\1}", str(alias.pattern))
    for alias in operator_api.http.urls.aliases
)
STREAM_PATH = "/operator/api/events/stream"
ALL_KINDS = frozenset({"principal", "session", "service"})

TOKEN_SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"bearer": []}]
SECURITY_SCHEMES = {
    "token": {"type": "apiKey", "in": "header", "name": "X-VX11-Token"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "The console's. A write must prove with X-CSRFToken that the console's page made it.",
    },
}


class DocumentView(SpectacularSwaggerSplitView):
    """The document as a page. Swagger UI writes style attributes, so here styles may be inline; scripts may not."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        policy = SECURITY_HEADERS["Content-Security-Policy"]
        response["Content-Security-Policy"] = policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
        return response


def first_names_only(endpoints: list[Listed]) -> list[Listed]:
    """For drf-spectacular: leaves out aliases, and every page that is not of the API."""
    return [endpoint for endpoint in endpoints if _is_shown(endpoint[0])]


def complete(result: Json, **kwargs: Any) -> Json:
    """For drf-spectacular: adds the stream, the components, and to every operation what follows from its kind."""
    result["openapi"] = OPENAPI_VERSION
    result["components"] = {
        "schemas": gateway.http.openapi.SCHEMAS
        | events.http.openapi.SCHEMAS
        | operator_api.http.openapi.SCHEMAS
        | watches.http.openapi.SCHEMAS
        | watches.http.webhook_openapi.SCHEMAS,
        "responses": refusal_responses(),
        "securitySchemes": SECURITY_SCHEMES,
    }
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            _complete_view(operation, method.upper(), path, result["components"]["schemas"])
    result["paths"][STREAM_PATH] = events.http.openapi.stream_operations()
    for method, operation in result["paths"][STREAM_PATH].items():
        _complete_stream(operation, method.upper())
    return result


def _complete_view(operation: Json, method: str, path: str, schemas: dict[str, Json]) -> None:
    view = resolve(path).func.cls  # type: ignore[attr-defined]  # DRF leaves the class there
    is_public = view.is_public(path, method)
    if body := operation.get("requestBody"):
        body["required"] = not _takes_nothing(body["content"]["application/json"]["schema"], schemas)
    scope = None if is_public else view.scopes.get(method)
    operation["security"] = [] if is_public else _security(view)
    _name_scope(operation, scope)
    reasons = {"bad_request", "internal_error", *_of_input(operation)}
    if not is_public:
        reasons |= set(_of_credentials(method, scope=scope, kinds=view.kinds))
    _finish(operation, reasons)


def _complete_stream(operation: Json, method: str) -> None:
    if method == "OPTIONS":
        operation["security"] = []
        _finish(operation, set())
        return
    # {} stands for the ticket, which is a query parameter.
    operation["security"] = [{}, *TOKEN_SECURITY]
    _name_scope(operation, "events:read")
    reasons = {"bad_request", "internal_error", *_of_credentials(method, scope="events:read", kinds=frozenset())}
    _finish(operation, reasons)


def _of_input(operation: Json) -> Iterator[str]:
    """The reasons of operations with a body or with query parameters."""
    if "requestBody" in operation:
        yield from ("malformed_json", "payload_too_large", "unsupported_media_type", "validation_error")
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
        yield "validation_error"


def _of_credentials(method: str, *, scope: str | None, kinds: frozenset[str]) -> Iterator[str]:
    """The reasons of operations with a credential."""
    yield from ("main_auth_failed", "rate_limited", "dependency_unavailable")
    if scope is not None or kinds != ALL_KINDS or method not in SAFE_METHODS:
        yield "insufficient_scope"


def _finish(operation: Json, reasons: set[str]) -> None:
    """Turn reasons into responses, and give every success the headers that all answers have."""
    for status, response in operation["responses"].items():
        response["headers"] = COMMON_HEADERS | response.get("headers", {})
        response["description"] = response.get("description") or HTTPStatus(int(status)).phrase
        if links := events.http.openapi.LINKS.get(operation["operationId"]):
            response["links"] = links
    for status in sorted({REASONS[reason][0] for reason in reasons.union(operation.pop(REFUSALS, ()))}):
        own = operation["responses"].get(str(status))
        operation["responses"][str(status)] = (
            {"$ref": f"#/components/responses/{refusal_name(status)}"} if own is None else _either(own, status)
        )


def _either(own: Json, status: int) -> Json:
    """An error that may have the common body or the operation's own."""
    usual = refusal_responses()[refusal_name(status)]
    headers = usual["headers"] | own["headers"]
    return {"description": usual["description"], "headers": headers, "content": usual["content"] | own["content"]}


def _security(view: type[Endpoint]) -> list[dict[str, list[str]]]:
    return [*TOKEN_SECURITY, {"session": []}] if "session" in view.kinds else TOKEN_SECURITY


def _name_scope(operation: Json, scope: str | None) -> None:
    if scope is not None:
        operation["x-required-scope"] = scope


def _takes_nothing(schema: Json, schemas: dict[str, Json]) -> bool:
    """Whether an empty body will do, which is read as {}."""
    if "$ref" in schema:
        return _takes_nothing(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return any(_takes_nothing(each, schemas) for each in schema["anyOf"])
    return not schema.get("required") and not schema.get("minProperties")


def _is_shown(path: str) -> bool:
    if path in SHOWN_PATHS:
        return True
    # What receivers take and answer is written down by the projects whose formats these are; docs/feeding has the rest.
    others = (f"{API_PREFIX}v1/", f"{API_PREFIX}schema/", f"{API_PREFIX}docs/", f"{API_PREFIX}ingest/")
    return path.startswith(API_PREFIX) and not path.startswith(others) and path not in ALIASES
