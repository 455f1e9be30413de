"""Threads that wait for a commit get what callers on an event loop get."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from ledger import writer as writer_module
from ledger.faults import LedgerUnavailable
from ledger.writer import Writer

pytestmark = pytest.mark.usefixtures("ledger")


def insert_groups(names: list[str]) -> Sequence[str | Exception]:
    """The name "bad" is refused, and no other with it."""
    Group.objects.bulk_create([Group(name=name) for name in names if name != "bad"])
    return [ValueError("bad") if name == "bad" else f"wrote {name}" for name in names]


@pytest.fixture
def own_writer() -> Iterator[Writer]:
    own = Writer()
    yield own
    own.close()


def test_a_thread_gets_the_result_of_its_unit_when_it_is_committed(own_writer: Writer) -> None:
    assert own_writer.commit_from_thread(insert_groups, "of a thread") == "wrote of a thread"
    assert Group.objects.filter(name="of a thread").exists()


def test_an_exception_as_a_result_is_raised_in_the_thread_that_waits(own_writer: Writer) -> None:
    with pytest.raises(ValueError, match="bad"):
        own_writer.commit_from_thread(insert_groups, "bad")


def test_waiting_inside_a_transaction_is_refused(own_writer: Writer) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="would wait for itself"):
        own_writer.commit_from_thread(insert_groups, "inside")


def test_what_a_thread_does_not_wait_for_any_more_is_not_written(
    own_writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, opened = threading.Event(), threading.Event()

    def hold(units: list[Any]) -> Sequence[None]:
        entered.set()
        assert opened.wait(10)
        return [None] * len(units)

    own_writer.write_behind(hold, "held")
    assert entered.wait(10)
    monkeypatch.setattr(writer_module, "COMMIT_WAIT_SECONDS", 0.05)
    with pytest.raises(LedgerUnavailable):
        own_writer.commit_from_thread(insert_groups, "given up")
    opened.set()
    own_writer.close()
    assert not Group.objects.filter(name="given up").exists()
