"""Tables of watches: what people want to know, how far it was evaluated, what fired, and what is to be sent.

State, firings and notices are written with the event that reports them, in one transaction (`evaluation.recording`).
"""

import uuid

from django.db import models
from django.utils import timezone

from watches.conditions.rules import COOLDOWN_SECONDS_DEFAULT, Condition, Rule

NAME_LENGTH = 100
PRINCIPAL_ID_LENGTH = 32
FIELD_LENGTH = 200
# A letter for the kind of row, and a value; values are cut before.
KEY_LENGTH = 201
REASON_LENGTH = 200


class Target(models.Model):
    """Where notices go. Its address is a secret: it is stored encrypted, and shown masked."""

    name = models.CharField(max_length=NAME_LENGTH, unique=True)
    # As watches.delivery.secrets has encrypted it.
    address = models.TextField(editable=False)
    masked = models.CharField(max_length=200, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # While it fails: since when, and when it is tried next. All its notices wait until then.
    failing_since = models.DateTimeField(null=True, editable=False)
    next_try_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Watch(models.Model):
    """A query, a condition, and who is notified. `revision` grows with each change of what it waits for."""

    name = models.CharField(max_length=NAME_LENGTH)
    # Empty: all events.
    query = models.TextField(blank=True)
    # As Condition.as_json().
    condition = models.JSONField()
    group_by = models.CharField(max_length=FIELD_LENGTH, blank=True)
    cooldown_seconds = models.PositiveIntegerField(default=COOLDOWN_SECONDS_DEFAULT)
    targets = models.ManyToManyField(Target, blank=True, related_name="watches")
    # The public id of a token or user. Events that it may not see do not count.
    owner_id = models.CharField(max_length=PRINCIPAL_ID_LENGTH)
    owner_name = models.CharField(max_length=150, blank=True)
    shared = models.BooleanField(default=False)
    muted_until = models.DateTimeField(null=True, blank=True)
    # {"from": "22:00", "to": "07:00", "zone": "Europe/Madrid"}, or null.
    quiet = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1)
    # WatchReader.definitions as of its last change by a person: the process that evaluates reads again what is newer.
    changed = models.BigIntegerField(default=0, db_default=0, editable=False)
    # Of the request that made it, which may be written twice. Null: it was made before there were such ids.
    creation_id = models.UUIDField(null=True, unique=True, editable=False)
    # Events behind this seq count, and time from `begins_at` on.
    start_seq = models.BigIntegerField()
    begins_at = models.DateTimeField()
    # A watch for new values first reads the days before, up to where all watches are. Null: it is there.
    learned_seq = models.BigIntegerField(null=True, editable=False)
    # Why it is not evaluated any more; empty while it is.
    stopped_because = models.CharField(max_length=REASON_LENGTH, blank=True)
    stopped_at = models.DateTimeField(null=True)
    # When it last had more groups than are told apart.
    groups_full_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("pk",)
        verbose_name_plural = "watches"

    def __str__(self) -> str:
        return f"{self.pk} ({self.name})"

    @property
    def rule(self) -> Rule:
        return Rule(Condition.from_json(self.condition), self.group_by, float(self.cooldown_seconds))


class StateRow(models.Model):
    """A part of the state of a watch, as `evaluation.evaluator` names it."""

    watch = models.ForeignKey(Watch, on_delete=models.CASCADE, db_index=False)
    key = models.CharField(max_length=KEY_LENGTH)
    state = models.JSONField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("watch", "key"), name="watch_state_once"),)

    def __str__(self) -> str:
        return f"{self.watch_id} {self.key}"


class WatchReader(models.Model):
    """One row: how far the log was evaluated, and by which process."""

    epoch = models.CharField(max_length=16, blank=True)
    seq = models.BigIntegerField(default=0)
    # The time that was reached, in seconds since 1970: it never goes backwards.
    time = models.FloatField(default=0.0)
    # Raised in the transaction of each change of a watch, so that none is evaluated by an older definition.
    definitions = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=150, blank=True)
    held_until = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"


class Firing(models.Model):
    """A watch that fired, for one group; with its end, if it has one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    watch = models.ForeignKey(Watch, on_delete=models.CASCADE)
    group = models.CharField(max_length=KEY_LENGTH, blank=True)
    fired_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    count = models.PositiveIntegerField()
    # Cursors of the first and the last event that belong to it; empty if it fired because none came.
    first = models.CharField(max_length=40, blank=True)
    last = models.CharField(max_length=40, blank=True)
    values = models.JSONField(default=list)
    # The cursor of its `watch.fired`.
    cursor = models.CharField(max_length=40)
    muted = models.BooleanField(default=False)

    class Meta:
        ordering = ("-fired_at",)
        indexes = (
            models.Index(fields=["fired_at"], name="firing_at"),
            models.Index(fields=["watch", "group"], condition=models.Q(resolved_at=None), name="firing_open"),
        )

    def __str__(self) -> str:
        return f"{self.watch_id} {self.group} {self.fired_at:%Y-%m-%d %H:%M:%S}"


class Notice(models.Model):
    """What is to be sent to one target: one firing, or several that came before it was sent. Its id goes with it."""

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        # Not sent within a day.
        DEAD = "dead"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    target = models.ForeignKey(Target, on_delete=models.CASCADE)
    # Null: a test of the target, or the watch was deleted since.
    watch = models.ForeignKey(Watch, null=True, on_delete=models.SET_NULL)
    # As watches.delivery.notices.Content.
    content = models.JSONField()
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    # A day after it was due first: what was not sent by then is dead.
    expires_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    # The process that sends it has it until then.
    claimed_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=REASON_LENGTH, blank=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=["due_at"], condition=models.Q(state="pending"), name="notice_due"),
            models.Index(fields=["created_at"], name="notice_created"),
        )

    def __str__(self) -> str:
        return f"notice {self.id}"


class Subscription(models.Model):
    """A webhook: what passes a query is sent to an address, in order, at least once, from its cursor on."""

    class State(models.TextChoices):
        ACTIVE = "active"
        # It failed for a day, or its owner lost its rights: a person must start it again.
        DEAD = "dead"

    name = models.CharField(max_length=NAME_LENGTH, unique=True)
    # Empty: all events.
    query = models.TextField(blank=True)
    owner_id = models.CharField(max_length=PRINCIPAL_ID_LENGTH)
    owner_name = models.CharField(max_length=150, blank=True)
    # Both as watches.delivery.secrets has encrypted them.
    address = models.TextField(editable=False)
    secret = models.TextField(editable=False)
    masked = models.CharField(max_length=200, editable=False)
    # Everything up to here was taken by the receiver, or does not pass the query.
    epoch = models.CharField(max_length=16)
    seq = models.BigIntegerField()
    # The cursor at which events may be missing, until the receiver was told.
    reset_reason = models.CharField(max_length=8, blank=True, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)
    problem = models.CharField(max_length=REASON_LENGTH, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
