"""Claims of notices: one process sends, and what a slow one notes after its claim has ended changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ledger import clock
from tests.watches.samples import create, evaluate, happen, owner, target
from watches import notices, outbox
from watches.delivery import queue
from watches.delivery.queue import Parcel
from watches.models import Notice, Target

pytestmark = pytest.mark.usefixtures("ledger")


def claimed() -> Parcel:
    (parcel,) = queue.claim(4)
    return parcel


def let_claim_end() -> None:
    Notice.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))


def state() -> tuple[Any, Any]:
    return Notice.objects.values().get(), Target.objects.values().get()


OUTCOMES = [pytest.param(queue.sent, id="sent"), pytest.param(lambda parcel: queue.failed(parcel, "x"), id="failed")]


@pytest.mark.parametrize("note", OUTCOMES)
@pytest.mark.parametrize("note_of_successor", OUTCOMES)
def test_what_comes_of_an_attempt_whose_claim_was_over_does_not_undo_what_its_successor_noted(
    note: Callable[[Parcel], None], note_of_successor: Callable[[Parcel], None]
) -> None:
    outbox.add_test(target(), now=timezone.now() - timedelta(seconds=1))
    slow = claimed()
    let_claim_end()
    successor = claimed()
    before = state()
    note(slow)
    assert state() == before
    note_of_successor(successor)
    before = state()
    note(slow)
    assert state() == before


def test_a_claim_that_was_over_and_was_taken_by_none_still_counts() -> None:
    outbox.add_test(target(), now=timezone.now() - timedelta(seconds=1))
    slow = claimed()
    queue.sent(slow)
    assert Notice.objects.get().state == "sent"


def test_a_failure_at_an_address_that_was_changed_meanwhile_is_none_of_the_new_one() -> None:
    outbox.add_test(target(), now=timezone.now() - timedelta(seconds=1))
    slow = claimed()
    Target.objects.update(address="another")
    queue.failed(slow, "x")
    assert (Notice.objects.get().attempts, Target.objects.get().failures) == (1, 0)


@pytest.mark.parametrize("meanwhile", ["sends another notice", "has failed", "changes the address"])
def test_a_target_is_read_when_its_notice_is_claimed(meanwhile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have begun to send something to it, or have failed, since this one looked."""
    there = target()
    for _ in range(2):
        outbox.add_test(there, now=timezone.now() - timedelta(seconds=1))
    real, done = queue._take, list[str]()

    def take(*args: Any) -> Parcel | None:
        if not done:
            done.append(meanwhile)
            if meanwhile == "sends another notice":
                other = Notice.objects.exclude(pk=args[0]).get()
                Notice.objects.filter(pk=other.pk).update(claimed_until=timezone.now() + timedelta(minutes=1))
            elif meanwhile == "has failed":
                Target.objects.update(next_try_at=timezone.now() + timedelta(minutes=1))
            else:
                Target.objects.update(address="another")
        return real(*args)

    monkeypatch.setattr(queue, "_take", take)
    parcels = queue.claim(4)
    assert [parcel.address for parcel in parcels] == (["another"] if meanwhile == "changes the address" else [])


def test_what_was_merged_before_the_claim_is_sent_and_after_it_there_is_another_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target("there")
    create(owner(), notify=["there"], group_by="correlation_id")
    happen("one", correlation_id="c1")
    reader = evaluate()
    real = clock.ask

    def merge() -> Any:
        if Notice.objects.get().content["fired"] == 1:
            Notice.objects.update(content=notices.merged(*[Notice.objects.get().content] * 2))
        return real()

    monkeypatch.setattr(clock, "ask", merge)
    assert claimed().content["fired"] == 2
    monkeypatch.undo()
    happen("two", correlation_id="c2")
    evaluate(reader)
    assert sorted(notice.content["fired"] for notice in Notice.objects.all()) == [1, 2]
