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
