"""The dashboard's figures: true, counted from few rows, and the same for everybody who looks."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Event, LogHead, Node, StreamSession
from gateway.models import TokenAudit
from operator_api import dashboard, minute_counts
from operator_api.minute_counts import MinuteCounts
from tests.gateway.admin.people import browser_of, staff
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("ledger")

NOW = datetime(2026, 11, 22, 14, 30, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test with a process that has not looked yet."""
    monkeypatch.setattr(dashboard, "_dashboard", dashboard.Dashboard())


def audit(action: str, *, minutes_ago: float, now: datetime = NOW, **fields: Any) -> None:
    TokenAudit(action=action, at=now - timedelta(minutes=minutes_ago), **fields).save()


def stream(**fields: Any) -> StreamSession:
    values = {"principal_id": "p-1", "cursor": "k-1", "opened_at": NOW, "node": uuid.uuid4(), **fields}
    return StreamSession.objects.create(id=uuid.uuid4(), **values)


def events(count: int, *, minutes_ago: float) -> None:
    head, _ = LogHead.objects.get_or_create(pk=1, defaults={"epoch": "k7f3"})
    at = NOW - timedelta(minutes=minutes_ago)
    for seq in range(head.last_seq + 1, head.last_seq + count + 1):
        Event.objects.create(
            seq=seq, event_id=f"e-{seq}", event_type="t", module="m", severity="info", created_at=at, publisher="s-1"
        )
    LogHead.objects.filter(pk=1).update(last_seq=head.last_seq + count)


def live_node(**fields: Any) -> Node:
    node = Node.objects.create(name="host:1", **fields)
    Node.objects.filter(pk=node.pk).update(seen_at=Now())
    return node


def test_each_minute_has_its_tickets_refusals_streams_and_events() -> None:
    audit("ticket_issued", minutes_ago=1)
    audit("ticket_issued", minutes_ago=1)
    audit("ticket_redeemed", minutes_ago=1)
    audit("refused", minutes_ago=1, reason="invalid_token: used before", count=7)
    audit("refused", minutes_ago=1, reason="invalid_token: unknown")
    audit("signed_in", minutes_ago=1)
    stream(opened_at=NOW - timedelta(minutes=2), closed_at=NOW - timedelta(minutes=1))
    events(3, minutes_ago=5)
    events(2, minutes_ago=1)
    events(4, minutes_ago=0)
    found = dict(MinuteCounts().read(NOW))
    at = NOW.replace(second=0)
    one = found[at - timedelta(minutes=1)]
    assert one is not None
    assert one.counts == {"issued": 2, "redeemed": 1, "refused:invalid_token": 8, "opened": 0, "closed": 1, "events": 2}
    two, now = found[at - timedelta(minutes=2)], found[at]
    assert two is not None
    assert (two.counts["opened"], two.counts["events"]) == (1, 0)
    assert now is not None
    assert now.counts["events"] == 4


def test_a_minute_that_is_long_over_is_counted_once() -> None:
    audit("ticket_issued", minutes_ago=10)
    # A clock that stands still: nothing is left for the next look.
    history = MinuteCounts(clock=lambda: 0.0)
    first = history.read(NOW)
    assert first[-11][1] is not None
    assert first[-11][1].counts["issued"] == 1
    with CaptureQueriesContext(connection) as asked:
        assert history.read(NOW) == first
    assert len(asked) <= minute_counts.SETTLED_AFTER_MINUTES * 6


def test_a_refusal_that_is_written_late_is_still_counted() -> None:
    history = MinuteCounts()
    history.read(NOW)
    audit("refused", minutes_ago=2, reason="invalid_token", count=40)
    late = history.read(NOW)[-3][1]
    assert late is not None
    assert late.counts["refused:invalid_token"] == 40


def test_old_minutes_are_counted_bit_by_bit_and_none_is_called_empty_meanwhile() -> None:
    ticks = iter(number * minute_counts.BUDGET_SECONDS / 4 for number in range(1000))
    history = MinuteCounts(clock=lambda: next(ticks))
    known = [sum(minute is not None for _, minute in history.read(NOW)) for _ in range(30)]
    assert known[0] < known[1] < minute_counts.MINUTES
    assert known[-1] == minute_counts.MINUTES


def test_a_minute_with_more_rows_than_are_counted_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minute_counts, "MINUTE_LIMIT_ROWS", 3)
    for _ in range(5):
        audit("ticket_issued", minutes_ago=1)
    counted = minute_counts.count(NOW.replace(second=0) - timedelta(minutes=1))
    assert (counted.counts["issued"], counted.is_lower_bound) == (3, True)


def counted(now: datetime) -> dict[str, Any]:
    """The dashboard when all minutes are counted: each look goes on for as long as it may, where the last one ended."""
    known = MinuteCounts()

    def read() -> dict[str, Any] | None:
        found = dashboard.read(known, now)
        return found if found["counted"] else None

    return wait_until(read, "all minutes are counted")


def test_the_figures_are_those_of_now() -> None:
    node = live_node(streams=3, slow_readers=2, held_bytes=4096)
    for principal in ("p-1", "p-1", "p-2"):
        stream(node=node.pk, principal_id=principal)
    stream(node=node.pk, closed_at=NOW)
    stream(principal_id="p-3")
    now = timezone.now()
    audit("ticket_issued", minutes_ago=0.5, now=now)
    audit("ticket_issued", minutes_ago=1.5, now=now)
    audit("refused", minutes_ago=3, now=now, reason="x", count=5)
    audit("refused", minutes_ago=20, now=now, reason="x")
    LogHead.objects.update_or_create(pk=1, defaults={"epoch": "k7f3", "last_seq": 41})
    figures = counted(now)["figures"]
    assert figures == {
        "streams": 3,
        "principals": 2,
        "tickets_per_minute": 1,
        "refusals": 5,
        "slow_readers": 2,
        "log_head": "k7f3-41",
        "events_per_minute": 0,
    }


def test_a_process_that_is_silent_or_about_to_stop_is_shown_as_such() -> None:
    live_node(draining=True)
    silent = live_node(slow_readers=9)
    Node.objects.filter(pk=silent.pk).update(seen_at=timezone.now() - timedelta(minutes=1), name="host:2")
    found = dashboard.read(MinuteCounts(), timezone.now())
    assert [(node["name"], node["state"]) for node in found["nodes"]] == [("host:1", "draining"), ("host:2", "silent")]
    assert found["figures"]["slow_readers"] == 0


def test_whoever_looks_within_seconds_gets_the_same_without_a_query() -> None:
    first, second = browser_of(staff("auditor")), browser_of(staff("administrator"))
    answer = first.get("/admin/figures")
    assert answer.headers["Content-Type"] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    with CaptureQueriesContext(connection) as asked:
        assert second.get("/admin/figures").json() == answer.json()
    assert [query["sql"] for query in asked if "gateway_tokenaudit" in query["sql"]] == []


def without_audit(execute: Any, sql: str, *rest: Any) -> Any:
    """A database that answers until the audit is asked for."""
    if "gateway_tokenaudit" in sql:
        raise OperationalError("canceling statement due to statement timeout")
    return execute(sql, *rest)


def test_figures_that_cannot_be_had_are_503_and_not_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    client = browser_of(staff("auditor"))
    client.raise_request_exception = False
    with connection.execute_wrapper(without_audit):
        assert client.get("/admin/figures").status_code == 503
    monkeypatch.setattr(dashboard, "CACHE_SECONDS", 0.0)
    assert client.get("/admin/figures").status_code == 200


def test_a_database_in_trouble_is_not_asked_again_by_each_who_looks() -> None:
    client = browser_of(staff("auditor"))
    with connection.execute_wrapper(without_audit):
        assert client.get("/admin/figures").status_code == 503
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/admin/figures").status_code == 503
    assert [query["sql"] for query in asked if "gateway_tokenaudit" in query["sql"]] == []


def test_who_cannot_wait_for_another_who_reads_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "READING_WAIT_SECONDS", 0.05)
    board, reading, enough = dashboard.Dashboard(), threading.Event(), threading.Event()

    def slow(*args: Any) -> dict[str, Any]:
        reading.set()
        assert enough.wait(timeout=10)
        return {"figures": {}}

    monkeypatch.setattr(dashboard, "read", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(board.figures)
        assert reading.wait(timeout=10)
        try:
            with pytest.raises(dashboard.Unavailable):
                board.figures()
        finally:
            enough.set()
        assert first.result() == {"figures": {}}


@pytest.mark.parametrize("minutes_off", [-2, 2])
def test_a_process_is_judged_by_the_databases_clock_and_not_by_this_machines(minutes_off: int) -> None:
    live_node()
    (node,) = dashboard.read(MinuteCounts(), timezone.now() + timedelta(minutes=minutes_off))["nodes"]
    assert node["state"] == "serving"
    assert node["seen_seconds"] < 10


@pytest.mark.parametrize(("role", "shown"), [("viewer", False), ("operator", False), ("auditor", True)])
def test_w09_the_first_page_shows_the_dashboard_to_those_who_may_see_its_figures(role: str, shown: bool) -> None:  # noqa: FBT001 - a parameter of the test
    page = browser_of(staff(role)).get("/admin/").content.decode()
    assert ('id="dashboard"' in page) == shown


def test_the_figures_are_read_and_not_written() -> None:
    assert browser_of(staff("auditor")).post("/admin/figures").status_code == 405
