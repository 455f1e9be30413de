"""The stream: greeting, live events, replay, filters, refusals, and how it ends."""

from collections.abc import Callable
from itertools import islice

import pytest

from tests.answers import EVENT_FIELDS, assert_problem
from tests.client import API, Client, Json, raw_request
from tests.conftest import OwnStack
from tests.stacks import HEARTBEAT_SECONDS, Stack

STREAM = f"{API}/events/stream"


def seq_of(cursor: str) -> int:
    return int(cursor.rpartition("-")[2])


# --- opening ---


def test_s09_the_greeting_comes_at_once_and_says_where_the_stream_starts(principal: Client) -> None:
    before = principal.cursor()
    with principal.stream() as stream:
        retry, connected = islice(stream.frames, 2)

    assert retry.retry_ms is not None
    assert 3000 <= retry.retry_ms <= 7000
    assert connected.name == ""
    assert connected.data["type"] == "connected"
    assert connected.data["message"] == "SSE stream established"
    assert connected.data["stream_id"]
    assert connected.data["heartbeat_sec"] == HEARTBEAT_SECONDS
    assert connected.data["cursor"] == connected.cursor
    assert seq_of(connected.cursor) >= seq_of(before)


def test_retry_times_differ_so_that_clients_do_not_return_all_at_once(principal: Client) -> None:
    def retry_ms() -> int | None:
        with principal.stream() as stream:
            return next(stream.frames).retry_ms

    assert len({retry_ms() for _ in range(6)}) > 1


def test_the_headers_keep_proxies_and_browsers_from_storing_a_stream(principal: Client) -> None:
    with principal.stream(headers={"Accept-Encoding": "gzip, br"}) as stream:
        headers = stream.response.headers

    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-correlation-id"]
    assert "content-length" not in headers
    assert "content-encoding" not in headers


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "text/*", "text/html, text/event-stream;q=0.1"])
def test_an_accept_header_that_admits_event_streams_opens_one(principal: Client, accept: str) -> None:
    assert principal.stream_status(headers={"Accept": accept}) == 200


def test_a_request_without_an_accept_header_opens_a_stream(stack: Stack) -> None:
    request = f"HEAD {STREAM} HTTP/1.1\r\nHost: localhost\r\nX-VX11-Token: {stack.principal_token}\r\n\r\n"
    assert raw_request(stack.a.url, request.encode()).status == 200


@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/event-stream;q=0"])
def test_an_accept_header_that_excludes_event_streams_is_not_acceptable(principal: Client, accept: str) -> None:
    assert_problem(principal.get(STREAM, headers={"Accept": accept}), 406, "not_acceptable")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_requests_of_the_own_site_and_of_programs_pass(principal: Client, headers: dict[str, str]) -> None:
    assert principal.stream_status(headers=headers) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    ],
)
def test_requests_of_other_sites_and_navigations_are_refused(principal: Client, headers: dict[str, str]) -> None:
    answer = principal.get(STREAM, headers={**headers, "Origin": "https://evil.example"})
    assert_problem(answer, 403, "cross_site")
    assert "access-control-allow-origin" not in answer.headers


def test_a_link_to_a_stream_does_not_use_its_ticket_up(stack: Stack, principal: Client) -> None:
    ticket = principal.ticket()
    anyone = stack.client(None)
    followed = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert_problem(anyone.get(STREAM, params={"token": ticket}, headers=followed), 403, "cross_site")
    assert anyone.stream_status(token=ticket) == 200


def test_a_cookie_does_not_open_a_stream(stack: Stack) -> None:
    assert_problem(stack.client(None).get(STREAM, headers={"Cookie": "sessionid=abc"}), 401, "missing_token")


def test_a_ticket_beats_a_header(stack: Stack, principal: Client) -> None:
    wrong_header = {"X-VX11-Token": "x" * 20}
    assert stack.client(None).stream_status(token=principal.ticket(), headers=wrong_header) == 200


# --- methods ---


def test_x08_head_answers_like_get_without_a_body_and_ends_at_once(principal: Client) -> None:
    answer = principal.request("HEAD", STREAM)

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store, no-transform"


def test_x08_options_names_the_methods(stack: Stack) -> None:
    answer = stack.client(None).request("OPTIONS", STREAM)

    assert answer.status_code == 204
    assert answer.content == b""
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_x08_other_methods_are_not_allowed(principal: Client, method: str) -> None:
    answer = principal.request(method, STREAM)
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


# --- live ---


def test_a_published_event_arrives_complete_at_every_server(
    stack: Stack, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    for server in stack.servers:
        reader = stack.client(stack.principal_token, server=server)
        with reader.stream(correlation_id=marker) as stream:
            stream.connected()
            answer = service.published(new_event(payload={"a": 1}, severity="warn", module="hormiguero"))
            frame = stream.next(lambda frame: frame.is_event, "the event")

        assert frame.data.keys() == EVENT_FIELDS
        assert frame.cursor == answer["cursor"]
        assert (frame.data["event_id"], frame.data["seq"]) == (answer["event_id"], answer["seq"])
        assert (frame.data["payload"], frame.data["severity"], frame.data["module"]) == ({"a": 1}, "warn", "hormiguero")


def test_a_heartbeat_moves_the_cursor_of_a_reader_that_sees_nothing(
    principal: Client, service: Client, new_event: Callable[..., Json]
) -> None:
    with principal.stream(correlation_id="nobody-uses-this") as stream:
        stream.connected()
        cursor = service.published(new_event())["cursor"]
        heartbeat = stream.next(
            lambda frame: frame.name == "heartbeat" and seq_of(frame.cursor) >= seq_of(cursor),
            "a heartbeat past the event",
        )

    assert heartbeat.data["cursor"] == heartbeat.cursor
    assert heartbeat.data["time"]


def test_s10_keep_alive_comments_count_upwards(principal: Client) -> None:
    numbers: list[int] = []
    with principal.stream() as stream:
        for line in stream.response.iter_lines():
            if line.startswith(": keep-alive "):
                numbers.append(int(line.removeprefix(": keep-alive ")))
            if len(numbers) == 3:
                break

    assert numbers == [0, 1, 2]


# --- the end ---


def test_a18_a_stream_ends_when_its_principal_is_revoked(stack: Stack) -> None:
    token, public_id = stack.issue_token("principal")
    with stack.client(None, server=stack.b).stream(token=stack.client(token).ticket()) as stream:
        stream.connected()
        stack.revoke_token(public_id)
        end = stream.named("stream-end")
        assert end.data["reason"] == "revoked"
        assert end.data["retry_ms"] >= 0
        assert stream.rest() == []


def test_a21_a_stream_ends_when_its_principal_expires(stack: Stack) -> None:
    token, _ = stack.issue_token("principal", expires_in="4s")
    with stack.client(token).stream() as stream:
        stream.connected()
        assert stream.named("stream-end").data["reason"] == "expired"


def test_a_stream_ends_at_its_greatest_age(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_STREAM_MAX_AGE_SECONDS="2")
    with stack.client(stack.principal_token).stream() as stream:
        assert stream.named("stream-end").data["reason"] == "max_age"


def test_a_server_that_is_stopped_with_streams_open_ends_without_an_error(own_stack: OwnStack) -> None:
    stack = own_stack()
    with stack.client(stack.principal_token).stream() as stream:
        stream.connected()
        assert stack.a.stop() == 0
