"""How many rows lie where, in logs with holes and without."""

import pytest
from django.db import models
from pytest_django import DjangoAssertNumQueries

from events import log
from events.log import extent
from events.models import Event, LogHead
from tests.events.samples import append_events

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "BLOCK_SEQS", 10)


def make_log_with_holes() -> list[int]:
    """Its seqs."""
    append_events(25)
    LogHead.objects.update(last_seq=57)
    append_events(20, prefix="n")
    LogHead.objects.update(last_seq=10**9)
    append_events(3, prefix="o")
    Event.objects.filter(seq__in=(12, 15)).delete()
    return list(Event.objects.order_by("seq").values_list("seq", flat=True))


def test_the_oldest_of_the_newest_rows_is_found_among_holes() -> None:
    seqs = make_log_with_holes()
    for rows in range(1, len(seqs) + 1):
        assert extent.first_of_newest(rows, log.head()) == seqs[-rows]
    assert extent.first_of_newest(len(seqs) + 1, log.head()) == log.head().oldest_seq


def test_rows_before_the_log_do_not_count_among_its_newest() -> None:
    append_events(30)
    LogHead.objects.update(oldest_seq=14)
    assert extent.first_of_newest(17, log.head()) == 14
    assert extent.first_of_newest(100, log.head()) == 14


@pytest.mark.parametrize(("start", "end"), [(0, 10**9 + 3), (1, 25), (11, 20), (26, 57), (20, 60), (7, 7), (9, 8)])
def test_rows_between_two_seqs_are_counted(start: int, end: int) -> None:
    seqs = make_log_with_holes()
    assert extent.count_rows(start, end) == sum(start <= seq <= end for seq in seqs)
    odd = Event.objects.filter(seq__in=seqs[::2])
    only = models.Q(seq__in=odd.values("seq"))
    assert extent.count_rows(start, end, only=only) == sum(start <= seq <= end for seq in seqs[::2])


def test_a_complete_block_is_counted_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    append_events(95)
    head = log.head()
    assert extent.first_of_newest(70, head) == 26
    # The last block is not complete, and that with the oldest row is counted as far as the log goes.
    with django_assert_num_queries(7 + 1):
        assert extent.first_of_newest(70, head) == 26


def test_blocks_of_another_epoch_are_counted_anew() -> None:
    append_events(95)
    assert extent.first_of_newest(70, log.head()) == 26
    Event.objects.filter(seq=42).delete()
    log.begin_new_epoch()
    assert extent.first_of_newest(70, log.head()) == 25
