"""Copying all rows to another database, table by table, in one transaction.

Rows keep their keys, and the log its epoch and seqs, so clients can use their cursors with the new database.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db import DataError, connections, models, transaction

from events import log
from gateway.models import RightsVersion

# A batch ends at the first of these limits. The largest event is 64 KiB.
BATCH_ROWS, BATCH_CHARACTERS = 1_000, 2_000_000
# Rows that are read at a time.
READ_ROWS = 100
SOURCE, TARGET = "copied_from", "default"
# Tables that are not empty after the migrations of a new database: their rows are replaced.
MADE_BY_MIGRATIONS = frozenset(
    {
        "auth.Permission",
        "auth.Group",
        "auth.Group_permissions",
        "contenttypes.ContentType",
        "events.LogHead",
        "gateway.Chore",
        "gateway.RightsVersion",
        "operator_api.Module",
        "watches.WatchReader",
    }
)

# Called after each batch with the table and the number of rows.
AfterBatch = Callable[[str, int], None]


class NotEmpty(Exception):
    """The target is in use already: `table` has rows."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table


class Unfit(Exception):
    """PostgreSQL refuses a row that SQLite accepted: with a NUL in a text, or a text that is too long."""


class Differs(Exception):
    """The copy of a table has another number of rows; nothing was copied."""


def name_source(path: Path) -> None:
    """Make the SQLite file available as the database SOURCE, for reading."""
    connections.databases[SOURCE] = {
        **connections.databases[TARGET],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {"init_command": "PRAGMA query_only=ON", "timeout": 20},
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
    }


def tables() -> list[type[models.Model]]:
    """All tables, each after those to which its rows refer."""
    unordered = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    ordered: list[type[models.Model]] = []
    while unordered:
        ready = [model for model in unordered if not (_references(model) & set(unordered)) - {model}]
        assert ready, "tables that refer to each other in a circle"  # noqa: S101 - a bug, found by the first test
        ordered += ready
        unordered = [model for model in unordered if model not in ready]
    return ordered


def _references(model: type[models.Model]) -> set[Any]:
    return {field.related_model for field in model._meta.concrete_fields if field.is_relation}


def count() -> dict[str, int]:
    """The number of rows to copy, by table."""
    return {model._meta.label: _rows(model, SOURCE).count() for model in tables()}


def copy_all(after_batch: AfterBatch) -> dict[str, int]:
    """Copy all rows; returns their number by table. Raises NotEmpty, Unfit, Differs, and then the target is
    unchanged.
    """
    with transaction.atomic(SOURCE), transaction.atomic(TARGET):
        _refuse_used()
        for model in reversed(tables()):
            _rows(model, TARGET)._raw_delete(TARGET)
        for model in tables():
            _copy(model, after_batch)
        _reset_sequences()
        copied = {model._meta.label: _rows(model, TARGET).count() for model in tables()}
        if copied != (there := count()):
            wrong = [name for name in there if copied[name] != there[name]]
            raise Differs(f"{wrong[0]}: {copied[wrong[0]]} of {there[wrong[0]]} rows")
        RightsVersion.bump()
    return copied


def _refuse_used() -> None:
    for model in tables():
        if model._meta.label not in MADE_BY_MIGRATIONS and _rows(model, TARGET).exists():
            raise NotEmpty(model._meta.label)
    if events := [model for model in tables() if model._meta.label == "events.LogHead"]:
        head = _rows(events[0], TARGET).first()
        if head is not None and head.last_seq:
            raise NotEmpty("events.LogHead")


def _rows(model: type[models.Model], alias: str) -> "models.QuerySet[Any]":
    return model._base_manager.using(alias)


def _copy(model: type[models.Model], after_batch: AfterBatch) -> None:
    fields = model._meta.concrete_fields
    for batch in _batches(_rows(model, SOURCE).order_by("pk").iterator(chunk_size=READ_ROWS)):
        if model._meta.label == "events.Event":
            log.cover([row.pk for row in batch])
        try:
            # raw: fields with auto_now_add keep their values.
            _rows(model, TARGET)._insert(batch, fields=fields, using=TARGET, raw=True)  # type: ignore[attr-defined]
        except DataError as error:
            first, last = batch[0].pk, batch[-1].pk
            raise Unfit(f"{model._meta.label}, between the keys {first} and {last}: {error}") from None
        after_batch(model._meta.label, len(batch))


def _batches(rows: Iterable[models.Model]) -> Iterator[list[models.Model]]:
    batch: list[models.Model] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += sum(len(value) for value in vars(row).values() if isinstance(value, str))
        if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _reset_sequences() -> None:
    """Sequences continue after the keys of the copied rows."""
    connection = connections[TARGET]
    statements = connection.ops.sequence_reset_sql(no_style(), tables())
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
