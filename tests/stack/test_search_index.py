"""The search index of running servers: behind by a second, back after a crash, and in no way when it cannot."""

import json

import pytest

from tests.client import Event
from tests.conftest import OwnStack
from tests.metrics import metric
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

BATCH_EVENTS = 500
# It looks every half second; the rest is for a busy machine.
SOON_SECONDS = 20
FOUND = """
import json
from events.index import the_index
from events.query import Term
index = the_index()
low, high = index.extent()
print(json.dumps([low, high, index.seqs(Term("m:{module}"), low=low, high=high, limit=100_000, seconds=10)]))
"""


def found(stack: Stack, module: str) -> tuple[int, int, list[int]]:
    """What is indexed, and what the index finds for a module."""
    low, high, seqs = json.loads(stack.a.python(FOUND.format(module=module)))
    return low, high, seqs


def publish(stack: Stack, batches: int, *, module: str, server: RunningServer | None = None) -> int:
    """The seq of the last event."""
    events: list[Event] = [
        {"event_type": "test.happened", "summary": f"word{number} of {module}", "module": module}
        for number in range(BATCH_EVENTS)
    ]
    service = stack.client(stack.service_token, server=server or stack.b)
    cursors = [service.published(events)["cursor"] for _ in range(batches)]
    return int(cursors[-1].rpartition("-")[2])


def wait_until_indexed(stack: Stack, newest: int) -> None:
    wait_until(
        lambda: found(stack, "none")[1] >= newest and found(stack, "none")[0] == 1,
        "the log is indexed",
        timeout_seconds=SOON_SECONDS,
    )


def test_what_is_published_is_indexed_soon_and_the_metrics_say_so(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="")
    newest = publish(stack, 2, module="madre")
    wait_until_indexed(stack, newest)
    assert len(found(stack, "madre")[2]) == 2 * BATCH_EVENTS
    principal = stack.client(stack.principal_token)
    wait_until(lambda: metric(principal, "vx11_search_index_lag_events") == 0, "the metric says so")
    assert metric(principal, "vx11_search_index_failing") == 0
    assert metric(principal, "vx11_search_index_lag_seconds") < SOON_SECONDS


def test_after_kills_in_the_middle_of_indexing_the_index_is_whole(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="")
    newest = 0
    for _ in range(3):
        newest = publish(stack, 5, module="madre")
        for server in dict.fromkeys(stack.servers):
            server.kill()
        for server in dict.fromkeys(stack.servers):
            server.start()
    wait_until_indexed(stack, newest)
    seqs = found(stack, "madre")[2]
    assert seqs == sorted(set(seqs), reverse=True)
    assert len(seqs) == 15 * BATCH_EVENTS


def test_a_process_that_dies_is_followed_by_another(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="")
    if stack.a is stack.b:
        pytest.skip("there is one process")
    wait_until_indexed(stack, publish(stack, 1, module="madre"))
    # One of the two has the lease; the other goes on when it is over.
    stack.a.kill()
    newest = publish(stack, 1, module="madre")
    wait_until_indexed(stack, newest)
    stack.a.start()
    stack.b.kill()
    newest = publish(stack, 1, module="madre", server=stack.a)
    wait_until_indexed(stack, newest)


def test_an_index_that_is_off_is_not_made_and_nothing_else_differs(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="", VX11_SEARCH_INDEX="off")
    publish(stack, 1, module="madre")
    assert json.loads(stack.a.python("from events.index import the_index\nprint(list(the_index().extent()))")) == [1, 0]
    principal = stack.client(stack.principal_token)
    assert len(principal.polled(limit=5)["events"]) == 5
    if stack.size == "embedded":
        assert not (stack.a.data / "operator-search.sqlite3").exists()


def test_a_file_that_is_deleted_or_overwritten_under_a_server_is_made_anew(own_stack: OwnStack) -> None:
    stack = own_stack(VX11_PUBLISH_RATE="")
    if stack.size != "embedded":
        pytest.skip("on PostgreSQL the index has no file")
    file = stack.a.data / "operator-search.sqlite3"
    wait_until_indexed(stack, publish(stack, 1, module="madre"))
    file.unlink()
    wait_until_indexed(stack, publish(stack, 1, module="madre"))
    file.write_bytes(b"no database " * 10_000)
    newest = publish(stack, 1, module="madre")
    # The shell of this test keeps the old file open, as a search's thread in the server would.
    wait_until_indexed(stack, newest)
    assert len(found(stack, "madre")[2]) == 3 * BATCH_EVENTS
