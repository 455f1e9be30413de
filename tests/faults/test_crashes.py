"""Servers that die: what was answered stays true, and readers that come back miss nothing."""

import asyncio
import signal

import psycopg
import pytest

from tests.cases.recording import Recovery
from tests.conftest import OwnStack
from tests.faults.traffic import Traffic
from tests.faults.waiting import until
from tests.stacks import Stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

READERS = 100
# A second for the look at the log, and one for a machine that does other things as well.
FOUND_SECONDS = 2
FREED_SECONDS = 30


async def test_after_kills_in_the_middle_of_publishing_the_log_is_what_was_answered_and_readers_miss_nothing(
    own_stack: OwnStack,
) -> None:
    stack = own_stack()
    async with Traffic(stack, publish_to=[stack.a.url], read_from=[stack.a.url], pause_seconds=0) as traffic:
        for _ in range(3):
            await traffic.stores(100)
            before = len(traffic.unanswered)
            stack.a.kill()
            await until(lambda before=before: len(traffic.unanswered) > before, "a publisher notices")  # type: ignore[misc]
            await asyncio.to_thread(stack.a.start)
            await traffic.all_read_on()
        await traffic.settle()
        # Who is not answered is refused by nobody: as long as there is a server, it takes what it is given.
        assert traffic.refused == []


# Run by a process beside the servers: it dies after its commit, before it can tell anybody.
APPEND_AND_DIE = """
import os, signal
from events import log
from tests.events.samples import append_events
log.on_append(lambda epoch, entries: os.kill(os.getpid(), signal.SIGKILL))
append_events(1, prefix="{marker}")
"""


def test_f12_what_a_process_committed_that_died_before_it_told_anybody_is_delivered(
    own_stack: OwnStack, marker: str, recovery: Recovery
) -> None:
    stack = own_stack()
    with stack.client(stack.principal_token).stream() as stream:
        stream.connected()
        done = stack.a.run_manage("shell", "-c", APPEND_AND_DIE.format(marker=marker))
        assert done.returncode == -signal.SIGKILL, done.stderr
        with recovery("an event that its process told no other of is delivered"):
            assert stream.event(timeout_seconds=FOUND_SECONDS)["event_id"] == f"{marker}0"


async def test_f13_readers_of_a_server_that_was_killed_go_on_at_the_other_and_their_slots_are_freed(
    scaled_only: None, own_stack: OwnStack, recovery: Recovery
) -> None:
    stack = own_stack()
    both = [stack.a.url, stack.b.url]
    async with Traffic(stack, readers=READERS, read_from=both, publish_to=[stack.b.url]) as traffic:
        await traffic.stores(20)
        await until(lambda: sum(open_streams(stack).values()) == READERS, "the streams are entered")
        (of_the_dead,) = open_streams(stack)
        stack.a.kill()
        with recovery("the slots of a killed process are free"):
            with recovery("readers of a killed process read on at another"):
                await traffic.all_read_on()
            await until(
                lambda: of_the_dead not in open_streams(stack), "slots are freed", timeout_seconds=FREED_SECONDS
            )
        await asyncio.to_thread(stack.a.start)
        await traffic.settle()
        assert sum(open_streams(stack).values()) == READERS


def open_streams(stack: Stack) -> dict[str, int]:
    """How many streams are open, by the process that has entered them."""
    with psycopg.connect(stack.a.environment["VX11_DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT node, count(*) FROM events_streamsession WHERE closed_at IS NULL GROUP BY 1")
        return {str(node): count for node, count in rows}
