"""What the OpenAPI document shows: the API under its first names, and the stream, which no view answers."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from events.schema import FILTER_PARAMETERS
from gateway.headers import SECURITY_HEADERS

Endpoint = tuple[str, str, str, Callable[..., Any]]

API_PREFIX = "/operator/api/"
SHOWN_PATHS = frozenset({"/health", "/ready"})
# Second names of endpoints that are in the document already.
ALIASES = frozenset({"/operator/api/chat/window/status", "/operator/api/windows"})
STREAM_PATH = "/operator/api/events/stream"
# As in SPECTACULAR_SETTINGS; {} is the ticket, which stands in the query.
STREAM_SECURITY: list[dict[str, list[str]]] = [{}, {"token": []}, {"bearer": []}]


class DocumentView(SpectacularSwaggerSplitView):
    """The document as a page. Swagger UI writes style attributes, so here styles may be inline; scripts may not."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        policy = SECURITY_HEADERS["Content-Security-Policy"]
        response["Content-Security-Policy"] = policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
        return response


def first_names_only(endpoints: list[Endpoint]) -> list[Endpoint]:
    """For drf-spectacular: leaves out aliases, and every page that is not of the API."""
    return [endpoint for endpoint in endpoints if _is_shown(endpoint[0])]


def add_stream(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """For drf-spectacular: the stream's entry, written here because a consumer has no serializers."""
    own = [
        _parameter("token", "A ticket. Without one, send a principal token in a header."),
        _parameter("last_event_id", "Cursor to go on from. The Last-Event-ID header wins."),
        _parameter("follow", "false: replay what is there, then end."),
    ]
    filters = [_parameter(parameter.name, "May repeat or hold a comma list.") for parameter in FILTER_PARAMETERS]
    codes = {"400": "Bad query", "401": "No valid ticket", "403": "Right missing", "406": "Accept", "503": "Away"}
    result["paths"][STREAM_PATH] = {
        "get": {
            "operationId": "stream",
            "description": "Server-Sent Events: what is after the cursor, then what happens, as it happens.",
            "tags": ["events"],
            "parameters": own + filters,
            "security": STREAM_SECURITY,
            "responses": {
                "200": {"description": "The stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                **{code: {"description": text} for code, text in codes.items()},
            },
        }
    }
    return result


def _is_shown(path: str) -> bool:
    if path in SHOWN_PATHS:
        return True
    pages = (f"{API_PREFIX}v1/", f"{API_PREFIX}schema/", f"{API_PREFIX}docs/")
    return path.startswith(API_PREFIX) and not path.startswith(pages) and path not in ALIASES


def _parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}
