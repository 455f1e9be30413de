"""Metrics of requests by route: their number by status, and their duration. Labels are a closed list."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "vx11_requests_total", "Requests that were answered, counted when the answer has ended.", ["route", "status"]
)
REQUEST_SECONDS = Histogram(
    "vx11_request_seconds",
    "From a request's first byte to the end of its answer; without streams and long polls.",
    ["route"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
API_PREFIXES = ("/operator/api/v1/", "/operator/api/", "/api/")
ROUTES = {
    "events/sse-token": "tickets",
    "events/stream": "stream",
    "events/socket": "stream",
    "events": "poll",
    "events/stats": "poll",
    "window": "window",
    "windows": "window",
    "chat/window": "window",
    "chat": "chat",
    "modules": "modules",
    "status": "status",
    "settings": "settings",
    "watches": "watches",
}
# Probes and scrapes come all the time, and must not improve the figures of other routes.
WATCHED = frozenset({"/health", "/ready", "/metrics"})
OTHER_API, PAGES, WATCH, PUBLISH, STREAM = "other", "pages", "watch", "publish", "stream"
# A long poll is held open on purpose, so its duration is not counted.
HELD_OPEN = "wait="


def count(method: str, target: str, status: int, seconds: float) -> None:
    """Count one request, by its path and query, when its response has ended."""
    path, _, query = target.partition("?")
    route = route_of(method, path)
    REQUESTS.labels(route, status).inc()
    if route != STREAM and HELD_OPEN not in query:
        REQUEST_SECONDS.labels(route).observe(seconds)


def route_of(method: str, path: str) -> str:
    if path in WATCHED:
        return WATCH
    prefix = next((prefix for prefix in API_PREFIXES if path.startswith(prefix)), None)
    if prefix is None:
        return PAGES
    name = path.removeprefix(prefix)
    # window/open, modules/<name> and the like count as the route of their first part.
    route = ROUTES.get(name) or ROUTES.get(name.rpartition("/")[0], OTHER_API)
    return PUBLISH if name == "events" and method == "POST" else route
