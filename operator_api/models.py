"""Tables of operators: Window, ChatMessage, Module, OperatorSettings, SavedView, StartView."""

import uuid
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

MODULE_NAME_LENGTH = 64
PRINCIPAL_ID_LENGTH = 32
NAME_LENGTH = 150
SESSION_ID_LENGTH = 64
KEY_LENGTH = 128
VIEW_NAME_LENGTH = 80
# As long as a query can be.
VIEW_QUERY_LENGTH = 1000
# A moment with its offset, or a time before now.
VIEW_TIME_LENGTH = 40
# Paths of the payload, as they stand in the console's address.
VIEW_PATHS_LENGTH = 1000


class Window(models.Model):
    """A period in which operators may act. Without an open one the system runs alone: `solo_madre`."""

    class Ending(models.TextChoices):
        CLOSED = "closed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    services = models.JSONField(default=list, help_text="Modules it opens.")
    reason = models.CharField(max_length=500, blank=True)
    opened_by = models.CharField(max_length=NAME_LENGTH, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField(null=True, blank=True, help_text="Empty: it stays open until it is closed.")
    closed_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=8, choices=Ending, blank=True)
    closed_by = models.CharField(max_length=NAME_LENGTH, blank=True)
    # The id of the request that changed it last: a request that is written twice, because the result of a commit was
    # lost, is recognised by it.
    last_change = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                models.Value(1), condition=Q(closed_at=None), name="one_open_window", violation_error_code="open"
            ),
        )
        indexes = (models.Index(fields=["closed_at"], name="window_closed"),)

    def __str__(self) -> str:
        return f"window {self.id}"


class ChatMessage(models.Model):
    """A message of a person, or an answer to one. Numbered in the order of their events."""

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"
        # Written by this server, because the assistant was late or away.
        SYSTEM = "system"

    message_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    # The principal of the conversation, also in answers.
    principal_id = models.CharField(max_length=PRINCIPAL_ID_LENGTH)
    principal_name = models.CharField(max_length=NAME_LENGTH, blank=True)
    session_id = models.CharField(max_length=SESSION_ID_LENGTH)
    role = models.CharField(max_length=9, choices=Role)
    content = models.TextField()
    correlation_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    window = models.ForeignKey(Window, null=True, on_delete=models.SET_NULL)
    # Answers: the message they answer.
    in_reply_to = models.UUIDField(null=True)
    # Messages of people: when the server must store that no answer came. Empty: the message has its final answer.
    answer_due_at = models.DateTimeField(null=True, editable=False)
    idempotency_key = models.CharField(max_length=KEY_LENGTH, null=True)  # noqa: DJ001 - NULL leaves the unique index
    # The digest of the content that was sent under the key.
    fingerprint = models.CharField(max_length=32, blank=True)
    # Who answered, as the assistant said to the process that asked it; not stored.
    provider: str | None = None
    model_used: str | None = None

    class Meta:
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=["principal_id", "session_id", "id"], name="chat_session"),
            models.Index(fields=["created_at"], name="chat_created"),
            models.Index(fields=["in_reply_to"], name="chat_answers"),
            models.Index(fields=["answer_due_at"], condition=Q(answer_due_at__isnull=False), name="chat_due"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("principal_id", "idempotency_key"),
                condition=Q(idempotency_key__isnull=False),
                name="chat_key_once_per_principal",
            ),
        )

    def __str__(self) -> str:
        return f"{self.role} {self.message_id}"


def check_probe_url(text: str) -> None:
    """Raises ValidationError unless it is a URL. Django's validator refuses host names without a dot, as containers
    have.
    """
    try:
        address = urlsplit(text)
        fit = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        fit = False
    if not fit or not text.isascii() or any(character <= " " for character in text):
        raise ValidationError("http://host:port/path or https://host/path")
    if address.username or address.password:
        raise ValidationError("without a name and password: addresses are no place for secrets")


class Module(models.Model):
    """A part of the system that publishes events or can be probed."""

    class Category(models.TextChoices):
        # Nothing works without these; this server knows their state itself.
        CORE = "core"
        # Runs only while an open window includes it.
        OPTIONAL = "optional"
        OPERATOR = "operator"

    name = models.CharField(
        max_length=MODULE_NAME_LENGTH,
        primary_key=True,
        validators=[RegexValidator(r"^[A-Za-z0-9._-]+\Z", "letters, digits and . _ - only")],
    )
    category = models.CharField(max_length=8, choices=Category, default=Category.OPTIONAL)
    port = models.PositiveIntegerField(
        null=True, blank=True, help_text="For people to look up; nothing connects to it."
    )
    probe_url = models.CharField(
        max_length=500,
        blank=True,
        validators=[check_probe_url],
        help_text="Asked every few seconds; any answer from 200 to 299 means that the module is up. Empty: not asked.",
    )
    # When it last published; written with a delay of some seconds.
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)
    # A process that probes it moves this forward first, so that only one does.
    probe_due_at = models.DateTimeField(default=timezone.now, editable=False)
    probed_at = models.DateTimeField(null=True, editable=False)
    # Empty: it answered well.
    probe_problem = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def forget_probe(self) -> tuple[str, ...]:
        """Reset the result after a change of the address, and make the probe due. Returns the fields to save."""
        self.probed_at, self.probe_problem, self.probe_due_at = None, "", Now()
        return ("probed_at", "probe_problem", "probe_due_at")


class OperatorSettings(models.Model):
    """The settings of one principal's front end: a small JSON object, as text."""

    principal_id = models.CharField(max_length=PRINCIPAL_ID_LENGTH, primary_key=True)
    content = models.TextField(default="{}")
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name = verbose_name_plural = "operator settings"

    def __str__(self) -> str:
        return f"settings of {self.principal_id}"


class SavedView(models.Model):
    """What an operator asked for, under a name: a query, a range of time, and what stands beside the feed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner_id = models.CharField(max_length=PRINCIPAL_ID_LENGTH)
    # The owner's name when the view was last changed, for people.
    owner_name = models.CharField(max_length=NAME_LENGTH, blank=True)
    name = models.CharField(max_length=VIEW_NAME_LENGTH)
    query = models.CharField(max_length=VIEW_QUERY_LENGTH, blank=True)
    # An ISO time, or one before now such as -15m; empty: the log has no limit there.
    time_from = models.CharField("from", max_length=VIEW_TIME_LENGTH, blank=True)
    time_to = models.CharField("to", max_length=VIEW_TIME_LENGTH, blank=True)
    columns = models.CharField(max_length=VIEW_PATHS_LENGTH, blank=True)
    facets = models.CharField(max_length=VIEW_PATHS_LENGTH, blank=True)
    shared = models.BooleanField(default=False, help_text="All who may read events see it.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ("name", "pk")
        constraints = (models.UniqueConstraint(fields=("owner_id", "name"), name="view_name_once_per_owner"),)
        indexes = (models.Index(fields=["shared"], condition=Q(shared=True), name="view_shared"),)

    def __str__(self) -> str:
        return self.name


class StartView(models.Model):
    """The view with which one principal's console begins: one of its own, or one that others share."""

    principal_id = models.CharField(max_length=PRINCIPAL_ID_LENGTH, primary_key=True)
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE)
    chosen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"start of {self.principal_id}"
