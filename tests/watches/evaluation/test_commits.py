"""Steps that fail, commits whose answer is lost, and processes that fight for the lease: each fires once."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from ledger import writer as writer_module
from ledger.faults import LedgerUnavailable
from ledger.writer import Writer
from tests.watches.samples import create, delete, evaluate, happen, owner, taking_over, target, written
from watches import outbox
from watches.evaluation import recording
from watches.evaluation.log_reader import LogReader
from watches.evaluation.recording import Moved
from watches.models import Firing, Notice, StateRow, Watch

pytestmark = pytest.mark.usefixtures("ledger")


def test_of_a_step_that_fails_nothing_is_kept_and_the_next_one_does_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = create(owner(), condition={"kind": "count", "at_least": 1, "within_sec": 60})
    watch.targets.add(target())
    happen("one")
    reader = taking_over()
    real = outbox.add_many

    def fail(*args: Any, **options: Any) -> int:
        real(*args, **options)
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(outbox, "add_many", fail)
    with pytest.raises(OperationalError):
        reader.step()
    assert (written(), Firing.objects.count(), Notice.objects.count(), StateRow.objects.count()) == ([], 0, 0, 0)
    monkeypatch.undo()
    evaluate(reader)
    assert (len(written()), Firing.objects.count(), Notice.objects.count()) == (1, 1, 1)


@pytest.fixture
def own_writer() -> Iterator[Writer]:
    writer = Writer()
    yield writer
    writer.close()


def test_a_step_that_the_writer_tries_twice_fires_once(monkeypatch: pytest.MonkeyPatch, own_writer: Writer) -> None:
    target("there")
    create(owner(), notify=["there"], condition={"kind": "count", "at_least": 1, "within_sec": 60})
    happen("one")
    reader = LogReader(own_writer.commit_from_thread)
    real, tries = outbox.add_many, []

    def fail_once(*args: Any, **options: Any) -> int:
        tries.append(real(*args, **options))
        if len(tries) == 1:
            raise OperationalError("the connection is gone")
        return tries[-1]

    monkeypatch.setattr(outbox, "add_many", fail_once)
    evaluate(reader)
    assert (len(tries), len(written()), StateRow.objects.count()) == (2, 1, 1)
    assert [notice.content["fired"] for notice in Notice.objects.all()] == [1]


def test_a_step_that_the_writer_does_not_take_is_done_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch, own_writer: Writer
) -> None:
    create(owner())
    happen("one")
    reader = LogReader(own_writer.commit_from_thread)
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT_ROWS", 0)
    with pytest.raises(LedgerUnavailable):
        reader.step()
    monkeypatch.undo()
    evaluate(reader)
    assert len(written()) == 1


@pytest.mark.parametrize("at_least", [1, 2], ids=["fires", "does not fire"])
def test_a_step_with_much_state_does_not_share_the_commit_of_what_is_published(
    monkeypatch: pytest.MonkeyPatch, at_least: int
) -> None:
    monkeypatch.setattr(recording, "SHARED_ROWS_LIMIT", 0)
    create(owner(), condition={"kind": "count", "at_least": at_least, "within_sec": 60})

    def refuse(*unit: Any) -> None:
        pytest.fail("handed to the writer")

    happen("one")
    evaluate(LogReader(refuse))
    assert (len(written()), StateRow.objects.count()) == (2 - at_least, 1)


def test_a_step_of_another_process_does_not_undo_what_is_committed_with_it(own_writer: Writer) -> None:
    create(owner())
    suspended = evaluate(LogReader(own_writer.commit_from_thread))
    happen("one")
    evaluate(taking_over())
    own_writer.write_behind(insert_groups, "beside")
    with pytest.raises(Moved):
        suspended.step()
    assert (len(written()), Group.objects.filter(name="beside").count()) == (1, 1)


def insert_groups(names: list[str]) -> Sequence[None]:
    Group.objects.bulk_create(Group(name=name) for name in names)
    return [None] * len(names)


def test_a_commit_whose_answer_was_lost_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    create(owner())
    happen("one")
    reader = taking_over()
    real = recording.record

    def lose(*args: Any) -> None:
        real(*args)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(recording, "record", lose)
    with pytest.raises(OperationalError):
        reader.step()
    monkeypatch.undo()
    evaluate(reader)
    assert len(written()) == 1


def test_a_process_that_was_suspended_while_another_took_over_writes_nothing() -> None:
    create(owner())
    before = evaluate()
    happen("one")
    after = taking_over()
    with pytest.raises(Moved):
        before.step()
    evaluate(after)
    assert len(written()) == 1
    assert not before.step().is_holder


def test_one_process_waits_for_the_lease_of_another_and_takes_over_when_it_ends() -> None:
    create(owner())
    first = evaluate()
    second = LogReader()
    assert not second.step().is_holder
    first.end()
    happen("one")
    assert second.step().is_holder
    assert len(written()) == 1


def test_a_step_that_was_begun_before_a_watch_was_changed_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    by = owner()
    create(by)
    reader = evaluate()
    happen("one")
    real = recording.record

    def change_before(*args: Any) -> None:
        create(by, name="another")
        real(*args)

    monkeypatch.setattr(recording, "record", change_before)
    with pytest.raises(Moved):
        reader.step()
    monkeypatch.undo()
    evaluate(reader)
    # The other one began behind this event.
    assert [fired["watch_id"] for fired in written()] == [Watch.objects.get(name="a watch").pk]


def test_without_watches_nothing_is_written_and_the_first_one_is_evaluated_from_where_it_begins() -> None:
    reader = LogReader()
    with CaptureQueriesContext(connection) as queries:
        for number in range(3):
            happen(f"before-{number}")
            assert not reader.step().more
    assert [query["sql"] for query in queries if "watches_watchreader" in query["sql"]] == []
    by = owner()
    watch = create(by)
    happen("one")
    reader.step()
    assert [fired["watch_id"] for fired in written()] == [watch.pk]
    delete(watch, by)
    reader.step()
    # Another process need not wait for a lease that is of no use.
    create(by)
    assert LogReader().step().is_holder


def test_many_firings_are_as_many_statements_as_few() -> None:
    """Publishers wait while they are written, because the head of the log is locked."""
    target("there")
    for name in ("a watch", "another"):
        create(owner(), name=name, group_by="correlation_id", notify=["there"])
    reader, counts = evaluate(), []
    for number, count in enumerate((2, 20)):
        for each in range(count):
            happen(f"e{number}-{each}", correlation_id=f"c{number}-{each}")
        with CaptureQueriesContext(connection) as queries:
            evaluate(reader)
        counts.append(len(queries))
    assert Firing.objects.count() == 44
    assert [notice.content["fired"] for notice in Notice.objects.all()] == [22, 22]
    assert abs(counts[1] - counts[0]) <= 5
