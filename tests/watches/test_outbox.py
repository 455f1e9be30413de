"""Notices: one for each target, one for all that comes before it is tried, none while a watch is muted."""

from datetime import UTC, datetime, timedelta

import pytest

from ledger import clock
from tests.watches.database_time import DatabaseTime
from tests.watches.samples import create, evaluate, happen, mute, owner, revise, target, written
from watches import notices, outbox, quiet_hours
from watches.evaluation import log_reader
from watches.models import Firing, Notice, Watch
from watches.quiet_hours import BadQuietHours

pytestmark = pytest.mark.usefixtures("ledger")

NIGHT = {"from": "22:00", "to": "07:00", "zone": "Europe/Madrid"}


def test_a_firing_is_one_notice_for_each_target() -> None:
    target("mail")
    target("chat")
    create(owner(), notify=["mail", "chat"])
    happen("one")
    evaluate()
    assert sorted(notice.target.name for notice in Notice.objects.all()) == ["chat", "mail"]


def test_what_fires_before_a_notice_is_tried_is_in_it_with_its_count(monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    target("mail")
    create(owner(), notify=["mail"], group_by="module")
    for number in range(6):
        happen(f"e{number}", module=f"m{number % 2}")
        time.pass_seconds(20)
    evaluate()
    notice = Notice.objects.get()
    assert (notice.content["fired"], notice.content["events"], sorted(notice.content["groups"])) == (6, 6, ["m0", "m1"])
    assert notices.title(notice.content) == "a watch: fired 6 times"


def test_a_notice_that_was_tried_may_have_arrived_and_is_not_changed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    target("mail")
    create(owner(), notify=["mail"])
    happen("one")
    evaluate()
    Notice.objects.update(attempts=1)
    time.pass_seconds(20)
    happen("two")
    evaluate()
    assert sorted(notice.content["fired"] for notice in Notice.objects.all()) == [1, 1]


def test_one_that_is_being_sent_is_not_changed_either(monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    target("mail")
    create(owner(), notify=["mail"])
    happen("one")
    evaluate()
    Notice.objects.update(claimed_until=time.now + timedelta(seconds=60))
    time.pass_seconds(20)
    happen("two")
    evaluate()
    assert Notice.objects.count() == 2


def test_one_that_was_tried_since_it_was_read_is_not_changed() -> None:
    target("mail")
    watch = create(owner(), notify=["mail"])
    happen("one")
    evaluate()
    untried = outbox.Untried({watch.pk})
    Notice.objects.update(attempts=1)
    content = Notice.objects.get().content
    outbox.add_many([(watch, content)], untried, now=clock.now())
    assert sorted(notice.content["fired"] for notice in Notice.objects.all()) == [1, 1]


def test_a_muted_watch_fires_and_no_notice_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    by = owner()
    target("mail")
    watch = create(by, notify=["mail"])
    mute(watch, by, time.now + timedelta(seconds=60))
    happen("one")
    evaluate()
    assert (len(written()), Notice.objects.count(), Firing.objects.get().muted) == (1, 0, True)
    time.pass_seconds(61)
    happen("two")
    evaluate()
    assert Notice.objects.get().content["fired"] == 1


def test_in_quiet_hours_notices_wait_for_their_end_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    target("mail")
    create(owner(), notify=["mail"], quiet=NIGHT)
    time.set("2026-03-01T23:00:00")
    for number in range(3):
        happen(f"e{number}")
        time.pass_seconds(600)
    evaluate()
    notice = Notice.objects.get()
    assert (notice.content["fired"], notice.due_at) == (3, datetime(2026, 3, 2, 6, tzinfo=UTC))


def test_a_reader_that_is_behind_holds_notices_back_so_that_many_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    time = DatabaseTime(monkeypatch)
    monkeypatch.setattr(log_reader, "PAGE_ROWS", 3)
    target("mail")
    create(owner(), notify=["mail"])
    for number in range(10):
        happen(f"e{number}")
        time.pass_seconds(20)
    evaluate()
    notice = Notice.objects.get()
    assert notice.content["fired"] == len(written()) == 10
    assert notice.due_at > time.now


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-01-10T20:59", None),
        ("2026-01-10T21:00", "2026-01-11T06:00"),
        ("2026-01-11T05:59", "2026-01-11T06:00"),
        ("2026-01-11T06:00", None),
        # The clock is put forward in the night from the 28th to the 29th of March, and back on the 25th of October.
        ("2026-03-28T22:00", "2026-03-29T05:00"),
        ("2026-10-24T22:00", "2026-10-25T06:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(moment: str, end: str | None) -> None:
    found = quiet_hours.end_after(NIGHT, datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert found == (end and datetime.fromisoformat(end).replace(tzinfo=UTC))


def test_hours_of_one_day_are_quiet_too() -> None:
    noon = quiet_hours.check({"from": "12:00", "to": "13:30"})
    assert noon["zone"] == "UTC"
    assert quiet_hours.end_after(noon, datetime(2026, 1, 1, 12, 30, tzinfo=UTC)) == datetime(
        2026, 1, 1, 13, 30, tzinfo=UTC
    )
    assert quiet_hours.end_after(noon, datetime(2026, 1, 1, 14, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"from": "22:00"},
        {**NIGHT, "zone": "Mars/Olympus"},
        {**NIGHT, "to": "22:00"},
        {**NIGHT, "to": 7},
        {**NIGHT, "x": 1},
    ],
)
def test_quiet_hours_that_cannot_be_read_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadQuietHours):
        quiet_hours.check(wrong)


def test_a_change_of_the_targets_alone_does_not_begin_the_watch_anew() -> None:
    by = owner()
    target("mail")
    watch = create(by, condition={"kind": "count", "at_least": 2, "within_sec": 60})
    happen("one")
    evaluate()
    revise(watch, by, notify=["mail"], name="another")
    happen("two")
    evaluate()
    assert len(written("watch.fired")) == 1
    assert Notice.objects.get().content["watch"]["name"] == "another"
    assert Watch.objects.get().revision == 1
