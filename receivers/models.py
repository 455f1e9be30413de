"""The table of webhooks: addresses for programs that can post JSON, and know no format of ours."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from receivers.webhooks import signatures
from receivers.webhooks.expressions import LENGTH_LIMIT_CHARACTERS

NAME_LENGTH = MODULE_LENGTH = 64
# All of them are in memory.
WEBHOOKS_LIMIT = 200
# What has an expression of its own, in the order of the form.
MAPPED = ("summary", "severity", "module", "event_type", "occurred_at", "event_id", "payload")

_is_name = RegexValidator(r"\A[a-z0-9._-]{1,64}\Z", "1 to 64 of a-z 0-9 . _ -")


def _expression(what: str) -> "models.TextField[str, str]":
    return models.TextField(blank=True, max_length=LENGTH_LIMIT_CHARACTERS, help_text=what)


class Webhook(models.Model):
    """One address, `ingest/webhook/<name>`. Its secret is stored encrypted (`receivers.known_webhooks`)."""

    class Signature(models.TextChoices):
        GITHUB = signatures.GITHUB, "GitHub: X-Hub-Signature-256"
        STANDARD = signatures.STANDARD, "Standard Webhooks: webhook-signature"
        GITLAB = signatures.GITLAB, "GitLab: X-Gitlab-Token"
        TOKEN = signatures.TOKEN, "a service token of this server"

    name = models.CharField(max_length=NAME_LENGTH, unique=True, validators=[_is_name])
    signature = models.CharField(max_length=16, choices=Signature.choices, default=Signature.GITHUB)
    secret = models.TextField(editable=False, blank=True)
    enabled = models.BooleanField(default=True)
    own_module = models.CharField(
        max_length=MODULE_LENGTH,
        blank=True,
        help_text="All its events are of this module. Empty: of the one that they name. With a token, of the token's.",
    )
    summary = _expression("A text.")
    severity = _expression("info, warn, error or critical, or a word or number that loggers use.")
    module = _expression("A text. Not read where all events are of one module.")
    event_type = _expression("A text; other characters than a-z 0-9 . _ - become -.")
    occurred_at = _expression("A time, as text or in seconds since 1970.")
    event_id = _expression("What is the same when the sender tries again. Empty: the id of the delivery.")
    payload = _expression("An object. Empty: the whole body; of GitHub's events, what matters.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
