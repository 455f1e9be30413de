"""Traces of a running server, taken by a collector: from a publisher's request to the write to a stream."""

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client import Event
from tests.collector import Collector
from tests.conftest import OwnStack
from tests.processes import free_port
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until
from vx11_site.logs.traces import STOP_WAIT_SECONDS

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NOT_INSTALLED = ROOT / "tests/stack/without_opentelemetry"
LOADED = """
import sys
import vx11_site.asgi
parts = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "vx11_site.logs.traces")
print([name for name in sys.modules if name.startswith(parts)])
"""
# What a stop takes besides, on a busy machine.
STOP_SLACK_SECONDS = 4.0


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def traced(own_stack: OwnStack, collector: Collector) -> Stack:
    return own_stack(VX11_TRACES_URL=collector.url, VX11_TRACES_RATIO="1")


def test_publish_commit_and_write_are_one_trace_whichever_process_writes(
    traced: Stack, collector: Collector, new_event: Callable[..., Event]
) -> None:
    reader = traced.client(traced.principal_token)
    service = traced.client(traced.service_token, server=traced.b)
    with reader.stream() as stream:
        stream.connected()
        stream.named("caught-up")
        published = service.published([new_event(), new_event()], headers={"X-Correlation-Id": "c-traced"})
        stream.events(2)
    publish = collector.span("publish", correlation_id="c-traced")
    first_seq = published["events"][0]["seq"]
    commit = collector.span("commit", first_seq=first_seq)
    write = collector.span("write", first_seq=first_seq)
    assert publish.parent_id == ""
    assert publish.attributes["vx11.count"] == 2
    assert publish.attributes["vx11.first_seq"] == first_seq
    assert publish.attributes["vx11.bytes"] > 0
    assert (commit.trace_id, commit.parent_id, commit.process) == (publish.trace_id, publish.span_id, publish.process)
    assert (write.trace_id, write.parent_id) == (commit.trace_id, commit.span_id)
    assert (write.process == publish.process) == (traced.a is traced.b)
    assert (write.attributes["vx11.streams"], write.attributes["vx11.count"]) == (1, 2)
    assert write.attributes["vx11.bytes"] > commit.attributes["vx11.bytes"] > 0
    assert publish.began_ns <= commit.began_ns <= commit.ended_ns <= write.ended_ns
    assert not publish.failed


def test_a_traceparent_is_honoured_of_those_who_may_publish_and_of_nobody_else(
    traced: Stack, collector: Collector, new_event: Callable[..., Event]
) -> None:
    headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
    unwanted = {"traceparent": f"00-{TRACE_ID[::-1]}-{PARENT_ID}-00"}
    reader, service = traced.client(traced.principal_token), traced.client(traced.service_token)
    assert reader.publish(new_event(), headers=headers).status_code == 403
    assert traced.client(None).publish(new_event(), headers=headers).status_code == 401
    service.published(new_event(), headers=unwanted)
    service.published(new_event(), headers=headers | {"X-Correlation-Id": "c-last"})
    assert collector.span("publish", correlation_id="c-last").trace_id == TRACE_ID
    # Those before it, had there been any, would have come before it, or with it.
    assert [(span.trace_id, span.parent_id) for span in collector.spans("publish")] == [(TRACE_ID, PARENT_ID)]


def test_tickets_leave_spans_and_a_refusal_its_reason(
    traced: Stack, collector: Collector, new_event: Callable[..., Event]
) -> None:
    principal, service = traced.client(traced.principal_token), traced.client(traced.service_token)
    ticket = principal.issue_ticket(headers={"X-Correlation-Id": "c-issue"}).json()["sse_token"]
    assert principal.stream_status(token=ticket, headers={"X-Correlation-Id": "c-redeem"}) == 200
    assert service.publish({"summary": "no type"}, headers={"X-Correlation-Id": "c-bad"}).status_code == 422
    assert not collector.span("issue ticket", correlation_id="c-issue").failed
    assert not collector.span("redeem ticket", correlation_id="c-redeem").failed
    refused = collector.span("publish", correlation_id="c-bad")
    assert (refused.attributes["error.type"], refused.failed) == ("validation_error", False)


def test_no_span_holds_a_credential_or_what_an_event_says(
    traced: Stack, collector: Collector, new_event: Callable[..., Event]
) -> None:
    canary = f"canary-{secrets.token_hex(8)}"
    principal, service = traced.client(traced.principal_token), traced.client(traced.service_token)
    ticket = principal.ticket()
    with principal.stream(token=ticket, module=canary, follow="false") as stream:
        stream.connected()
    said = new_event(summary=canary, payload={"said": canary}, correlation_id="harmless", event_type=canary)
    service.published(said, headers={"tracestate": f"other={canary}", "baggage": f"said={canary}"})
    service.publish({"event_type": canary, "summary": ""}, headers={"X-Correlation-Id": "c-last"})
    collector.span("publish", correlation_id="c-last")
    collector.span("redeem ticket")
    wait_until(lambda: collector.spans("commit"), "the commit has come")
    for secret in {canary, *traced.credentials}:
        assert not [body for body in collector.bodies if secret.encode() in body]


def test_a_collector_that_hangs_delays_neither_a_request_nor_for_long_a_stop(
    traced: Stack, collector: Collector, new_event: Callable[..., Event]
) -> None:
    collector.hang()
    service = traced.client(traced.service_token)
    service.published(new_event())
    wait_until(lambda: collector.requests, "the server waits for the collector")
    began = time.monotonic()
    for _ in range(20):
        service.published(new_event(), timeout=2)
    assert time.monotonic() - began < 10
    began = time.monotonic()
    assert traced.a.stop() == 0
    assert time.monotonic() - began < STOP_WAIT_SECONDS + STOP_SLACK_SECONDS


def test_a_collector_that_is_away_costs_spans_and_a_line_in_the_log(
    own_stack: OwnStack, new_event: Callable[..., Event]
) -> None:
    stack = own_stack(VX11_TRACES_URL=f"http://127.0.0.1:{free_port()}/v1/traces", VX11_TRACES_RATIO="1")
    stack.client(stack.service_token).published(new_event())
    wait_until(lambda: "Failed to export spans batch" in stack.a.process.log(), "the log says that spans are lost")
    stack.client(stack.service_token).published(new_event(), timeout=2)


def test_a_server_that_ends_sends_its_last_spans_first(
    traced: Stack, collector: Collector, new_event: Callable[..., Event]
) -> None:
    traced.client(traced.service_token).published(new_event(), headers={"X-Correlation-Id": "c-last"})
    traced.a.stop()
    assert collector.spans("publish", correlation_id="c-last")


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Lines of who wanted OpenTelemetry, where it is not to be had."""
    path = tmp_path / "asked"
    path.touch()
    return path


def without_opentelemetry(asked: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(NOT_INSTALLED), "ASKED_FOR_OPENTELEMETRY": str(asked)}


def test_without_a_collector_opentelemetry_is_neither_needed_nor_asked_for(
    own_stack: OwnStack, asked: Path, new_event: Callable[..., Event]
) -> None:
    stack = own_stack(**without_opentelemetry(asked))
    principal, service = stack.client(stack.principal_token), stack.client(stack.service_token, server=stack.b)
    with principal.stream(token=principal.ticket()) as stream:
        stream.connected()
        service.published(new_event(), headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"})
        stream.event()
    assert principal.get("/metrics").status_code == 200
    # The Redis client looks for it by itself, for metrics of its own.
    assert [name for name in asked.read_text().splitlines() if "/redis/" not in name] == []


@pytest.mark.once
def test_without_a_collector_nothing_of_traces_is_loaded_where_opentelemetry_is_installed(own_stack: OwnStack) -> None:
    stack = own_stack()
    stack.a.stop()
    assert _loaded(stack) == "[]"
    stack.a.environment["VX11_TRACES_URL"] = "http://127.0.0.1:9/v1/traces"
    assert "vx11_site.logs.traces" in _loaded(stack)


def _loaded(stack: Stack) -> str:
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(
        command, check=True, cwd=ROOT, env=stack.a.environment, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()


@pytest.mark.once
@pytest.mark.parametrize("command", [("manage.py", "serve"), ("manage.py", "doctor"), ("-m", "vx11_site")])
def test_a_server_that_shall_send_traces_and_cannot_says_so_in_words(
    own_stack: OwnStack, asked: Path, command: tuple[str, ...]
) -> None:
    stack = own_stack()
    stack.a.stop()
    environment = stack.a.environment | without_opentelemetry(asked) | {"VX11_TRACES_URL": "http://127.0.0.1:9/"}
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0
    assert "VX11_TRACES_URL is set, and the packages that send traces are not installed." in done.stdout + done.stderr
    assert "requirements-tracing.lock" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
