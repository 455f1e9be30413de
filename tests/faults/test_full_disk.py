"""A disk without room: nothing can be stored, everything else goes on, and room is all it takes to recover."""

import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.answers import assert_problem
from tests.cases.recording import Recovery
from tests.client import Json
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.stacks import Size, Stack
from tests.stores import PrivatePostgres
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

# Room for an installation and a while of it; PostgreSQL writes its journal in files of 16 MiB and keeps several.
DISK_BYTES = {"embedded": 16 * 1024**2, "scaled": 192 * 1024**2}
PIECE_BYTES = 64 * 1024
EVENT_BYTES = 32 * 1024


class SmallDisk:
    """A file system in memory, of a size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """To the last byte, or nearly."""
        with (self.folder / "filler").open("ab", buffering=0) as filler:
            for size in (PIECE_BYTES, 512):
                try:
                    while filler.write(b"\0" * size) == size:
                        pass
                except OSError:
                    pass

    def make_room(self) -> None:
        (self.folder / "filler").unlink()


@pytest.fixture
def disk(stack_size: Size) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    # Not below the test's own folder: that is closed to PostgreSQL's user.
    folder = Path(tempfile.mkdtemp(prefix="vx11-disk-"))
    folder.chmod(0o755)
    options = f"size={DISK_BYTES[stack_size]},mode=0755"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def stack(stack_size: Size, disk: SmallDisk, tmp_path: Path) -> Iterator[Stack]:
    """Its database is on that disk, and so is what its servers log."""
    if stack_size == "embedded":
        with Stack("embedded", disk.folder / "stack") as stack:
            yield stack
    else:
        with (
            PrivatePostgres(durable=True, place=disk.folder) as postgres,
            Stack("scaled", tmp_path / "stack", postgres=postgres) as stack,
        ):
            yield stack


def test_f22_on_a_full_disk_nothing_is_stored_and_all_else_goes_on_until_there_is_room(
    stack: Stack, disk: SmallDisk, new_event: Callable[..., Json], recovery: Recovery
) -> None:
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token, server=stack.b)
    large = new_event(payload={"filling": "x" * EVENT_BYTES})
    with reader.stream() as stream:
        start = stream.connected().cursor
        stored = [service.published(large)["event_id"] for _ in range(3)]
        disk.fill()

        def is_full() -> bool:
            answer = service.publish(large)
            if answer.status_code == 201:
                # There was room for this one in a file that was there already.
                stored.append(answer.json()["event_id"])
                return False
            assert_problem(answer, 503, "dependency_unavailable")
            return True

        wait_until(is_full, "there is no room for another event", timeout_seconds=60)
        assert [event["event_id"] for event in stream.events(len(stored))] == stored
        assert [reader.get("/health").status_code, reader.poll(limit=1).status_code] == [200, 200]
        stream.named("heartbeat")

        disk.make_room()
        with recovery("events are stored again after there is room"):
            after = wait_until(lambda: published(service.publish(large)), "events are stored again")
        assert stream.event()["event_id"] == after
    events = reader.polled(since=start, limit=500)["events"]
    assert [event["event_id"] for event in events] == [*stored, after]


def test_on_a_full_disk_searches_read_the_log_and_the_index_catches_up_once_there_is_room(
    stack: Stack, disk: SmallDisk, new_event: Callable[..., Json], recovery: Recovery
) -> None:
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token, server=stack.b)

    def found() -> tuple[list[str], bool]:
        page = reader.polled(q="quokka", limit=500)
        return sorted(event["event_id"] for event in page["events"]), page["complete"]

    def is_indexed() -> bool:
        return metric(reader, "vx11_search_index_lag_events") == 0 and metric(reader, "vx11_search_index_failing") == 0

    large = new_event(summary="a quokka", payload={"filling": "x" * EVENT_BYTES})
    stored = [service.published(large)["event_id"] for _ in range(3)]
    wait_until(is_indexed, "the first events are indexed", timeout_seconds=60)
    disk.fill()
    wait_until(lambda: service.publish(large).status_code == 503, "there is no room", timeout_seconds=60)
    # What there was room for after all is in the log, too, and the log is what a search tells of.
    ids, complete = found()
    assert complete
    assert set(ids) >= set(stored)
    disk.make_room()
    with recovery("the index has all of the log again after there is room"):
        wait_until(lambda: service.publish(large).status_code == 201, "events are stored again")
        wait_until(is_indexed, "the index catches up", timeout_seconds=60)
    events = reader.polled(limit=500)["events"]
    assert found() == (sorted(event["event_id"] for event in events), True)


def test_an_index_without_room_costs_searches_time_alone_and_heals(
    stack_size: Size, disk: SmallDisk, own_stack: OwnStack, new_event: Callable[..., Json], recovery: Recovery
) -> None:
    if stack_size != "embedded":
        pytest.skip("on PostgreSQL the index has no disk of its own")
    stack = own_stack(VX11_PUBLISH_RATE="")
    reader, service = stack.client(stack.principal_token), stack.client(stack.service_token)
    index = stack.a.data / "operator-search.sqlite3"
    stack.a.stop()
    for file in stack.a.data.glob(f"{index.name}*"):
        file.unlink()
    index.symlink_to(disk.folder / "index.sqlite3")
    stack.a.start()
    events = [new_event(summary="a quokka") for _ in range(100)]
    wait_until(lambda: service.published(events[0]) and (disk.folder / "index.sqlite3").exists(), "it is there")
    disk.fill()

    def is_failing() -> bool:
        # The log has room, the index soon has none.
        service.published([new_event(summary=f"a quokka named {uuid.uuid4()}") for _ in range(200)])
        return metric(reader, "vx11_search_index_failing") == 1

    wait_until(is_failing, "the index has no room", timeout_seconds=60)
    stored = log_length(stack)
    page = reader.polled(q="quokka", limit=500, total="true")
    assert (page["complete"], page["total"], len(page["events"])) == (True, stored, 500)
    assert reader.get("/ready").status_code == 200
    disk.make_room()
    with recovery("the index has all of the log after there is room"):
        wait_until(lambda: metric(reader, "vx11_search_index_failing") == 0, "it works again", timeout_seconds=60)
        wait_until(lambda: metric(reader, "vx11_search_index_lag_events") == 0, "it is whole", timeout_seconds=60)
    assert reader.polled(q="quokka", limit=1, total="true")["total"] == stored


def log_length(stack: Stack) -> int:
    return int(stack.a.python("from events.models import Event\nprint(Event.objects.count())"))


def published(answer: httpx2.Response) -> str:
    return str(answer.json()["event_id"]) if answer.status_code == 201 else ""
