"""Tables of the log, which stand in events.log.tables, and of its readers: StreamSession, Node."""

import uuid

from django.db import models
from django.utils import timezone

from events.log.tables import Event, LogHead, SeqField, UsedKey

__all__ = ("Event", "LogHead", "Node", "SeqField", "StreamSession", "UsedKey")


class Node(models.Model):
    """One serving process. It touches its row; one that no longer does is dead, and its streams with it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    # As of then.
    streams = models.PositiveIntegerField(default=0)
    slow_readers = models.PositiveIntegerField(default=0)
    held_bytes = models.BigIntegerField(default=0)
    draining = models.BooleanField(default=False)

    class Meta:
        ordering = ("-seen_at",)

    def __str__(self) -> str:
        return self.name


class StreamSession(models.Model):
    """One event stream, from its opening to its end: who read, by which ticket, how much, and why it ended."""

    id = models.UUIDField(primary_key=True, editable=False)
    node = models.UUIDField()
    principal_id = models.CharField(max_length=32)
    principal_name = models.CharField(max_length=150, blank=True)
    # Empty when the stream was opened with a principal token in a header.
    ticket_id = models.CharField(max_length=32, blank=True)
    address = models.CharField(max_length=45, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    selection = models.JSONField(default=dict, blank=True)
    cursor = models.CharField(max_length=40)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=32, blank=True)
    events_sent = models.BigIntegerField(default=0)
    bytes_sent = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("-opened_at",)
        permissions = (("disconnect_stream", "Can end open streams"),)
        indexes = (
            models.Index(fields=["opened_at"], name="stream_opened"),
            models.Index(fields=["closed_at"], name="stream_closed"),
            models.Index(fields=["principal_id", "opened_at"], name="stream_principal"),
            models.Index(fields=["ticket_id"], name="stream_ticket"),
        )

    def __str__(self) -> str:
        return f"{self.id} {self.principal_id}"
