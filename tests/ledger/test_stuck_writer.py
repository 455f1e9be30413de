"""A writer that hangs: its connection is cut, then another thread takes its place; nothing is lost or written twice."""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection

from ledger import writer as writer_module
from ledger.faults import LedgerUnavailable
from ledger.writer import Writer
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")
POSTGRESQL_ONLY = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="SQLite has no connection that could hang, and one lock for all threads"
)


@pytest.fixture
def own_writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    Group.objects.all().delete()
    # What takes longer than this hangs; a waiting caller gets an error before.
    monkeypatch.setattr(writer_module, "STUCK_SECONDS", 0.1)
    monkeypatch.setattr(writer_module, "COMMIT_WAIT_SECONDS", 0.05)
    own = Writer()
    yield own
    own.close()


def insert_groups(names: list[str]) -> Sequence[str]:
    Group.objects.bulk_create([Group(name=name) for name in names], ignore_conflicts=True)
    return names


def note_life(units: list[str]) -> Sequence[str]:
    """What a serving process hands over every few seconds."""
    return units


class Hanging:
    """A function that writes, and then waits for something that never comes."""

    def __init__(self) -> None:
        self.begun, self.released, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, names: list[str]) -> Sequence[str]:
        if self.begun.is_set():
            # The second time, in the thread that goes on.
            return insert_groups(names)
        self.begun.set()
        try:
            assert self.released.wait(20)
            return insert_groups(names)
        finally:
            self.ended.set()


def written(name: str = "") -> int:
    """Groups of that name, or all; asked in a thread of its own."""
    try:
        return (Group.objects.filter(name=name) if name else Group.objects.all()).count()
    finally:
        connection.close()


@POSTGRESQL_ONLY
async def test_n07_another_thread_takes_the_place_of_one_that_hangs_and_nothing_is_lost_or_doubled(
    own_writer: Writer,
) -> None:
    hanging = Hanging()
    own_writer.write_behind(hanging, "behind")
    await asyncio.to_thread(hanging.begun.wait, 10)
    with pytest.raises(LedgerUnavailable):
        await own_writer.commit(insert_groups, "gets an error")

    def goes_on() -> bool:
        own_writer.write_behind(note_life, "alive")
        return written("behind") == 1

    await asyncio.to_thread(wait_until, goes_on, "another thread goes on")
    assert own_writer.late_seconds == 0
    before = await asyncio.to_thread(written)
    hanging.released.set()
    await asyncio.to_thread(hanging.ended.wait, 10)
    # The one that hung has found its place taken: it does not commit, and takes nothing more.
    await asyncio.to_thread(wait_until, lambda: len(_writers()) == 1, "the thread that hung has ended")
    assert await asyncio.to_thread(written) == before


def _writers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ledger-writer"]


async def test_n07_what_does_not_get_through_is_known_to_be_late_until_something_does(own_writer: Writer) -> None:
    def fails(units: list[str]) -> Sequence[str]:
        raise OperationalError("away")

    assert own_writer.late_seconds == 0
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            await own_writer.commit(fails, "no")
    first = own_writer.late_seconds
    assert first > 0
    own_writer.write_behind(insert_groups, "yes")
    await asyncio.to_thread(wait_until, lambda: own_writer.late_seconds == 0, "it got through")


@POSTGRESQL_ONLY
async def test_n07_a_connection_that_hangs_is_cut_and_its_batch_written_on_a_new_one(own_writer: Writer) -> None:
    tries: list[str] = []

    def hangs_once(names: list[str]) -> Sequence[str]:
        tries.extend(names)
        with connection.cursor() as cursor:
            # Longer than the test waits; the second connection does not hang.
            cursor.execute("SELECT pg_sleep(%s)", [30 if len(tries) == 1 else 0])
        return insert_groups(names)

    own_writer.write_behind(hangs_once, "once")
    thread = own_writer._thread

    def goes_on() -> bool:
        own_writer.write_behind(note_life, "alive")
        return written("once") == 1

    await asyncio.to_thread(wait_until, goes_on, "the batch is written")
    assert tries == ["once", "once"]
    assert own_writer._thread is thread
