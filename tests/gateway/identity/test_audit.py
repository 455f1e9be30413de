"""The audit: everything is on record, and a flood is not a flood of rows."""

import asyncio
import logging
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from gateway.identity import audit
from gateway.identity.audit import Refusals
from gateway.models import TokenAudit
from ledger.faults import LedgerUnavailable
from ledger.writer import writer
from tests.database_faults import database_away
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")


@sync_to_async
def rows() -> list[tuple[str, str, int]]:
    """Address, reason and count of every row, in the order they were made."""
    writer.close()
    return list(TokenAudit.objects.order_by("at").values_list("address", "reason", "count"))


@pytest.fixture
def refusals() -> Refusals:
    return Refusals()


async def test_the_first_refusal_is_written_at_once_and_repeats_as_one_row_with_their_count(
    refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "GATHER_SECONDS", 0.5)
    for _ in range(1000):
        refusals.record(reason="main_auth_failed: unknown", address="192.0.2.1")
    assert await rows() == [("192.0.2.1", "main_auth_failed: unknown", 1)]
    await until(lambda: not refusals._repeats)
    assert [count for _, _, count in await rows()] == [1, 999]


async def test_one_refusal_alone_is_one_row(refusals: Refusals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "GATHER_SECONDS", 0.02)
    refusals.record(reason="x", address="192.0.2.1")
    await until(lambda: not refusals._repeats)
    assert [count for _, _, count in await rows()] == [1]


async def test_other_addresses_reasons_and_principals_are_counted_apart(refusals: Refusals) -> None:
    refusals.record(reason="x", address="192.0.2.1")
    refusals.record(reason="x", address="192.0.2.2")
    refusals.record(reason="y", address="192.0.2.1")
    refusals.record(reason="x", address="192.0.2.1", principal_id="p-1")
    assert len(await rows()) == 4


async def test_after_its_minute_a_refusal_is_a_first_one_again(
    refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "GATHER_SECONDS", 0.02)
    refusals.record(reason="x", address="192.0.2.1")
    await until(lambda: not refusals._repeats)
    refusals.record(reason="x", address="192.0.2.1")
    assert [count for _, _, count in await rows()] == [1, 1]


async def test_what_is_gathered_is_bounded_and_no_count_is_lost(
    refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "GATHERED_LIMIT", 3)
    for number in range(10):
        for _ in range(2):
            refusals.record(reason="x", address=f"192.0.2.{number}")
    assert len(refusals._repeats) == 3
    assert sum(count for _, _, count in await rows()) == 17


async def test_the_end_of_one_that_had_to_make_room_does_not_cut_its_successor_short(
    refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "GATHERED_LIMIT", 1)
    monkeypatch.setattr(audit, "GATHER_SECONDS", 0.02)
    refusals.record(reason="x", address="192.0.2.1")
    refusals.record(reason="x", address="192.0.2.2")
    monkeypatch.setattr(audit, "GATHER_SECONDS", 60.0)
    refusals.record(reason="x", address="192.0.2.1")
    # Set later and for later than the end of the first one: when this has come, that one has come too.
    both_are_over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.03, both_are_over.set)
    await both_are_over.wait()
    assert [address for address, *_ in refusals._repeats] == ["192.0.2.1"]


async def test_a_flood_from_many_addresses_waits_for_one_timer(
    refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    set_timer, timers = loop.call_at, list[float]()

    def note(when: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return set_timer(when, *args, **kwargs)

    monkeypatch.setattr(loop, "call_at", note)
    for number in range(1000):
        refusals.record(reason="x", address=f"2001:db8::{number:x}")
    assert len(timers) == 1


async def test_each_is_closed_when_its_own_minute_is_over(refusals: Refusals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "GATHER_SECONDS", 0.02)
    for address in ("192.0.2.1", "192.0.2.2"):
        refusals.record(reason="x", address=address)
        refusals.record(reason="x", address=address)
        await asyncio.sleep(0)
    refusals.record(reason="y", address="192.0.2.1")
    await until(lambda: not refusals._repeats)
    assert sum(count for _, _, count in await rows()) == 5


async def test_a_row_that_must_be_there_is_committed_when_record_returns(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await audit.record(TokenAudit(action=TokenAudit.Action.TICKET_ISSUED, ticket_id="t-1", principal_id="p-1"))
    assert await sync_to_async(TokenAudit.objects.filter(ticket_id="t-1").count)() == 1
    assert "ticket_issued ticket=t-1 principal=p-1" in caplog.text


async def test_a_row_that_cannot_be_written_is_said() -> None:
    with database_away(), pytest.raises(LedgerUnavailable):
        await audit.record(TokenAudit(action=TokenAudit.Action.TICKET_ISSUED, ticket_id="t-1"))


def test_a_row_that_is_written_twice_after_a_lost_answer_is_one_row() -> None:
    row = TokenAudit(action=TokenAudit.Action.TICKET_ISSUED, ticket_id="t-1")
    audit.insert_many([row])
    audit.insert_many([row])
    assert TokenAudit.objects.count() == 1


async def test_a_flood_from_one_customers_ipv6_addresses_is_one_row_and_a_count(refusals: Refusals) -> None:
    for number in range(500):
        refusals.record(reason="x", address=f"2001:db8:1:2::{number:x}")
    refusals.close_all()
    assert [(address, count) for address, _, count in await rows()] == [
        ("2001:db8:1:2::0", 1),
        ("2001:db8:1:2::0", 499),
    ]


async def test_at_the_end_of_the_process_what_was_counted_is_written(refusals: Refusals) -> None:
    for _ in range(500):
        refusals.record(reason="x", address="192.0.2.1")
    refusals.close_all()
    assert sum(count for _, _, count in await rows()) == 500


async def test_every_row_is_one_line_of_the_log_however_it_is_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="vx11.audit")
    fields = {"ticket_id": "t-1", "principal_id": "p-1", "actor": "alice", "stream_id": "s-1", "address": "192.0.2.1"}
    row = TokenAudit(action=TokenAudit.Action.REFUSED, reason="a\nb", correlation_id="c-1", **fields)
    audit.record_behind(row)
    audit.log(TokenAudit(action=TokenAudit.Action.REFUSED))
    await sync_to_async(writer.close)()
    assert [record.getMessage() for record in caplog.records] == [
        "refused ticket=t-1 principal=p-1 actor=alice stream=s-1 reason=a\\nb address=192.0.2.1 correlation_id=c-1",
        "refused ticket=- principal=- actor=- stream=- reason=- address=- correlation_id=-",
    ]
    assert await TokenAudit.objects.acount() == 1


async def test_a_refusal_has_all_that_is_known_of_it(refusals: Refusals) -> None:
    fields = {"address": "192.0.2.1", "principal_id": "p-1", "ticket_id": "t-1", "correlation_id": "c-1"}
    for _ in range(3):
        refusals.record(reason="x", **fields)
    refusals.close_all()
    await sync_to_async(writer.close)()
    rows = [row async for row in TokenAudit.objects.order_by("count").values("action", "reason", "count", *fields)]
    assert rows == [{"action": "refused", "reason": "x", "count": count, **fields} for count in (1, 2)]


async def test_after_all_counts_are_written_no_timer_runs_until_the_next_refusal(
    refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "GATHER_SECONDS", 0.01)
    monkeypatch.setattr(audit, "CLOSE_EVERY_SECONDS", 0.01)
    for _ in range(2):
        refusals.record(reason="x", address="192.0.2.1")
        assert refusals._timer is not None
        await until(lambda: refusals._timer is None)
        assert not refusals._repeats
