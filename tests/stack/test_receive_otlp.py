"""OpenTelemetry's SDK as sender, with its own exporter: its records are in the log, also when the server is killed."""

import gzip
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.client import API, Client, Json
from tests.conftest import OwnStack
from tests.stack.module_log import summaries
from tests.stacks import Stack

LOGS = f"{API}/ingest/otlp/v1/logs"
PROTOBUF = "application/x-protobuf"


@contextmanager
def telemetry(
    url: str, token: str, service_name: str, compression: Compression = Compression.Gzip
) -> Iterator[LoggerProvider]:
    """As a program sets it up; each batch is tried again while the server is away."""
    exporter = OTLPLogExporter(
        endpoint=f"{url}{LOGS}", headers={"Authorization": f"Bearer {token}"}, compression=compression, timeout=60
    )
    provider = LoggerProvider(resource=Resource.create({"service.name": service_name}), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=100))
    try:
        yield provider
    finally:
        provider.shutdown()


def emit(provider: LoggerProvider, number: int, **attributes: str) -> None:
    provider.get_logger("tests").emit(
        timestamp=time.time_ns(),
        severity_number=SeverityNumber.ERROR,
        severity_text="ERROR",
        body=f"number {number}",
        attributes={"number": number, **attributes},
    )


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_records_of_the_sdk_are_in_the_log(
    stack: Stack, principal: Client, marker: str, compression: Compression
) -> None:
    with telemetry(stack.b.url, stack.service_token, marker, compression) as provider:
        # A batch of the SDK has 512 records.
        for number in range(1200):
            emit(provider, number, place="here")
    events = principal.all_events(module=marker)
    assert [event["summary"] for event in events] == [f"number {number}" for number in range(1200)]
    assert {event["severity"] for event in events} == {"error"}
    assert events[7]["payload"]["attributes"] == {"number": 7, "place": "here"}
    assert events[7]["payload"]["resource"]["service.name"] == marker


def test_what_the_sdk_sends_is_in_the_log_over_the_death_of_the_server(own_stack: OwnStack, marker: str) -> None:
    """OTLP has no ids: a batch whose answer was lost is there twice, and none is missing."""
    stack = own_stack()
    with telemetry(stack.a.url, stack.service_token, marker) as provider:
        for number in range(600):
            emit(provider, number)
        assert provider.force_flush()
        stack.a.kill()
        for number in range(600, 1200):
            emit(provider, number)
        time.sleep(0.5)
        stack.a.start()
        assert provider.force_flush(30_000)
    found = summaries(stack.client(stack.principal_token), marker)
    assert list(dict.fromkeys(found)) == [f"number {number}" for number in range(1200)]
    # What was confirmed before the death is there once.
    assert found[:600] == [f"number {number}" for number in range(600)]


def test_everything_confirmed_is_durable_when_the_server_is_killed_under_load(own_stack: OwnStack, marker: str) -> None:
    stack = own_stack()
    confirmed: list[int] = []
    with httpx2.Client(trust_env=False, timeout=5) as client:
        for number in range(400):
            if number == 200:
                stack.a.kill()
                stack.a.start()
            body = request_of(marker, [number * 3 + offset for offset in range(3)]).SerializeToString()
            answer = client.post(f"{stack.a.url}{LOGS}", content=body, headers=headers(stack.service_token))
            assert answer.status_code == 200
            confirmed += [number * 3 + offset for offset in range(3)]
        stack.a.kill()
        stack.a.start()
    assert summaries(stack.client(stack.principal_token), marker) == [f"number {number}" for number in confirmed]


def headers(token: str | None, content_type: str = PROTOBUF, **more: str) -> dict[str, str]:
    own = {"Authorization": f"Bearer {token}"} if token else {}
    return {"Content-Type": content_type, **own, **more}


def request_of(service_name: str, numbers: list[int]) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    name = resource.resource.attributes.add()
    name.key, name.value.string_value = "service.name", service_name
    records = resource.scope_logs.add().log_records
    for number in numbers:
        records.add().body.string_value = f"number {number}"
    return request


@pytest.fixture
def post(stack: Stack) -> Iterator[Callable[..., httpx2.Response]]:
    """Sends a body with the service token."""
    with httpx2.Client(base_url=stack.b.url, trust_env=False) as client:

        def send(content: bytes, content_type: str = PROTOBUF, **more: str) -> httpx2.Response:
            return client.post(LOGS, content=content, headers=headers(stack.service_token, content_type, **more))

        yield send


def test_an_answer_is_in_the_encoding_of_its_request(post: Callable[..., httpx2.Response], marker: str) -> None:
    request = request_of(marker, [1])
    answer = post(request.SerializeToString())
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, PROTOBUF, b"")
    as_json = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}
    answer = post(json.dumps(as_json).encode(), "application/json")
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, "application/json", {})


def test_records_that_say_nothing_are_a_partial_success(
    post: Callable[..., httpx2.Response], principal: Client, marker: str
) -> None:
    request = request_of(marker, [1, 2])
    request.resource_logs[0].scope_logs[0].log_records.add(severity_number=9)
    answer = post(request.SerializeToString())
    partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_log_records) == (200, 1)
    assert "left out" in partial.error_message
    assert principal.polled(module=marker, total="true")["total"] == 2

    empty: Json = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, {}]}]}]}
    answer = post(json.dumps(empty).encode(), "application/json")
    assert answer.json() == {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": partial.error_message}}


@pytest.mark.parametrize(
    ("content", "coding", "status", "code"),
    [
        (b"\x0a\x05abc", "", 400, 3),
        (b"\x1f\x8b\x08", "gzip", 400, 3),
        (b"", "br", 415, 3),
        (b"x" * (4 * 1024 * 1024 + 1), "", 413, 8),
        (gzip.compress(b"\0" * 50_000_000), "gzip", 413, 8),
    ],
    ids=["no message", "cut off", "other coding", "too long", "bomb"],
)
def test_a_refusal_is_a_status_in_the_encoding_of_the_request(
    post: Callable[..., httpx2.Response], content: bytes, coding: str, status: int, code: int
) -> None:
    more = {"Content-Encoding": coding} if coding else {}
    for content_type in (PROTOBUF, "application/json"):
        answer = post(content, content_type, **more)
        assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)
        if content_type == PROTOBUF:
            told = Status.FromString(answer.content)
            assert told.code == code
            assert answer.headers["X-Correlation-Id"] in told.message
        else:
            assert answer.json()["code"] == code
            assert answer.headers["X-Correlation-Id"] in answer.json()["message"]


@pytest.mark.parametrize(("count", "sentence"), [(5_001, "5000 events"), (100_000, "100000 fields")])
def test_more_records_than_a_request_may_have_are_refused_and_none_is_stored(
    post: Callable[..., httpx2.Response], principal: Client, marker: str, count: int, sentence: str
) -> None:
    body = request_of(marker, list(range(count))).SerializeToString()
    answer = post(gzip.compress(body), **{"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert sentence in Status.FromString(answer.content).message
    assert principal.polled(module=marker, total="true")["total"] == 0


def test_the_sdk_gives_up_a_wrong_token_and_says_so(
    stack: Stack, marker: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="opentelemetry"), telemetry(stack.a.url, "wrong", marker) as provider:
        emit(provider, 1)
    assert any("401" in record.getMessage() for record in caplog.records)


def test_the_sdk_tries_again_when_it_sends_too_much(own_stack: OwnStack, marker: str) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="600/s")
    with telemetry(stack.a.url, stack.service_token, marker) as provider:
        for number in range(1500):
            emit(provider, number)
        assert provider.force_flush(30_000)
    found = summaries(stack.client(stack.principal_token), marker)
    assert found == [f"number {number}" for number in range(1500)]
