"""Rows are written by the names of their columns: each value stands where its name says, on every database."""

import collections
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from events.log import rows
from events.log.records import READ_FIELDS, Record
from events.models import Event, LogHead, UsedKey
from tests.events.samples import PUBLISHER, append, new_event, submission

pytestmark = pytest.mark.usefixtures("ledger")

MOMENT = datetime(2026, 1, 4, 1, 34, 28, 123456, UTC)
EARLIER = datetime(2026, 1, 3, tzinfo=UTC)
RECORD = Record(
    seq=3,
    event_id="an id",
    event_type="a type",
    summary="a summary",
    module="a module",
    severity="warn",
    correlation_id="a correlation",
    payload='{"a":"payload"}',
    created_at=MOMENT,
    occurred_at=EARLIER,
    publisher="a publisher",
    idempotency_key="a key",
    fingerprint="a fingerprint",
)

# Which types the fields have does not matter here.
namedtuple_of: Any = collections.namedtuple
# A record of a release in which readers see one field more, appended as one would.
LONGER = namedtuple_of("LONGER", (*Record._fields, "source"))


def test_every_column_of_the_table_is_a_field_of_the_record() -> None:
    assert {field.name for field in Event._meta.concrete_fields} == set(Record._fields)


def test_what_is_written_is_read_by_the_same_names() -> None:
    later = RECORD._replace(seq=4, event_id="another", occurred_at=None, idempotency_key=None)
    rows.insert([RECORD, later])
    assert list(Event.objects.values(*Record._fields)) == [RECORD._asdict(), later._asdict()]


def test_readers_see_what_they_saw_and_nothing_by_which_a_retry_is_recognised() -> None:
    assert Record._fields[:10] == READ_FIELDS
    assert not {"publisher", "idempotency_key", "fingerprint"} & set(READ_FIELDS)


def test_a_field_that_a_record_gains_does_not_move_the_others() -> None:
    longer: Any = LONGER(*RECORD, "a source")
    (values,) = rows._adapted([longer])
    adapted = dict(zip(longer._fields, values, strict=True))
    adapt = connection.ops.adapt_datetimefield_value
    assert adapted == {**longer._asdict(), "created_at": adapt(MOMENT), "occurred_at": adapt(EARLIER)}


def test_a_seq_is_the_row_id_where_the_database_has_one() -> None:
    types = {"sqlite": "integer", "postgresql": "bigint"}
    assert Event._meta.get_field("seq").db_type(connection) == types[connection.vendor]


def test_rows_show_where_they_stand_and_whose_they_are() -> None:
    rows.insert([RECORD])
    event, head = Event.objects.get(), LogHead(epoch="k7f3", last_seq=3)
    assert (str(event), str(head)) == ("3 a type a module", "k7f3-3")
    assert str(UsedKey(publisher="a publisher", seq=3)) == "a publisher 3"


@pytest.mark.parametrize("limit", [2, 1000])
def test_rows_are_found_by_many_values_at_once(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    if connection.vendor == "sqlite":
        monkeypatch.setattr(connection.features, "max_query_params", limit)
    append(*(submission(new_event(f"id{number}", fingerprint="same"), key=f"key{number}") for number in range(5)))
    wanted = [f"id{number}" for number in range(1, 9)]
    assert sorted(rows.find_by("event_id", wanted)) == [
        (PUBLISHER, f"id{number}", f"key{number}", number + 1, "same") for number in range(1, 5)
    ]
    assert [found[1] for found in rows.find_by("idempotency_key", ["key2", "id3"])] == ["id2"]
    assert rows.find_by("event_id", []) == []
