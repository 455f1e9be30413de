"""Changes with their events: both or neither, and only where the lock of the log's head is taken last."""

from collections.abc import Sequence
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group

from events import log
from events.log import change
from events.log.cursors import Cursor
from ledger.writer import runs_last, writer

pytestmark = pytest.mark.usefixtures("ledger")


def change_group(units: list[str]) -> Sequence[Cursor]:
    """One change for each unit; the name "bad" fails after its event was published."""
    ends = []
    for name in units:
        with change() as changing:
            Group.objects.create(name=name)
            changing.publish("window.opened", name, module="test", payload={})
            if name == "bad":
                raise ValueError(name)
            ends.append(changing.cursor)
    return ends


marked = runs_last(change_group)


def state() -> tuple[list[str], int]:
    """The groups of these tests, and how many events there are."""
    groups = Group.objects.filter(name__in=("good", "bad")).values_list("name", flat=True)
    return list(groups), log.head().last_seq


def test_a_change_is_committed_with_its_event_or_neither_is() -> None:
    (end,) = marked(["good"])
    assert end == log.head().newest
    with pytest.raises(ValueError, match="bad"):
        marked(["bad"])
    assert state() == (["good"], 1)


async def test_the_writer_runs_a_marked_function() -> None:
    assert (await writer.commit(marked, "good")).seq == 1


async def test_a_change_is_refused_in_a_function_that_is_not_marked_with_runs_last() -> None:
    with pytest.raises(RuntimeError, match="runs_last"):
        await writer.commit(change_group, "good")
    with pytest.raises(RuntimeError, match="runs_last"):
        change_group(["good"])
    assert await sync_to_async(state)() == ([], 0)


async def test_a_function_that_is_not_marked_cannot_borrow_the_mark_of_one_that_it_calls() -> None:
    def borrow(units: list[str]) -> Sequence[Any]:
        return marked(units)

    with pytest.raises(RuntimeError, match="borrow must be marked with runs_last"):
        await writer.commit(borrow, "good")
    assert await sync_to_async(state)() == ([], 0)


async def test_after_a_marked_function_failed_its_mark_is_gone() -> None:
    with pytest.raises(ValueError, match="bad"):
        await writer.commit(marked, "bad")
    with pytest.raises(RuntimeError, match="runs_last"):
        await writer.commit(change_group, "good")
