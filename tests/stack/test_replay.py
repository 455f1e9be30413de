"""Replay: from a cursor to now without a gap, through filters, or a word that this cannot be."""

from collections.abc import Callable, Iterator

import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Frame, Json

STREAM = f"{API}/events/stream"


def seq_of(cursor: str) -> int:
    return int(cursor.rpartition("-")[2])


def test_a_stream_from_a_cursor_replays_in_order_then_says_caught_up_and_goes_on(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    before = principal.cursor()
    missed = service.published([new_event() for _ in range(3)])

    with principal.stream(last_event_id=before, correlation_id=marker) as stream:
        frames = list(until(stream.frames, "caught-up"))
        assert frames[1].cursor == before
        assert [frame.data["event_id"] for frame in frames if frame.is_event] == [
            event["event_id"] for event in missed["events"]
        ]
        assert frames[-1].data["cursor"] == frames[-1].cursor
        live = service.published(new_event())
        assert stream.event()["event_id"] == live["event_id"]


def until(frames: Iterator[Frame], name: str) -> Iterator[Frame]:
    """The frames up to the first of this name, which is the last one."""
    for frame in frames:
        yield frame
        if frame.name == name:
            return


def test_the_header_last_event_id_wins_over_the_query(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    start = principal.cursor()
    later = service.published(new_event())["cursor"]
    second = service.published(new_event())["event_id"]

    with principal.stream(headers={"Last-Event-ID": later}, last_event_id=start, correlation_id=marker) as stream:
        assert stream.event()["event_id"] == second


def test_without_a_cursor_a_stream_starts_now(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    service.published(new_event())
    with principal.stream(correlation_id=marker) as stream:
        stream.connected()
        second = service.published(new_event())["event_id"]
        assert stream.event()["event_id"] == second


def test_a_reader_that_reopens_all_the_time_sees_every_event_once(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    cursor = principal.cursor()
    published = service.published([new_event() for _ in range(40)])["events"]

    seen: list[str] = []
    while len(seen) < len(published):
        with principal.stream(last_event_id=cursor, correlation_id=marker) as stream:
            for _ in range(min(7, len(published) - len(seen))):
                frame = stream.next(lambda frame: frame.is_event, "an event")
                seen.append(frame.data["event_id"])
                cursor = frame.cursor

    assert seen == [event["event_id"] for event in published]


def test_follow_false_replays_and_ends_in_order(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    before = principal.cursor()
    published = service.published([new_event() for _ in range(3)])["events"]

    with principal.stream(last_event_id=before, correlation_id=marker, follow="false") as stream:
        frames = stream.rest()

    assert [frame.data["event_id"] for frame in frames if frame.is_event] == [event["event_id"] for event in published]
    assert frames[-1].name == "stream-end"
    assert frames[-1].data["reason"] == "end_of_log"


def test_a_bad_value_of_follow_is_refused(principal: Client) -> None:
    assert_problem(principal.get(STREAM, params={"follow": "perhaps"}), 422, "validation_error")


# --- cursors ---

GARBAGE = [
    "'; drop",
    "-1",
    "1e9",
    "ü",
    "x" * 10_240,
    "a-b-c",
    "\x00",
    "-",
    "k7f3-",
    "k7f3--1",
    "k7f3-1.5",
    "k7f3-" + "9" * 30,
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_s11_a_cursor_that_is_none_is_refused_in_the_query(principal: Client, garbage: str) -> None:
    assert_problem(principal.get(STREAM, params={"last_event_id": garbage}), 400, "bad_cursor")


@pytest.mark.parametrize("garbage", [text for text in GARBAGE if text.isprintable()])
def test_s11_a_cursor_that_is_none_is_refused_in_the_header(principal: Client, garbage: str) -> None:
    answer = principal.get(STREAM, headers={"Last-Event-ID": garbage.encode()})
    assert_problem(answer, 400, "bad_cursor")


def test_s11_an_empty_cursor_means_from_now(principal: Client) -> None:
    assert principal.stream_status(last_event_id="", headers={"Last-Event-ID": ""}) == 200


@pytest.mark.parametrize("reason", ["epoch", "unknown"])
def test_s11_a_cursor_of_another_log_or_ahead_of_this_one_is_reset_to_the_newest(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, reason: str
) -> None:
    epoch, _, seq = service.published(new_event())["cursor"].rpartition("-")
    cursor = f"{epoch}-{int(seq) + 1_000_000}" if reason == "unknown" else f"0{epoch}0-{seq}"

    with principal.stream(last_event_id=cursor, correlation_id=marker) as stream:
        reset = stream.named("stream-reset")
        after = service.published(new_event())["event_id"]
        assert stream.event()["event_id"] == after

    assert reset.data["reason"] == reason
    assert seq_of(reset.data["oldest"]) <= seq_of(reset.data["newest"])
    assert reset.cursor == reset.data["newest"]


# --- filters ---


@pytest.mark.parametrize(
    "params",
    [
        {"severity": "warn,error"},
        {"severity": ["warn", "error"]},
        {"severity": "warning, error"},
        {"module": ["switch", "hermes"]},
        {"event_type": "test.one,test.two"},
        {"severity": "warn,error", "module": "switch,hermes", "event_type": ["test.one", "test.two"]},
    ],
)
def test_filters_hold_for_replay_and_live_alike(
    principal: Client, service: Client, new_event: Callable[..., Json], marker: str, params: Json
) -> None:
    before = principal.cursor()
    batch = [
        new_event(severity="warn", module="switch", event_type="test.one"),
        new_event(severity="info", module="spawner", event_type="test.three"),
        new_event(severity="error", module="hermes", event_type="test.two"),
    ]
    published = service.published(batch)["events"]

    with principal.stream(last_event_id=before, correlation_id=marker, **params) as stream:
        replayed = stream.history(2)
        again = service.published(batch)["events"]
        live = stream.events(2)

    assert [event["event_id"] for event in replayed] == [published[0]["event_id"], published[2]["event_id"]]
    assert [event["event_id"] for event in live] == [again[0]["event_id"], again[2]["event_id"]]


def test_a_severity_that_does_not_exist_is_refused(principal: Client) -> None:
    assert_problem(principal.get(STREAM, params={"severity": "loud"}), 422, "validation_error")
