"""Delivery: every event once and in order, whatever the server answers, or a report why not."""

import threading
from collections.abc import Callable, Iterable

import pytest

from events.log.submissions import BATCH_LIMIT_EVENTS
from tests.processes import free_port
from tests.vx11_client.scripted_server import Answer, Request, Script, ScriptedServer, problem, taken
from vx11_client.backoff import Backoff
from vx11_client.feeding.feed_sender import FeedSender, SenderReport
from vx11_client.http_answers import ServerRefused
from vx11_client.publishing.delivery import BATCH_LIMIT_BYTES, PendingEvent, encoded


class Report(SenderReport):
    """What the sender reports; `on_retry` is called when a try has failed."""

    def __init__(self, on_retry: Callable[[], None] = lambda: None) -> None:
        self.delivered_count = 0
        self.recognised_count = 0
        self.known_otherwise_lines: list[int] = []
        self.refused: list[tuple[int, str]] = []
        self.retries: list[str] = []
        self.waits: list[float] = []
        self._on_retry = on_retry

    def delivered(self, count: int) -> None:
        self.delivered_count += count

    def recognised(self, count: int) -> None:
        self.recognised_count += count

    def known_otherwise(self, event: PendingEvent) -> None:
        self.known_otherwise_lines.append(event.line_number)

    def left_out(self, event: PendingEvent, reason: str) -> None:
        self.refused.append((event.line_number, reason))

    def retrying(self, reason: str) -> None:
        self.retries.append(reason)
        self._on_retry()

    def waiting(self, seconds: float) -> None:
        self.waits.append(seconds)


def events(count: int) -> list[PendingEvent]:
    return [
        encoded({"summary": f"number {number}"}, event_id=f"id-{number}", line_number=number) for number in range(count)
    ]


def sender_to(url: str, report: Report) -> FeedSender:
    backoff = Backoff(first_seconds=0.01, longest_seconds=0.05)
    return FeedSender(url=url, token="service-token", report=report, wait=threading.Event().wait, backoff=backoff)


def send(script: Script, pending: list[PendingEvent]) -> tuple[ScriptedServer, Report]:
    """Sends to a server with this script, until all is said."""
    report = Report()
    with ScriptedServer(script) as server:
        sender = sender_to(server.url, report)
        try:
            sender.send(pending)
        finally:
            sender.close()
    return server, report


def one_after_the_other(answers: Iterable[Answer]) -> Script:
    """Each request gets the next of the answers; those after them are taken."""
    left = iter(answers)
    return lambda request: next(left, None) or taken(request)


def ids(request: Request) -> list[str]:
    return [event["event_id"] for event in request.json["events"]]


class Log:
    """A server that stores what it can, all or nothing per request, and refuses by `refusal`."""

    def __init__(self, refusal: Callable[[list[str]], Answer | None]) -> None:
        self.stored: list[str] = []
        self._refusal = refusal

    def __call__(self, request: Request) -> Answer:
        answer = self._refusal(ids(request))
        if answer is None:
            self.stored += ids(request)
        return answer or taken(request)


def test_a_batch_goes_out_as_one_request_with_the_token_in_a_header() -> None:
    server, report = send(one_after_the_other([]), events(3))
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/operator/api/events")
    assert request.headers["x-vx11-token"] == "service-token"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {"events": [{"event_id": f"id-{n}", "summary": f"number {n}"} for n in range(3)]}
    assert report.delivered_count == 3


def test_an_event_keeps_the_id_that_it_brought() -> None:
    event = encoded({"event_id": "own", "summary": "x"}, event_id="made-here", line_number=1)
    assert event.body == b'{"event_id":"own","summary":"x"}'


def test_nothing_to_send_is_no_request() -> None:
    server, _ = send(one_after_the_other([]), [])
    assert server.requests == []


def test_no_request_holds_more_events_or_bytes_than_the_server_takes() -> None:
    many = events(2 * BATCH_LIMIT_EVENTS + 1)
    server, _ = send(one_after_the_other([]), many)
    assert [len(ids(request)) for request in server.requests] == [BATCH_LIMIT_EVENTS, BATCH_LIMIT_EVENTS, 1]

    large = [encoded({"summary": "x" * 60_000}, event_id=f"id-{number}", line_number=1) for number in range(100)]
    server, _ = send(one_after_the_other([]), large)
    assert max(len(request.body) for request in server.requests) <= BATCH_LIMIT_BYTES + 64
    assert [event_id for request in server.requests for event_id in ids(request)] == [f"id-{n}" for n in range(100)]


@pytest.mark.parametrize(
    "failure",
    [
        Answer(hang_up=True),
        problem(429, "rate_limited"),
        problem(503, "draining"),
        problem(500, "internal_error"),
        Answer(502, json="the text of a proxy"),
        # A network that wants a sign-in first, and a server that is another one.
        Answer(200, body=[b"<html>Sign in</html>"]),
        Answer(201, json={"created": True}),
        Answer(201, json={"events": [], "cursor": "k-1"}),
    ],
    ids=["no answer", "429", "503", "500", "502", "a page", "another API", "no receipts"],
)
def test_a_passing_trouble_is_tried_again_with_the_same_ids(failure: Answer) -> None:
    server, report = send(one_after_the_other([failure] * 3), events(5))
    assert len(server.requests) == 4
    assert {request.body for request in server.requests} == {server.requests[0].body}
    assert (report.delivered_count, len(report.retries)) == (5, 3)


def test_a_server_that_is_not_there_yet_gets_the_events_when_it_comes() -> None:
    port = free_port()
    failed = threading.Event()
    report = Report(on_retry=failed.set)
    sender = sender_to(f"http://127.0.0.1:{port}", report)
    sending = threading.Thread(target=sender.send, args=(events(4),))
    sending.start()
    assert failed.wait(10)
    with ScriptedServer(one_after_the_other([]), port=port) as server:
        sending.join(10)
        assert not sending.is_alive()
    sender.close()
    assert [ids(request) for request in server.requests] == [["id-0", "id-1", "id-2", "id-3"]]
    assert report.delivered_count == 4


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_server_asks_for_is_kept(status: int) -> None:
    asked = problem(status, "later", headers={"Retry-After": "1"})
    _, report = send(one_after_the_other([asked]), events(1))
    assert report.waits[0] > 0.9


def test_waits_grow_until_they_are_long_and_never_agree() -> None:
    backoff = Backoff(first_seconds=1, longest_seconds=8)
    waits = [backoff.next_seconds() for _ in range(6)]
    assert all(step / 2 <= wait <= step for wait, step in zip(waits, (1, 2, 4, 8, 8, 8), strict=True))
    assert len(set(waits)) == 6
    backoff.reset()
    assert backoff.next_seconds() <= 1


def test_while_the_server_is_away_the_source_is_looked_after() -> None:
    looked = []
    report = Report()
    with ScriptedServer(one_after_the_other([problem(503, "draining")])) as server:
        sender = FeedSender(
            url=server.url,
            token="t",
            report=report,
            wait=threading.Event().wait,
            look_after=lambda: looked.append(1),
            backoff=Backoff(first_seconds=0.01),
        )
        sender.send(events(1))
        sender.close()
    assert looked


def test_an_event_that_the_server_names_is_left_out_and_the_others_arrive_in_order() -> None:
    def refusal(batch: list[str]) -> Answer | None:
        errors = {
            f"events[{at}].summary": ["at most 500 characters"] for at, name in enumerate(batch) if name == "id-2"
        }
        return problem(422, "validation_error", errors=errors) if errors else None

    log = Log(refusal)
    server, report = send(log, events(5))
    assert log.stored == ["id-0", "id-1", "id-3", "id-4"]
    assert len(server.requests) == 2
    assert report.refused == [(2, "events[2].summary: at most 500 characters")]
    assert report.delivered_count == 4


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_an_event_that_the_server_does_not_name_is_found_and_left_out(status: int) -> None:
    bad = {"id-3", "id-9", "id-10"}
    log = Log(lambda batch: problem(status, "some_reason") if bad & set(batch) else None)
    _, report = send(log, events(16))
    assert log.stored == [f"id-{number}" for number in range(16) if f"id-{number}" not in bad]
    assert [line for line, _ in report.refused] == [3, 9, 10]
    assert f"{status} some_reason" in report.refused[0][1]


def test_a_request_that_is_too_large_for_a_proxy_goes_in_parts_and_in_order() -> None:
    log = Log(lambda batch: Answer(413, json="Request Entity Too Large") if len(batch) > 3 else None)
    _, report = send(log, events(20))
    assert log.stored == [f"id-{number}" for number in range(20)]
    assert report.refused == []


def test_errors_that_name_no_event_of_the_batch_name_none() -> None:
    errors = {"events[7].summary": ["?"], f"events[{'9' * 5000}]": ["?"], "body": ["?"], "summary": ["?"]}
    log = Log(lambda batch: problem(422, "validation_error", errors=errors) if "id-1" in batch else None)
    _, report = send(log, events(3))
    assert log.stored == ["id-0", "id-2"]
    assert [line for line, _ in report.refused] == [1]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 301])
def test_an_answer_that_no_other_try_can_change_stops_the_feed_with_its_reason(status: int) -> None:
    with pytest.raises(ServerRefused, match=f"{status} the_reason: No.") as caught:
        send(one_after_the_other([problem(status, "the_reason")]), events(2))
    assert caught.value.credential is (status in (401, 403))


def test_a_page_in_place_of_our_error_body_is_shown_without_what_drives_a_terminal() -> None:
    with pytest.raises(ServerRefused) as caught:
        send(one_after_the_other([Answer(404, body=[b"<h1>\x1b[2JNot found"])]), events(1))
    assert str(caught.value) == "404 <h1>\\x1b[2JNot found"


@pytest.mark.parametrize(
    ("status", "new", "recognised"),
    # A server that does not count says only whether any event was new.
    [(201, 2, 1), (200, 0, 3), (201, None, 0), (200, None, 3), (201, 99, 0), (201, "2", 0)],
)
def test_what_the_log_had_before_is_counted(status: int, new: object, recognised: int) -> None:
    receipts = {"events": [{"event_id": f"id-{n}", "seq": n + 1} for n in range(3)], "cursor": "k-3"}
    answer = Answer(status, json=receipts if new is None else {**receipts, "new": new})
    _, report = send(one_after_the_other([answer]), events(3))
    assert (report.delivered_count, report.recognised_count) == (3, recognised)


def test_a_line_that_is_known_with_other_content_is_not_left_out() -> None:
    pending = [
        encoded({"summary": f"number {n}"}, event_id=f"id-{n}", line_number=n, is_repeatable=n != 2) for n in range(4)
    ]
    log = Log(lambda batch: problem(409, "idempotency_conflict") if {"id-1", "id-2"} & set(batch) else None)
    _, report = send(log, pending)
    assert log.stored == ["id-0", "id-3"]
    assert report.known_otherwise_lines == [1]
    assert [line for line, _ in report.refused] == [2]
