"""PostgreSQL with a standby: the primary is killed, the standby takes over, and servers find it by themselves."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.answers import assert_problem
from tests.cases.recording import Recovery
from tests.client import Json
from tests.faults.traffic import Traffic
from tests.stacks import Stack
from tests.standbys import ReplicatedPostgres
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

EVENTS, LOST = 50, 5

ReplicatedStack = Callable[..., tuple[Stack, ReplicatedPostgres]]


@pytest.fixture
def replicated_stack(scaled_only: None, tmp_path: Path) -> Iterator[ReplicatedStack]:
    with ExitStack() as started:

        def start(*, synchronous: bool) -> tuple[Stack, ReplicatedPostgres]:
            postgres = started.enter_context(ReplicatedPostgres(synchronous=synchronous))
            stack = Stack("scaled", tmp_path / "stack", postgres=postgres)
            started.callback(stack.assert_clean_logs)
            return started.enter_context(stack), postgres

        yield start


async def test_f07_when_a_synchronous_standby_takes_over_nothing_answered_is_lost_and_cursors_stay_good(
    replicated_stack: ReplicatedStack, recovery: Recovery
) -> None:
    stack, postgres = await asyncio.to_thread(replicated_stack, synchronous=True)
    async with Traffic(stack) as traffic:
        await traffic.stores(EVENTS)
        with recovery("publishing is back after PostgreSQL's primary was killed and its standby promoted"):
            await asyncio.to_thread(postgres.fail_over)
            await traffic.stores(1)
        await traffic.all_read_on()
        await traffic.stores(EVENTS)
        await traffic.settle()
    assert set(traffic.refused) <= {503}
    assert {reader.connections for reader in traffic.readers} == {1}


def test_f23_what_an_asynchronous_standby_has_not_got_is_lost_and_readers_are_told_so(
    replicated_stack: ReplicatedStack, new_event: Callable[..., Json]
) -> None:
    stack, postgres = replicated_stack(synchronous=False)
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    with reader.stream() as stream:
        stream.connected()
        service.published(new_event())
        kept = stream.event()["seq"]
        wait_until(lambda: postgres.standby.ask("SELECT 1"), "the standby answers")
        postgres.standby.stop_following()
        lost = [service.published(new_event())["seq"] for _ in range(LOST)]
        assert [event["seq"] for event in stream.events(LOST)] == lost
        cursor = reader.cursor()
        postgres.fail_over()
        wait_until(lambda: service.publish(new_event()).status_code == 201, "publishing is back")
        # Before anybody looks, there are more events again than were lost.
        seqs = [service.published(new_event())["seq"] for _ in range(2 * LOST)]
        reset = stream.named("stream-reset", timeout_seconds=20).data
    assert reset["reason"] == "epoch"
    gone = assert_problem(reader.poll(since=cursor), 410, "cursor_expired")
    assert gone["reset"] == "epoch"
    # Numbers go on behind the highest that anybody has seen.
    assert min(seqs) > max(kept, *lost)


def test_n08_readers_of_lost_events_are_reset_when_a_process_that_never_saw_them_appends_first(
    replicated_stack: ReplicatedStack, new_event: Callable[..., Json]
) -> None:
    stack, postgres = replicated_stack(synchronous=False)
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    with reader.stream() as stream:
        stream.connected()
        service.published(new_event())
        stream.event()
        wait_until(lambda: postgres.standby.ask("SELECT 1"), "the standby answers")
        stack.b.stop()
        postgres.standby.stop_following()
        lost = [service.published(new_event()) for _ in range(LOST)]
        assert [event["seq"] for event in stream.events(LOST)] == [event["seq"] for event in lost]
        stack.a.process.send(signal.SIGSTOP)
        try:
            # What Redis knew is gone as well: only the database can tell.
            stack.redis.ask("FLUSHALL")
            postgres.fail_over()
            stack.b.start()
            other = stack.client(stack.service_token, server=stack.b)
            wait_until(lambda: other.publish(new_event()).status_code == 201, "publishing is back")
            # More than were lost: one who compares numbers only finds nothing missing.
            new = [other.published(new_event()) for _ in range(2 * LOST)]
        finally:
            stack.a.process.send(signal.SIGCONT)
        assert stream.named("stream-reset", timeout_seconds=20).data["reason"] == "epoch"
    epochs = {event["cursor"].partition("-")[0] for event in (lost[-1], new[-1])}
    assert len(epochs) == 2
    gone = assert_problem(
        stack.client(stack.principal_token, server=stack.b).poll(since=lost[-1]["cursor"]), 410, "cursor_expired"
    )
    assert gone["reset"] == "epoch"
