"""Streams of processes that die, stand still, or cannot reach the database: lost ones are closed, others are not."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from events.models import Node, StreamSession
from events.stream import connection_rows
from events.stream.connection_rows import Presence, touch_node

pytestmark = pytest.mark.usefixtures("ledger")


def presence_of(node: Node, *open_rows: StreamSession) -> Presence:
    return Presence(node, frozenset(str(row.pk) for row in open_rows), timezone.now())


def open_row(node: Node) -> StreamSession:
    return StreamSession.objects.create(
        id=uuid.uuid4(), node=node.pk, principal_id="p-1", cursor="k7f3-1", opened_at=timezone.now()
    )


def test_f13_streams_of_a_process_that_is_silent_are_closed_and_those_of_others_are_not() -> None:
    dead, alive = Node(name="dead"), Node(name="alive")
    touch_node([presence_of(dead), presence_of(alive)])
    rows = {node: open_row(node) for node in (dead, alive)}
    Node.objects.filter(pk=dead.pk).update(seen_at=timezone.now() - timedelta(seconds=31))

    touch_node([presence_of(alive, rows[alive])])

    for row in rows.values():
        row.refresh_from_db()
    assert (rows[dead].end_reason, rows[alive].end_reason) == ("node_lost", "")
    assert rows[dead].closed_at is not None
    assert list(Node.objects.values_list("name", flat=True)) == ["alive"]


def test_a_process_closes_only_what_is_its_own_and_not_open_there() -> None:
    one, other = Node(name="one"), Node(name="other")
    touch_node([presence_of(other)])
    still_open, lost, elsewhere = open_row(one), open_row(one), open_row(other)

    touch_node([presence_of(one, still_open)])

    reasons = dict(StreamSession.objects.values_list("pk", "end_reason"))
    assert reasons == {still_open.pk: "", lost.pk: "unknown", elsewhere.pk: ""}


@pytest.mark.parametrize("ahead_seconds", [90, -90])
def test_f19_a_process_whose_clock_is_wrong_neither_loses_streams_nor_takes_them(
    monkeypatch: pytest.MonkeyPatch, ahead_seconds: int
) -> None:
    right, wrong = Node(name="right"), Node(name="wrong")
    rows = [open_row(right), open_row(wrong)]
    presences = [presence_of(node, *rows) for node in (right, wrong)]
    touch_node(presences)

    now = timezone.now
    with monkeypatch.context() as patched:
        patched.setattr(timezone, "now", lambda: now() + timedelta(seconds=ahead_seconds))
        touch_node(presences[1:])
    touch_node(presences[:1])

    assert StreamSession.objects.filter(closed_at=None).count() == 2
    assert set(Node.objects.values_list("name", flat=True)) == {"right", "wrong"}


def silence(seconds: float, *nodes: Node) -> None:
    """None of these could say for so long that it lives."""
    pks = [node.pk for node in nodes]
    Node.objects.filter(pk__in=pks).update(seen_at=Now() - timedelta(seconds=seconds))


def is_open(row: StreamSession) -> bool:
    row.refresh_from_db()
    return (row.closed_at, row.end_reason) == (None, "")


def test_n07_after_the_database_was_away_no_process_is_taken_for_dead_before_it_can_report() -> None:
    nodes = first, second = Node(name="first"), Node(name="second")
    touch_node([presence_of(node) for node in nodes])
    rows = [open_row(node) for node in nodes]
    presences = [presence_of(node, row) for node, row in zip(nodes, rows, strict=True)]
    silence(60, *nodes)

    touch_node(presences[:1])
    assert all(map(is_open, rows))
    touch_node(presences[1:])
    assert all(map(is_open, rows))

    # One that says nothing for as long after it is dead all the same.
    silence(60, second)
    touch_node(presences[:1])
    assert is_open(rows[1])
    connection_rows._back_at[first.pk] -= connection_rows.NODE_LOST_SECONDS
    touch_node(presences[:1])
    assert [is_open(row) for row in rows] == [True, False]


def test_n03_streams_of_a_process_that_was_taken_for_dead_are_open_again() -> None:
    stopped, other = Node(name="stopped"), Node(name="other")
    went_on, ended = open_row(stopped), open_row(stopped)
    touch_node([presence_of(stopped, went_on, ended)])
    silence(60, stopped)
    touch_node([presence_of(other)])
    assert not is_open(went_on)
    assert not is_open(ended)
    touch_node([presence_of(stopped, went_on)])
    assert is_open(went_on)
    assert not is_open(ended)


def test_two_processes_that_find_a_dead_one_do_not_wait_for_each_other() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock for all")
    dead = Node.objects.create(name="dead")
    silence(60, dead)
    rows = [open_row(dead) for _ in range(4)]
    held = rows[2]

    def sweep() -> None:
        try:
            with transaction.atomic():
                touch_node([presence_of(Node(name="other"))])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        StreamSession.objects.select_for_update().get(pk=held.pk)
        Node.objects.select_for_update().get(pk=dead.pk)
        pool.submit(sweep).result()
        assert [is_open(row) for row in rows] == [row == held for row in rows]
    touch_node([presence_of(Node(name="third"))])
    assert not is_open(held)
    assert not Node.objects.filter(pk=dead.pk).exists()


def test_a_process_that_was_taken_for_dead_comes_back() -> None:
    node = Node(name="back")
    touch_node([presence_of(node)])
    Node.objects.all().delete()
    touch_node([presence_of(node)])
    assert Node.objects.filter(pk=node.pk).exists()


# In steps


def test_rows_that_are_written_again_after_a_lost_answer_change_nothing() -> None:
    row = open_row(Node.objects.create(name="here"))
    again = StreamSession(id=row.pk, node=row.node, principal_id="p-2", cursor="k7f3-1", opened_at=row.opened_at)
    other = StreamSession(id=uuid.uuid4(), node=row.node, principal_id="p-3", cursor="k7f3-1", opened_at=row.opened_at)
    end = {"id": other.pk, "closed_at": row.opened_at, "end_reason": "max_age"}
    assert connection_rows.write_many([again, end, other]) == [None] * 3
    assert set(StreamSession.objects.values_list("principal_id", "end_reason")) == {("p-1", ""), ("p-3", "max_age")}


def test_a_process_reports_all_that_it_says_of_itself() -> None:
    node = Node(name="here", streams=3, slow_readers=2, held_bytes=100, draining=False)
    touch_node([presence_of(node)])
    node.streams, node.slow_readers, node.held_bytes, node.draining = 1, 0, 5, True
    assert touch_node([presence_of(node), presence_of(node)]) == [None, None]
    found = Node.objects.get()
    assert (found.streams, found.slow_readers, found.held_bytes, found.draining) == (1, 0, 5, True)
    assert (found.name, found.started_at) == ("here", node.started_at)


@pytest.mark.parametrize("rows_at_a_time", [1, 2, 5, 6])
def test_all_streams_of_a_process_that_comes_back_are_open_again_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int
) -> None:
    monkeypatch.setattr(connection_rows, "REOPENED_ROWS", rows_at_a_time)
    stopped = Node(name="stopped")
    rows = [open_row(stopped) for _ in range(5)]
    touch_node([presence_of(stopped, *rows)])
    silence(60, stopped)
    touch_node([presence_of(Node(name="other"))])
    assert not any(map(is_open, rows))
    touch_node([presence_of(stopped, *rows)])
    assert all(map(is_open, rows))


def test_streams_that_ended_in_another_way_are_not_opened_again() -> None:
    stopped = Node(name="stopped")
    row = open_row(stopped)
    touch_node([presence_of(stopped, row)])
    StreamSession.objects.update(closed_at=timezone.now(), end_reason="max_age")
    silence(60, stopped)
    touch_node([presence_of(stopped, row)])
    assert not is_open(row)


@pytest.mark.parametrize("lost_at", ["another process", "this process"])
def test_lost_streams_are_closed_a_limited_number_at_a_time(monkeypatch: pytest.MonkeyPatch, lost_at: str) -> None:
    monkeypatch.setattr(connection_rows, "LOST_LIMIT_ROWS", 2)
    here = Node(name="here")
    node = Node(name="dead") if lost_at == "another process" else here
    for _ in range(5):
        open_row(node)
    left = []
    for _ in range(4):
        touch_node([presence_of(here)])
        left.append(StreamSession.objects.filter(closed_at=None).count())
    assert left == [3, 1, 0, 0]


def test_a_process_that_begins_while_another_was_silent_closes_its_streams_at_once() -> None:
    dead = Node(name="dead")
    row = open_row(dead)
    touch_node([presence_of(dead, row)])
    silence(60, dead)
    touch_node([presence_of(Node(name="new"))])
    row.refresh_from_db()
    assert row.end_reason == "node_lost"


def test_a_process_that_was_not_silent_long_enough_is_alive() -> None:
    quiet, other = Node(name="quiet"), Node(name="other")
    row = open_row(quiet)
    touch_node([presence_of(quiet, row)])
    silence(connection_rows.NODE_LOST_SECONDS - 5, quiet)
    touch_node([presence_of(other)])
    assert is_open(row)
    touch_node([presence_of(quiet, row)])
    assert connection_rows._back_at[quiet.pk] == float("-inf")
