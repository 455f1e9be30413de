"""The tables of the log: Event, UsedKey, LogHead (one row). Only this package reads and writes them."""

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.filters import SEVERITIES


class SeqField(models.BigIntegerField):  # type: ignore[type-arg]  # not subscriptable at run time
    """A primary key that we number ourselves; on SQLite it is the row id, which saves a second index."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "integer" if connection.vendor == "sqlite" else "bigint"


class Event(models.Model):
    """One event of the log. Written by events.log only."""

    seq = SeqField(primary_key=True)
    event_id = models.CharField(max_length=64)
    event_type = models.CharField(max_length=64)
    summary = models.CharField(max_length=500)
    module = models.CharField(max_length=64)
    severity = models.CharField(max_length=8, choices=[(name, name) for name in SEVERITIES])
    correlation_id = models.CharField(max_length=64)
    # JSON text and not a JSONField: readers get it as the publisher sent it, and it is never searched.
    payload = models.TextField(default="{}")
    created_at = models.DateTimeField(db_index=True)
    occurred_at = models.DateTimeField(null=True)
    # Who published it (the token's public id), and by what a retry is recognised.
    publisher = models.CharField(max_length=32)
    idempotency_key = models.CharField(max_length=128, null=True)  # noqa: DJ001 - NULL leaves the unique index
    # Digest of what was sent, for events whose publisher gave a key or an id of its own; else empty.
    fingerprint = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering = ("seq",)
        # Not by db_index, which makes a second one for LIKE on PostgreSQL.
        indexes = (models.Index(fields=["correlation_id"], name="event_correlation"),)
        # On PostgreSQL each partition has unique indexes like these, and the table as a whole has none
        # (events.log.partitions): a migration that changes them must change those of all partitions by SQL of its own.
        constraints = (
            models.UniqueConstraint(fields=("event_id", "publisher"), name="event_id_once_per_publisher"),
            models.UniqueConstraint(
                fields=("idempotency_key", "publisher"),
                condition=models.Q(idempotency_key__isnull=False),
                name="idempotency_key_once_per_publisher",
            ),
        )

    def __str__(self) -> str:
        return f"{self.seq} {self.event_type} {self.module}"


class UsedKey(models.Model):
    """An Idempotency-Key that came with an event which was there already: a later use of it must be for that event.

    The key with which an event was first sent stands in the event's own row.
    """

    publisher = models.CharField(max_length=32)
    key = models.CharField(max_length=128)
    seq = models.BigIntegerField()
    event_id = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("key", "publisher"), name="used_key_once_per_publisher"),)
        indexes = (models.Index(fields=["at"], name="used_key_at"),)

    def __str__(self) -> str:
        return f"{self.publisher} {self.seq}"


class LogHead(models.Model):
    """The one row that numbers events: the transaction that holds its lock may append."""

    epoch = models.CharField(max_length=16)
    last_seq = models.BigIntegerField(default=0)
    oldest_seq = models.BigIntegerField(default=1)
    # Of the database that took the last append, as in events.log.incarnation; and whether its commits waited for a
    # standby.
    incarnation = models.CharField(max_length=64, blank=True, default="", db_default="")
    synchronous = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return f"{self.epoch}-{self.last_seq}"
