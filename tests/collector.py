"""A collector of traces: takes OTLP over HTTP as OpenTelemetry's own does, keeps the spans, or hangs when told to."""

import dataclasses
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.http_stand_in import HttpStandIn
from tests.waiting import wait_until

HOLD_LIMIT_SECONDS = 60
# A server sends what it has once a second.
SPANS_WAIT_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class CollectedSpan:
    """`process` tells servers apart; `links` are ids of spans."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    began_ns: int
    ended_ns: int
    attributes: dict[str, Any]
    process: str
    failed: bool


class Collector(HttpStandIn):
    """Listens on a free port of 127.0.0.1 for the length of a `with` block."""

    def __init__(self) -> None:
        # Everything that came, as it came.
        self.bodies: list[bytes] = []
        self.requests = 0
        self._spans: list[CollectedSpan] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.requests += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not collector.free.is_set():
                    collector.free.wait(HOLD_LIMIT_SECONDS)
                    return
                collector.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler)

    @property
    def url(self) -> str:
        return f"{self.address}/v1/traces"

    def hang(self) -> None:
        """Requests from now on are taken and never answered."""
        self.free.clear()

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            process = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self._spans += [_span_of(span, process["service.instance.id"]) for span in scope.spans]

    def spans(self, name: str, **attributes: object) -> list[CollectedSpan]:
        """Those that have come, by name and by attributes without their prefix."""
        wanted = {f"vx11.{key}": value for key, value in attributes.items()}
        return [span for span in self._spans if span.name == name and wanted.items() <= span.attributes.items()]

    def span(self, name: str, **attributes: object) -> CollectedSpan:
        """The first one, when it has come."""
        return wait_until(
            lambda: self.spans(name, **attributes),
            f"a span {name} with {attributes} has come",
            timeout_seconds=SPANS_WAIT_SECONDS,
        )[0]


def _span_of(span: Any, process: str) -> CollectedSpan:
    attributes = {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}
    return CollectedSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        attributes=attributes,
        process=process,
        failed=span.status.code == 2,
    )
