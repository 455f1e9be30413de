"""Readers that stop reading: they cost little, are told and closed within about ten seconds, and delay nobody."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.client import Client, Frame
from tests.metrics import metric
from tests.server.big_events import MUCH_EVENTS, big_event, publish, reader, seqs_of, warm_up
from tests.server.crowd import Crowd, Reader
from tests.server.watching import MEBIBYTE, SLOW_CLOSED, resident_bytes, wait_for_line
from tests.server.wire import WireStream
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

COST_LIMIT_BYTES = 2 * MEBIBYTE
# Ten, and the time until the kernel has told us what it took, on a busy machine.
CLOSED_WITHIN_SECONDS = 13
WAIT_SECONDS = 30
MANY = 50
MARKER = "stopped-readers"


@dataclasses.dataclass
class Stopped:
    """One that stopped: how long it stayed, what the log and the metric said, what was still there for it to read."""

    stream_id: str
    line: str
    seconds: float
    frames: list[Frame] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Scene:
    """Two readers stopped, one while it was live, one while it was given history; three read on."""

    seqs: list[int]
    published_at: float
    live: Stopped
    in_history: Stopped
    others: list[Reader]
    growth_bytes: int
    slow_closed: float
    left_over: bytes


@pytest.fixture(scope="module")
def scene(shared_stack: Stack) -> Iterator[Scene]:
    stack = shared_stack
    principal, service = stack.client(stack.principal_token), stack.client(stack.service_token, server=stack.b)
    warm_up(stack, service)
    cursor = principal.cursor()
    publish(service, big_event(f"{MARKER}-history"), MUCH_EVENTS)
    slow_closed = metric(principal, SLOW_CLOSED)
    with ExitStack() as opened:
        crowd = opened.enter_context(Crowd())
        others = crowd.open(stack.a.url, stack.principal_token, 3, query=f"correlation_id={MARKER}")
        live = opened.enter_context(reader(stack, MARKER))
        live_id = stream_id_of(live.read_until(lambda frame: frame.name == "caught-up", "caught-up"))
        before, stopped_at = resident_bytes(stack.a), time.monotonic()
        in_history = opened.enter_context(reader(stack, f"{MARKER}-history", f"last_event_id={cursor}"))
        history_id = stream_id_of(in_history.read_until(lambda frame: bool(frame.data), "connected"))
        seqs = publish(service, big_event(MARKER), MUCH_EVENTS)
        published_at = time.time()
        ended_live = closed(stack, live_id, stopped_at)
        ended_history = closed(stack, history_id, stopped_at)
        growth_bytes = resident_bytes(stack.a) - before
        ended_live.frames, ended_history.frames = live.read_to_end(), in_history.read_to_end()
        slow_closed = metric(principal, SLOW_CLOSED) - slow_closed
        left_over = live.rest()
        yield Scene(seqs, published_at, ended_live, ended_history, others, growth_bytes, slow_closed, left_over)


def closed(stack: Stack, stream_id: str, stopped_at: float) -> Stopped:
    line = wait_for_line(stack.a, "stream closed", stream_id, seconds=WAIT_SECONDS)
    return Stopped(stream_id, line, time.monotonic() - stopped_at)


def stream_id_of(frames: list[Frame]) -> str:
    return next(frame.data["stream_id"] for frame in frames if frame.data.get("type") == "connected")


@pytest.mark.parametrize("which", ["live", "in_history"])
def test_r01_a_reader_that_stops_reading_is_closed_within_about_ten_seconds(scene: Scene, which: str) -> None:
    stopped: Stopped = getattr(scene, which)
    assert "reason=slow_consumer" in stopped.line
    assert stopped.seconds < CLOSED_WITHIN_SECONDS


def test_r01_readers_that_stop_are_counted_and_their_rows_say_why(scene: Scene, shared_stack: Stack) -> None:
    assert scene.slow_closed == 2
    ids = [scene.live.stream_id, scene.in_history.stream_id]
    look = f"from events.models import StreamSession; rows = StreamSession.objects.filter(pk__in={ids!r})"
    printed = shared_stack.a.python(f"{look}; print(*rows.values_list('end_reason', flat=True))")
    assert printed.split()[-2:] == ["slow_consumer", "slow_consumer"]


def test_r01_readers_that_stop_cost_less_than_two_megabytes_each(scene: Scene) -> None:
    # Those that read cost something too while they are given so much.
    assert scene.growth_bytes < 2 * COST_LIMIT_BYTES + len(scene.others) * MEBIBYTE


def test_r01_others_are_on_time_and_miss_nothing_while_some_do_not_read(scene: Scene) -> None:
    for other in scene.others:
        assert other.seqs == scene.seqs
        assert max(other.arrivals.values()) - scene.published_at < 1


@pytest.mark.parametrize("which", ["live", "in_history"])
def test_r01_a_reader_that_is_closed_and_soon_reads_again_is_told_why(scene: Scene, which: str) -> None:
    stopped: Stopped = getattr(scene, which)
    last = stopped.frames[-1]
    assert (last.name, last.data["reason"]) == ("stream-end", "slow_consumer")
    assert 3000 <= last.data["retry_ms"] <= 7000


def test_r01_after_the_end_of_a_reader_that_had_stopped_its_connection_is_closed(scene: Scene) -> None:
    """It is to be cut off soon, so no other request may come to stand on it."""
    assert scene.left_over == b""


def test_r01_a_reader_that_was_closed_comes_back_with_its_cursor_and_misses_nothing(
    scene: Scene, shared_stack: Stack
) -> None:
    got = seqs_of(scene.live.frames)
    assert got == scene.seqs[: len(got)]
    assert len(got) < len(scene.seqs)
    cursor = next(frame.cursor for frame in reversed(scene.live.frames) if frame.is_event)
    query = f"correlation_id={MARKER}&follow=false&last_event_id={cursor}"
    with WireStream(shared_stack.b.url, shared_stack.principal_token, query) as again:
        assert got + seqs_of(again.read_to_end()) == scene.seqs


def test_r02_fifty_readers_that_stop_cost_little_each_and_another_gets_every_event(
    stack: Stack, principal: Client, service: Client, marker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    closed_before = metric(principal, SLOW_CLOSED)
    warm_up(stack, service)
    with Crowd() as crowd, ExitStack() as opened:
        (other,) = crowd.open(stack.a.url, stack.principal_token, 1, query=f"correlation_id={marker}")
        before = maximum = resident_bytes(stack.a)
        for _ in range(MANY):
            opened.enter_context(reader(stack, marker)).caught_up()
        seqs: list[int] = []
        while metric(principal, SLOW_CLOSED) < closed_before + MANY:
            seqs += publish(service, big_event(marker), 5)
            maximum = max(maximum, resident_bytes(stack.a))
        wait_until(lambda: len(other.seqs) == len(seqs), "the other has everything")
        assert other.seqs == seqs
    assert_cheap((maximum - before) / MANY, capsys)


def test_r02_fifty_readers_that_stop_in_history_cost_little_each(
    stack: Stack, principal: Client, service: Client, marker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    closed_before, cursor = metric(principal, SLOW_CLOSED), principal.cursor()
    warm_up(stack, service)
    publish(service, big_event(marker), MUCH_EVENTS)
    with ExitStack() as opened:
        before = maximum = resident_bytes(stack.a)
        for _ in range(MANY):
            opened.enter_context(reader(stack, marker, f"last_event_id={cursor}"))

        def all_are_closed() -> bool:
            nonlocal maximum
            maximum = max(maximum, resident_bytes(stack.a))
            return metric(principal, SLOW_CLOSED) == closed_before + MANY

        wait_until(all_are_closed, "all are closed", timeout_seconds=WAIT_SECONDS, pause_seconds=0.1)
    assert_cheap((maximum - before) / MANY, capsys)


def assert_cheap(bytes_each: float, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f" {bytes_each / 1024:.0f} KiB each ", end="")  # noqa: T201 - a figure to look at
    assert bytes_each < COST_LIMIT_BYTES
