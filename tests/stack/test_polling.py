"""Polling: pages, cursors, long polls and counts, and that they agree with the stream."""

import datetime
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from events.http.polling import LONG_POLLS_LIMIT_EACH
from tests.answers import EVENT_FIELDS, assert_problem
from tests.client import API, Client, Json
from tests.stacks import Stack
from tests.waiting import wait_until

STATS = f"{API}/events/stats"


def ids(page: Json) -> list[str]:
    return [event["event_id"] for event in page["events"]]


@pytest.fixture
def published(service: Client, new_event: Callable[..., Json]) -> list[str]:
    """The ids of 25 events of this test, oldest first."""
    answer = service.published([new_event(summary=f"number {number}") for number in range(25)])
    return [event["event_id"] for event in answer["events"]]


def test_without_a_cursor_the_newest_ten_come_oldest_first(
    principal: Client, published: list[str], marker: str
) -> None:
    page = principal.polled(correlation_id=marker)

    assert ids(page) == published[-10:]
    assert (page["total"], page["limit"]) == (25, 10)
    assert page["cursor"]
    assert all(event.keys() == EVENT_FIELDS for event in page["events"])
    assert all(value is not None for event in page["events"] for name, value in event.items() if name != "occurred_at")


def test_nothing_that_matches_is_an_empty_page_with_a_cursor_to_go_on_from(principal: Client, marker: str) -> None:
    page = principal.polled(correlation_id=marker)
    assert (page["events"], page["total"], page["has_more"]) == ([], 0, False)
    assert principal.polled(since=page["cursor"], correlation_id=marker)["events"] == []


def test_pages_forward_add_up_to_everything_once(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    cursor = principal.cursor()
    published = [event["event_id"] for event in service.published([new_event() for _ in range(25)])["events"]]

    seen, more = [], [True]
    while more[-1]:
        page = principal.polled(since=cursor, limit=7, correlation_id=marker)
        seen += ids(page)
        cursor = page["cursor"]
        more.append(page["has_more"])

    assert seen == published
    assert more == [True, True, True, True, False]


def test_pages_backward_add_up_to_everything_once(principal: Client, published: list[str], marker: str) -> None:
    page = principal.polled(limit=10, correlation_id=marker)
    pages = [page]
    while page["has_more"] or len(pages) == 1:
        epoch = page["cursor"].rpartition("-")[0]
        page = principal.polled(before=f"{epoch}-{page['events'][0]['seq']}", limit=10, correlation_id=marker)
        pages.append(page)

    assert [event_id for page in reversed(pages) for event_id in ids(page)] == published


def test_at_gives_the_page_around_a_time(
    principal: Client, service: Client, new_event: Callable[..., Json], published: list[str], marker: str
) -> None:
    middle = datetime.datetime.now(datetime.UTC).isoformat()
    later = [event["event_id"] for event in service.published([new_event() for _ in range(25)])["events"]]

    page = principal.polled(at=middle, limit=10, correlation_id=marker)

    assert 0 < len(page["events"]) <= 10
    assert published[-1] in ids(page)
    assert later[0] in ids(page)


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01T00:00:00Z", "1e9"])
def test_at_must_be_a_time(principal: Client, at: str) -> None:
    assert_problem(principal.poll(at=at), 422, "validation_error")


@pytest.mark.parametrize("limit", ["0", "-1", "501", "many", "1.5"])
def test_a_limit_is_1_to_500(principal: Client, limit: str) -> None:
    assert_problem(principal.poll(limit=limit), 422, "validation_error")


def test_the_greatest_limit_is_500(principal: Client) -> None:
    assert principal.polled(limit=500)["limit"] == 500


@pytest.mark.parametrize("cursor", ["'; drop", "-1", "x" * 10_240, "\x00", "K7F3-1"])
@pytest.mark.parametrize("name", ["since", "before"])
def test_s11_a_cursor_that_is_none_is_refused(principal: Client, name: str, cursor: str) -> None:
    assert_problem(principal.poll(**{name: cursor}), 400, "bad_cursor")


@pytest.mark.parametrize("reset", ["epoch", "unknown"])
def test_s11_a_cursor_of_another_log_or_ahead_of_this_one_is_gone(
    principal: Client, service: Client, new_event: Callable[..., Json], reset: str
) -> None:
    epoch, _, seq = service.published(new_event())["cursor"].rpartition("-")
    cursor = f"{epoch}-{int(seq) + 1_000_000}" if reset == "unknown" else f"0{epoch}0-{seq}"

    body = assert_problem(principal.poll(since=cursor), 410, "cursor_expired")

    assert body["reset"] == reset
    assert principal.polled(since=body["newest"])["events"] is not None
    assert body["oldest"].rpartition("-")[0] == epoch


def test_an_unknown_query_key_is_ignored(principal: Client, published: list[str], marker: str) -> None:
    assert ids(principal.polled(correlation_id=marker, limit=25, colour="blue")) == published


@pytest.mark.parametrize("name", ["last_event_id", "lastEventId", "lastEventID", "last-event-id"])
def test_a_cursor_by_the_names_of_the_stream_is_read_as_since(
    principal: Client, published: list[str], marker: str, name: str
) -> None:
    first = principal.polled(correlation_id=marker, at="2020-01-01T00:00:00Z", limit=5)
    params = {"correlation_id": marker, "limit": 25}
    after = ids(principal.polled(since=first["cursor"], **params))
    assert after != published
    assert ids(principal.polled(**{name: first["cursor"]}, **params)) == after


def test_a_cursor_by_a_name_that_is_not_read_is_refused_and_the_right_one_named(principal: Client) -> None:
    problem = assert_problem(principal.poll(**{"LastEvent_Id": "k7f3-9"}), 422, "validation_error")
    assert "last_event_id" in problem["errors"]["LastEvent_Id"][0]


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"severity": "warning,error"}, [0, 2]),
        ({"module": ["switch", "spawner"]}, [0, 1]),
        ({"event_type": "test.two"}, [2]),
        ({"severity": "info", "module": "switch"}, []),
    ],
)
def test_filters_and_the_total_agree(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, params: Json, wanted: list[int]
) -> None:
    batch = [
        new_event(severity="warn", module="switch", event_type="test.one"),
        new_event(severity="info", module="spawner", event_type="test.three"),
        new_event(severity="error", module="hermes", event_type="test.two"),
    ]
    published = service.published(batch)["events"]

    page = principal.polled(correlation_id=marker, **params)

    assert ids(page) == [published[index]["event_id"] for index in wanted]
    assert page["total"] == len(wanted)


def test_a_bad_severity_is_refused(principal: Client) -> None:
    assert_problem(principal.poll(severity="loud"), 422, "validation_error")


def test_asking_here_for_a_stream_names_the_place_of_the_stream(principal: Client) -> None:
    answer = principal.get(f"{API}/events", headers={"Accept": "text/event-stream"})
    assert f"{API}/events/stream" in str(assert_problem(answer, 406, "not_acceptable"))


def test_reading_needs_the_scope(stack: Stack) -> None:
    token, _ = stack.issue_token("principal", scopes=("window:write",))
    for path in (f"{API}/events", STATS):
        assert_problem(stack.client(token).get(path), 403, "insufficient_scope")


# --- long polls ---


def test_a_long_poll_answers_when_an_event_comes(
    stack: Stack, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    for server in stack.servers:
        reader = stack.client(stack.principal_token, server=server)
        cursor = reader.cursor()
        with ThreadPoolExecutor(1) as pool:
            started = time.monotonic()
            waiting = pool.submit(reader.polled, since=cursor, wait=15, correlation_id=marker)
            # An event that does not match must not end the wait.
            service.published(new_event(correlation_id="somebody-else"))
            event_id = service.published(new_event())["event_id"]
            assert ids(waiting.result()) == [event_id]
            assert time.monotonic() - started < 10


def test_a_long_poll_without_events_answers_empty_when_its_time_is_over(principal: Client, marker: str) -> None:
    started = time.monotonic()
    page = principal.polled(since=principal.cursor(), wait=1, correlation_id=marker)

    assert page["events"] == []
    assert 0.9 < time.monotonic() - started < 8
    assert page["cursor"]


def test_a_long_poll_answers_at_once_when_there_is_something(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    cursor = principal.cursor()
    event_id = service.published(new_event())["event_id"]
    assert ids(principal.polled(since=cursor, wait=25, correlation_id=marker)) == [event_id]


@pytest.mark.parametrize("wait", ["26", "-1", "long"])
def test_a_wait_is_at_most_25_seconds(principal: Client, wait: str) -> None:
    assert_problem(principal.poll(since=principal.cursor(), wait=wait), 422, "validation_error")


# --- agreement ---


def test_f25_stream_and_poll_give_the_same_events_from_the_same_cursor(
    stack: Stack, principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    before = principal.cursor()
    service.published([new_event(payload={"number": number}) for number in range(30)])

    polled = principal.polled(since=before, limit=100, correlation_id=marker)["events"]
    other = stack.client(stack.principal_token, server=stack.b)
    with other.stream(last_event_id=before, correlation_id=marker, follow="false") as stream:
        streamed = [frame.data for frame in stream.rest() if frame.is_event]

    assert streamed == polled
    assert len(polled) == 30


# --- counts ---


def test_stats_count_by_bucket_and_severity(principal: Client, service: Client, new_event: Callable[..., Json]) -> None:
    def counted(severity: str) -> int:
        return str(principal.get(STATS, params={"seconds": 900, "bucket": 5}).json()).count(severity)

    service.published([new_event(severity="critical"), new_event(severity="error")])
    answer = principal.get(STATS, params={"seconds": 900, "bucket": 5})

    assert answer.status_code == 200
    assert counted("critical") > 0
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("params", [{"seconds": "0"}, {"seconds": "x"}, {"bucket": "0"}, {"bucket": "x"}])
def test_stats_of_no_time_are_refused(principal: Client, params: Json) -> None:
    assert_problem(principal.get(STATS, params=params), 422, "validation_error")


def test_a_long_poll_gives_nothing_to_who_was_revoked_while_it_waited(
    stack: Stack, service: Client, new_event: Callable[..., Json]
) -> None:
    token, public_id = stack.issue_token("principal")
    reader = stack.client(token)
    cursor = reader.cursor()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.poll, since=cursor, wait=20)
        stack.revoke_token(public_id)
        wait_until(lambda: reader.poll(limit=1).status_code == 401, "the token is refused", timeout_seconds=5)
        service.published(new_event())
        assert_problem(waiting.result(timeout=20), 401, "main_auth_failed", detail="invalid_token")


def test_a_long_poll_whose_client_hung_up_holds_no_place(stack: Stack, marker: str) -> None:
    token, _ = stack.issue_token("principal")
    client = stack.client(token)
    cursor = client.cursor()
    query = f"since={cursor}&wai%74=25&correlation_id={marker}"
    request = f"GET {API}/events?{query} HTTP/1.1\r\nHost: localhost\r\nX-VX11-Token: {token}\r\n\r\n".encode()
    address = urlsplit(stack.a.url)

    def poll_and_leave() -> None:
        with socket.create_connection((address.hostname or "", address.port or 80)) as connection:
            connection.sendall(request)

    # More than one principal may have waiting at a time.
    for _ in range(LONG_POLLS_LIMIT_EACH + 100):
        poll_and_leave()

    def waits() -> bool:
        return client.poll(since=cursor, wait=1, correlation_id=marker).status_code == 200

    # They would hold their places until the server kills what its client has left, after ten seconds.
    wait_until(waits, "there is a place to wait", timeout_seconds=5)
