"""Implements gateway/tracing.py with OpenTelemetry: spans, their sampling, and sending them with bounds.

Imported only if VX11_TRACES_URL is set. Spans wait in a queue for one thread that sends them. If the collector is slow
or away, spans are lost; requests are not delayed, and a stop is delayed by STOP_WAIT_SECONDS at most.
"""

import atexit
import contextlib
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.conf import settings
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway import tracing
from gateway.http.errors import ApiError
from gateway.shared_store.limits import LimitExceeded

SERVICE_NAME = "vx11-operator"
# A span takes about 3 KiB, so this is 6 MiB. Beyond, the oldest spans are dropped, and that is logged.
QUEUE_LIMIT_SPANS = 2048
SEND_LIMIT_SPANS = 256
# A smaller batch is sent after this time.
SEND_PAUSE_SECONDS = 1.0
# For one batch with all its retries; then the batch is dropped, and that is logged.
SEND_WAIT_SECONDS = 3.0
# How long an ending process waits until its last spans are sent.
STOP_WAIT_SECONDS = 1.0
# Commits that are remembered until their write to streams, which comes within a tenth of a second or is not traced.
COMMITS_KEPT = 256

_PROPAGATOR = TraceContextTextMapPropagator()


class CommitOf(NamedTuple):
    """A commit, identified by the end of the log after it."""

    epoch: str
    last_seq: int
    context: SpanContext


class RecordedSpan:
    """A span of OpenTelemetry with attributes under our own names."""

    __slots__ = ("recorded",)

    def __init__(self, recorded: trace.Span) -> None:
        self.recorded = recorded

    def note(self, **attributes: int | str) -> None:
        self.recorded.set_attributes({f"vx11.{name}": value for name, value in attributes.items()})


class RecordedCommit:
    """Becomes a span when the commit is done. A rollback is visible in the spans of the requests that failed."""

    def __init__(self, tracer: "OperatorTracer", carried: list[trace.Span]) -> None:
        self._tracer = tracer
        self._carried = carried
        # Collectors need the wall clock.
        self._began_ns = time.time_ns()

    def done(self, epoch: str, *, first_seq: int, last_seq: int, size_bytes: int) -> None:
        parent, *others = self._carried
        span = self._tracer.child(
            "commit", parent.get_span_context(), (other.get_span_context() for other in others), began_ns=self._began_ns
        )
        span.note(first_seq=first_seq, count=last_seq - first_seq + 1, bytes=size_bytes)
        span.recorded.end()
        context = span.recorded.get_span_context()
        for other in others:
            # The span of a request that gave up waiting has ended.
            if other.is_recording():
                other.add_link(context)
        self._tracer.keep(CommitOf(epoch, last_seq, context))


class OperatorTracer:
    """Spans of one process. The committing thread reports commits, the event loop reports writes."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("vx11_site", settings.VERSION)
        self._commits: deque[CommitOf] = deque(maxlen=COMMITS_KEPT)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def span(self, name: str, correlation_id: str, *, parent: str) -> Iterator[tracing.Span | None]:
        # The caller is authenticated, so its parent span may decide that this is traced, whatever the ratio.
        context = _PROPAGATOR.extract({"traceparent": parent}, context=Context())
        recorded = self._tracer.start_span(name, context=context, kind=SpanKind.SERVER)
        if not recorded.is_recording():
            yield None
            return
        span = RecordedSpan(recorded)
        span.note(correlation_id=correlation_id)
        try:
            yield span
        except BaseException as error:
            _note_failure(recorded, error)
            raise
        finally:
            recorded.end()

    def commit(self, carried: Iterable[tracing.Span | None]) -> RecordedCommit | None:
        recorded = [span.recorded for span in carried if isinstance(span, RecordedSpan)]
        return RecordedCommit(self, recorded) if recorded else None

    def wrote(
        self, epoch: str, *, first_seq: int, last_seq: int, streams: int, size_bytes: int, seconds: float
    ) -> None:
        commits = self._commits_of(epoch, first_seq, last_seq)
        if not commits:
            return
        parent, *others = commits
        span = self.child("write", parent, others, began_ns=time.time_ns() - int(seconds * 1e9))
        span.note(first_seq=first_seq, count=last_seq - first_seq + 1, streams=streams, bytes=size_bytes)
        span.recorded.end()

    def traceparent(self, epoch: str, last_seq: int) -> str:
        carrier: dict[str, str] = {}
        for context in self._commits_of(epoch, last_seq, last_seq):
            _PROPAGATOR.inject(carrier, context=_under(context))
        return carrier.get("traceparent", "")

    def received(self, epoch: str, last_seq: int, traceparent: str) -> None:
        remote = trace.get_current_span(_PROPAGATOR.extract({"traceparent": traceparent}, context=Context()))
        if remote.get_span_context().is_valid:
            self.keep(CommitOf(epoch, last_seq, remote.get_span_context()))

    def child(self, name: str, parent: SpanContext, others: Iterable[SpanContext], *, began_ns: int) -> RecordedSpan:
        """A span in the trace of its parent, with links to the traces of the others."""
        links = [Link(other) for other in others]
        return RecordedSpan(self._tracer.start_span(name, context=_under(parent), links=links, start_time=began_ns))

    def keep(self, commit: CommitOf) -> None:
        with self._lock:
            self._commits.append(commit)

    def _commits_of(self, epoch: str, first_seq: int, last_seq: int) -> list[SpanContext]:
        """The commits that ended with one of these seqs, oldest first. No seq is written twice to live streams."""
        with self._lock:
            kept = list(self._commits)
        return [c.context for c in kept if c.epoch == epoch and first_seq <= c.last_seq <= last_seq]


def begin() -> None:
    """Send traces to VX11_TRACES_URL until the process ends."""
    exporter = OTLPSpanExporter(endpoint=settings.TRACES_URL, timeout=SEND_WAIT_SECONDS)
    processor = BatchSpanProcessor(
        exporter,
        max_queue_size=QUEUE_LIMIT_SPANS,
        max_export_batch_size=SEND_LIMIT_SPANS,
        schedule_delay_millis=SEND_PAUSE_SECONDS * 1000,
    )
    provider = provider_for(processor)
    tracing.tracer = OperatorTracer(provider)
    atexit.register(_end, provider)


def provider_for(processor: SpanProcessor) -> TracerProvider:
    """Passes sampled spans to the processor."""
    about = {
        "service.name": SERVICE_NAME,
        "service.version": settings.VERSION,
        "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
        "vx11.role": settings.ROLE,
    }
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.TRACES_RATIO)),
        resource=Resource.create(about),
        # At exit it would wait for a collector that hangs.
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    return provider


def _end(provider: TracerProvider) -> None:
    """Send waiting spans for as long as there is time; the others are lost with the process."""
    ending = threading.Thread(target=provider.shutdown, name="last-traces", daemon=True)
    ending.start()
    ending.join(STOP_WAIT_SECONDS)


def _under(parent: SpanContext) -> Context:
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


def _note_failure(span: trace.Span, error: BaseException) -> None:
    """Notes its reason or its class; never its text, which may quote anything."""
    refused = isinstance(error, ApiError | LimitExceeded)
    span.set_attribute("error.type", error.reason if isinstance(error, ApiError) else type(error).__name__)
    if not refused or (isinstance(error, ApiError) and error.status >= 500):
        span.set_status(Status(StatusCode.ERROR))
