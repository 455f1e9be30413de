"""Events so big that a reader who does not read is felt within a few of them."""

from tests.client import Client, Event, Frame
from tests.server.watching import MEBIBYTE, resident_bytes
from tests.server.wire import WireStream
from tests.stacks import Stack

RECEIVE_BUFFER_BYTES = 64 * 1024
FILLING_BYTES = 60_000
BATCH_EVENTS = 10
# More than the kernels of both ends hold for a reader that stops.
MUCH_EVENTS = 150
WARM_UP_ROUNDS = 10


def big_event(marker: str) -> Event:
    return {**small_event(marker), "payload": {"filling": "x" * FILLING_BYTES}}


def small_event(marker: str) -> Event:
    return {"event_type": "test.big", "summary": "much to read", "correlation_id": marker}


def reader(stack: Stack, marker: str, query: str = "") -> WireStream:
    """Reads the events of one test from server `a`, when it is told to."""
    query = f"correlation_id={marker}&{query}"
    return WireStream(stack.a.url, stack.principal_token, query, receive_buffer_bytes=RECEIVE_BUFFER_BYTES)


def publish(service: Client, event: Event, count: int) -> list[int]:
    """Gives the seqs."""
    seqs: list[int] = []
    while len(seqs) < count:
        answer = service.published([event] * min(BATCH_EVENTS, count - len(seqs)))
        seqs += [published["seq"] for published in answer["events"]]
    return seqs


def seqs_of(frames: list[Frame]) -> list[int]:
    return [frame.data["seq"] for frame in frames if frame.is_event]


def warm_up(stack: Stack, service: Client) -> None:
    """Publishes and reads until that alone makes the server no larger: it keeps recent events, and its allocator has
    its ways.
    """
    before, cursor = 0, stack.client(stack.principal_token).cursor()
    for _ in range(WARM_UP_ROUNDS):
        seqs = publish(service, big_event("warm-up"), MUCH_EVENTS)
        with reader(stack, "warm-up", f"follow=false&last_event_id={cursor}") as again:
            cursor = [frame.cursor for frame in again.read_to_end() if frame.is_event][-1]
        assert cursor.endswith(f"-{seqs[-1]}")
        now = resident_bytes(stack.a)
        if now - before < MEBIBYTE / 2:
            return
        before = now
