"""manage.py new_epoch and prune_events."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from events import log
from events.models import Event
from tests.events.samples import append_events

pytestmark = pytest.mark.usefixtures("ledger")


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_a_new_epoch_is_shown_beside_the_old_one() -> None:
    append_events(3)
    before = log.head()
    shown = run("new_epoch")
    after = log.head()
    assert before.epoch != after.epoch
    assert (after.last_seq, after.oldest_seq) == (3, 1)
    assert before.epoch in shown
    assert str(after.newest) in shown


def test_pruning_says_what_it_deleted_and_what_is_left() -> None:
    append_events(5)
    shown = run("prune_events", "--keep-rows", "2")
    assert "Deleted 3 events" in shown
    assert list(Event.objects.values_list("seq", flat=True)) == [4, 5]


def test_pruning_by_the_settings_keeps_what_is_young() -> None:
    append_events(5)
    assert "Deleted 0 events" in run("prune_events")


@pytest.mark.parametrize(
    "words", [["--keep-rows", "-1"], ["--keep-days", "-1"], ["--keep-days", "0"], ["--keep-rows", "x"]]
)
def test_a_typing_error_does_not_empty_the_log(words: list[str]) -> None:
    append_events(5)
    head = log.head()
    with pytest.raises(CommandError):
        run("prune_events", *words)
    assert log.head() == head
    assert Event.objects.count() == 5
