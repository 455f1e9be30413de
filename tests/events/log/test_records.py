"""Events as readers get them."""

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from events.log.records import Entry, Record, encode, timestamp
from gateway.filters import Selection

ENTRY = Entry(1, "warn", "madre", "drift", "c-1", b"{}")


def one(value: str) -> frozenset[str]:
    return frozenset({value})


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(severities=one("warn")),
        Selection(modules=one("madre")),
        Selection(event_types=one("drift")),
        Selection(correlation_ids=one("c-1")),
        Selection(one("warn"), one("madre"), one("drift"), one("c-1")),
    ],
)
def test_an_entry_passes_what_names_it(selection: Selection) -> None:
    assert ENTRY.passes(selection)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(severities=one("info")),
        Selection(modules=one("switch")),
        Selection(event_types=one("other")),
        Selection(correlation_ids=one("c-2")),
        Selection(modules=frozenset()),
        Selection(one("warn"), one("madre"), one("drift"), one("c-2")),
    ],
)
def test_one_field_that_does_not_fit_is_enough_to_be_left_out(selection: Selection) -> None:
    assert not ENTRY.passes(selection)


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    moment = datetime(2026, 1, 4, 3, 34, 28, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-01-04T01:34:28.000000Z"


def test_a_payload_is_handed_on_as_it_came() -> None:
    entry = encode(
        Record(
            seq=3,
            event_id="e-1",
            event_type="drift",
            summary="x",
            module="madre",
            severity="info",
            correlation_id="c-1",
            payload='{"big":18446744073709551615,"small":1e-7}',
            created_at=datetime(2026, 1, 4, tzinfo=UTC),
            occurred_at=datetime(2026, 1, 3, tzinfo=UTC),
        )
    )
    assert b'"payload":{"big":18446744073709551615,"small":1e-7}' in entry.body
    assert orjson.loads(entry.body)["occurred_at"] == "2026-01-03T00:00:00.000000Z"
    assert entry[:5] == (3, "info", "madre", "drift", "c-1")
