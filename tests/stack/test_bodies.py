"""Bodies: too large, of the wrong kind, or not what they say they are. Refused in the one body, nothing stored."""

import json
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json, raw_request
from tests.stacks import Stack

EVENTS = f"{API}/events"
SSE_TOKEN = f"{API}/events/sse-token"
BODY_LIMIT_BYTES = 256 * 1024
PUBLISH_LIMIT_BYTES = 4 * 1024 * 1024
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json; charset=idna",
        "application/json; charset=unicode_escape",
        "application/json; charset=bz2",
        "application/json; charset=zlib_codec",
        "application/json; charset=nonsense",
        "application/xml",
    ],
)
@pytest.mark.parametrize("path", [EVENTS, SSE_TOKEN])
def test_p01_p09_a_body_that_is_not_json_in_utf_8_is_refused(
    stack: Stack, new_event: Callable[..., Json], marker: str, content_type: str, path: str
) -> None:
    token = stack.service_token if path == EVENTS else stack.principal_token
    answer = stack.client(token).post(path, content=json.dumps(new_event()), headers={"Content-Type": content_type})

    assert_problem(answer, 415, "unsupported_media_type")
    assert stack.client(stack.principal_token).polled(correlation_id=marker)["total"] == 0


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", 'application/json;charset="UTF-8"']
)
def test_p01_json_in_utf_8_is_accepted(service: Client, new_event: Callable[..., Json], content_type: str) -> None:
    answer = service.post(EVENTS, content=json.dumps(new_event()), headers={"Content-Type": content_type})
    assert answer.status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_p09_a_compressed_body_is_refused(service: Client, encoding: str) -> None:
    answer = service.post(EVENTS, content=b"\x1f\x8b" * 100, headers={**JSON_TYPE, "Content-Encoding": encoding})
    assert answer.status_code in (400, 415)
    assert_problem(answer, answer.status_code, answer.json()["reason"])


@pytest.mark.parametrize(
    "body",
    [b"{", b"{'a': 1}", b'{"a": NaN}', b'{"a": 1}}', b"\xff\xfe{}", b'{"a": "\xff"}', b'\xef\xbb\xbf{"a":', b"{,}"],
)
@pytest.mark.parametrize("path", [EVENTS, SSE_TOKEN])
def test_a_body_that_is_no_json_is_malformed(stack: Stack, path: str, body: bytes) -> None:
    token = stack.service_token if path == EVENTS else stack.principal_token
    assert_problem(stack.client(token).post(path, content=body, headers=JSON_TYPE), 400, "malformed_json")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_p05_deep_nesting_is_malformed(service: Client, opening: str) -> None:
    depth = 100_000 if opening == "[" else 20_000
    body = '{"event_type": "x", "summary": "x", "payload": {"deep": ' + opening * depth
    assert_problem(service.post(EVENTS, content=body, headers=JSON_TYPE), 400, "malformed_json")


@pytest.mark.parametrize("depth", [33, 1000])
def test_p05_whole_json_deeper_than_32_is_malformed(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, depth: int
) -> None:
    body = json.dumps(new_event(payload={"deep": None})).replace("null", "[" * depth + "]" * depth)
    answer = service.post(EVENTS, content=body, headers=JSON_TYPE)
    assert_problem(answer, 400, "malformed_json")
    assert principal.polled(correlation_id=marker)["total"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"event_type": "a", "event_type": "b", "summary": "x"}',
        b'{"event_type": "a", "summary": "x", "payload": {"deep": {"k": 1, "k": 2}}}',
        b'{"events": [{"event_type": "a", "summary": "x", "\\u0073ummary": "y"}]}',
    ],
)
def test_p07_a_key_that_comes_twice_is_malformed(service: Client, body: bytes) -> None:
    assert_problem(service.post(EVENTS, content=body, headers=JSON_TYPE), 400, "malformed_json")


# --- size ---


def filled(size_bytes: int) -> bytes:
    """JSON of this size."""
    return b'{"filling": "' + b"x" * (size_bytes - 15) + b'"}'


def test_p02_300_kb_are_too_large_for_an_ordinary_endpoint(principal: Client) -> None:
    answer = principal.post(SSE_TOKEN, content=filled(300 * 1024), headers=JSON_TYPE)
    assert_problem(answer, 413, "payload_too_large")


def test_p02_a_body_at_the_limit_is_read(principal: Client) -> None:
    assert principal.post(SSE_TOKEN, content=filled(BODY_LIMIT_BYTES), headers=JSON_TYPE).status_code != 413


def test_p02_5_mib_are_too_large_to_publish(service: Client) -> None:
    assert_problem(service.post(EVENTS, content=filled(5 * 1024 * 1024), headers=JSON_TYPE), 413, "payload_too_large")


def test_p02_a_full_batch_of_nearly_4_mib_is_published(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    batch = [new_event(payload={"filling": "x" * 60_000}) for _ in range(65)]
    assert len(json.dumps({"events": batch})) < PUBLISH_LIMIT_BYTES
    service.published(batch)
    assert principal.polled(correlation_id=marker)["total"] == 65


def chunks(size_bytes: int) -> Iterator[bytes]:
    """A body without a length: httpx2 sends an iterator in chunks."""
    body = filled(size_bytes)
    for start in range(0, len(body), 16_384):
        yield body[start : start + 16_384]


def test_p03_a_chunked_body_is_read(service: Client, new_event: Callable[..., Json]) -> None:
    body = json.dumps(new_event()).encode()
    answer = service.post(EVENTS, content=iter([body[:10], body[10:]]), headers=JSON_TYPE)
    assert answer.status_code == 201


def test_p03_a_chunked_body_over_the_limit_is_too_large(stack: Stack) -> None:
    try:
        answer = stack.client(stack.principal_token).post(SSE_TOKEN, content=chunks(1024 * 1024), headers=JSON_TYPE)
    except httpx2.WriteError:
        # The server closed before all was sent, and the answer was lost with the connection.
        assert stack.client(None).get("/health").status_code == 200
    else:
        assert_problem(answer, 413, "payload_too_large")


def test_p03_an_understated_length_is_refused(stack: Stack) -> None:
    head = f"POST {SSE_TOKEN} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 3\r\n"
    credential = f"X-VX11-Token: {stack.principal_token}\r\n\r\n"
    answer = raw_request(stack.a.url, (head + credential).encode() + b'{"modules": []}')
    assert answer.status == 400
