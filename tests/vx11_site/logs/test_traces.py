"""The tracer: which spans there are, whose children they are, and what they link to."""

from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pytest_django import Settings

from gateway.http.errors import ApiError
from gateway.tracing import Span
from vx11_site.logs.traces import COMMITS_KEPT, OperatorTracer, provider_for

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE_ID}-{PARENT_ID}-01"
MakeTracer = Callable[..., OperatorTracer]


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def make_tracer(settings: Settings, exporter: InMemorySpanExporter) -> MakeTracer:
    def make(ratio: float = 1.0) -> OperatorTracer:
        settings.TRACES_RATIO = ratio
        return OperatorTracer(provider_for(SimpleSpanProcessor(exporter)))

    return make


def ended(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def links(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def commit(tracer: OperatorTracer, *carried: Span | None, last_seq: int = 7) -> None:
    committing = tracer.commit(carried)
    if committing is not None:
        committing.done("e", first_seq=last_seq, last_seq=last_seq, size_bytes=100)


def write(tracer: OperatorTracer, *, first_seq: int = 7, last_seq: int = 7, epoch: str = "e") -> None:
    tracer.wrote(epoch, first_seq=first_seq, last_seq=last_seq, streams=2, size_bytes=300, seconds=0.5)


def test_a_commit_is_a_child_of_the_first_request_it_carries_and_linked_with_the_others(
    make_tracer: MakeTracer, exporter: InMemorySpanExporter
) -> None:
    tracer = make_tracer()
    with tracer.span("publish", "c-1", parent="") as first, tracer.span("publish", "c-2", parent="") as second:
        commit(tracer, None, first, second)
    [committed], [published_second, published_first] = ended(exporter, "commit"), ended(exporter, "publish")
    assert committed.parent is not None
    assert committed.parent.span_id == id_of(published_first)
    assert links(committed) == [id_of(published_second)]
    assert links(published_second) == [id_of(committed)]
    assert links(published_first) == []


def test_a_write_of_several_commits_is_linked_with_all_of_them(
    make_tracer: MakeTracer, exporter: InMemorySpanExporter
) -> None:
    tracer = make_tracer()
    with tracer.span("publish", "c-1", parent="") as span:
        for last_seq in (6, 7, 9, 10):
            commit(tracer, span, last_seq=last_seq)
    write(tracer, first_seq=7, last_seq=9)
    _, seventh, ninth, _ = ended(exporter, "commit")
    [written] = ended(exporter, "write")
    assert written.parent is not None
    assert written.parent.span_id == id_of(seventh)
    assert links(written) == [id_of(ninth)]
    assert written.attributes == {"vx11.first_seq": 7, "vx11.count": 3, "vx11.streams": 2, "vx11.bytes": 300}
    assert (written.end_time or 0) - (written.start_time or 0) >= 500_000_000


def test_a_write_of_what_nobody_looks_at_or_of_another_log_is_no_span(
    make_tracer: MakeTracer, exporter: InMemorySpanExporter
) -> None:
    tracer = make_tracer()
    with tracer.span("publish", "c-1", parent="") as span:
        commit(tracer, span)
    write(tracer, first_seq=8, last_seq=8)
    write(tracer, epoch="another")
    assert ended(exporter, "write") == []


def test_another_process_goes_on_with_the_trace(make_tracer: MakeTracer, exporter: InMemorySpanExporter) -> None:
    here, there = make_tracer(), make_tracer(ratio=0)
    with here.span("publish", "c-1", parent="") as span:
        commit(here, span)
    assert here.traceparent("e", 8) == ""
    there.received("e", 7, here.traceparent("e", 7))
    write(there)
    [committed], [written] = ended(exporter, "commit"), ended(exporter, "write")
    assert written.parent is not None
    assert (written.parent.trace_id, written.parent.span_id) == (
        trace_of(committed),
        id_of(committed),
    )


@pytest.mark.parametrize("told", ["", "nonsense", f"00-{'0' * 32}-{PARENT_ID}-01", SAMPLED + "-more", "x" * 10_000])
def test_a_traceparent_that_is_none_begins_a_trace_and_is_not_heard(
    make_tracer: MakeTracer, exporter: InMemorySpanExporter, told: str
) -> None:
    tracer = make_tracer()
    with tracer.span("publish", "c-1", parent=told):
        pass
    tracer.received("e", 7, told)
    write(tracer)
    [span] = exporter.get_finished_spans()
    assert (span.name, span.parent) == ("publish", None)


@pytest.mark.parametrize(
    ("ratio", "parent", "expected"), [(0, "", 0), (0, SAMPLED, 1), (1, "", 1), (1, SAMPLED[:-1] + "0", 0)]
)
def test_the_ratio_counts_unless_the_publisher_has_decided(
    make_tracer: MakeTracer, exporter: InMemorySpanExporter, ratio: float, parent: str, expected: int
) -> None:
    tracer = make_tracer(ratio)
    with tracer.span("publish", "c-1", parent=parent) as span:
        assert (span is not None) == bool(expected)
        commit(tracer, span)
        write(tracer)
    assert (
        len(ended(exporter, "publish")) == len(ended(exporter, "commit")) == len(ended(exporter, "write")) == expected
    )


@pytest.mark.parametrize(
    ("error", "kind", "ok"),
    [
        (ApiError("validation_error", title="hunter2"), "validation_error", True),
        (ApiError("dependency_unavailable", title="hunter2"), "dependency_unavailable", False),
        (ValueError("hunter2"), "ValueError", False),
    ],
)
def test_what_failed_is_told_by_its_kind_and_not_by_its_words(
    make_tracer: MakeTracer, exporter: InMemorySpanExporter, error: Exception, kind: str, *, ok: bool
) -> None:
    with pytest.raises(type(error)), make_tracer().span("publish", "c-1", parent=""):
        raise error
    [span] = exporter.get_finished_spans()
    assert span.attributes is not None
    assert (span.attributes["error.type"], span.status.is_ok) == (kind, ok)
    assert "hunter2" not in span.to_json()


def test_what_is_never_written_to_a_stream_is_forgotten(
    make_tracer: MakeTracer, exporter: InMemorySpanExporter
) -> None:
    tracer = make_tracer()
    with tracer.span("publish", "c-1", parent="") as span:
        for last_seq in range(1, COMMITS_KEPT + 2):
            commit(tracer, span, last_seq=last_seq)
    assert tracer.traceparent("e", 1) == ""
    assert tracer.traceparent("e", 2) != ""
