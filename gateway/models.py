"""Tables of rights, of their audit, and of chores.

RightsVersion has one row; rows of TokenAudit are only added.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models.functions import Now

from gateway import tokens
from gateway.notices import tokens_updating
from ledger import clock

# The end of a token with a long lifetime may have been forgotten, so it is announced.
MADE_TO_LAST = timedelta(days=30)
ENDS_SOON = timedelta(days=7)
# The length of reason columns: PostgreSQL enforces it, SQLite does not.
REASON_LENGTH = 200


class RightsVersion(models.Model):
    """One row whose number grows with every change of rights; a process compares it to notice that its copy is old."""

    version = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"rights version {self.version}"

    @classmethod
    def current(cls) -> int:
        found = cls.objects.values_list("version", Now()).filter(pk=1).first()
        if found is None:
            return 0
        # Every process reads this once a second, and gets the database's time with it at no cost.
        version, then = found
        clock.note_database_time(then)
        return int(version)

    @classmethod
    def bump(cls) -> None:
        """Call it in the transaction of the change, so that the change and the new version become visible together."""
        row = cls.objects.filter(pk=1)
        if not row.update(version=models.F("version") + 1):
            cls.objects.get_or_create(pk=1)
            row.update(version=models.F("version") + 1)


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    """Querysets whose bulk updates raise the version of rights too."""

    def update(self, **kwargs: Any) -> int:
        with transaction.atomic(using=self.db):
            RightsVersion.bump()
            tokens_updating.send(AccessToken, queryset=self, values=kwargs)
            return super().update(**kwargs)

    def ending_soon(self) -> "AccessTokenQuerySet":
        """Valid tokens with a long lifetime that end soon, in the order in which they end."""
        now = clock.now()
        ending = self.filter(revoked_at=None, expires_at__gt=now, expires_at__lte=now + ENDS_SOON)
        lasting = ending.filter(created_at__lte=models.F("expires_at") - MADE_TO_LAST)
        return lasting.exclude(user__is_active=False).order_by("expires_at")

    def revoke(self, *, because: str) -> int:
        """Revoke those that are not revoked yet; returns how many."""
        return self.filter(revoked_at=None).update(revoked_at=clock.now(), revoked_because=because)


class AccessToken(models.Model):
    """A principal or service token: its digest, never its text."""

    class Kind(models.TextChoices):
        PRINCIPAL = "principal"
        SERVICE = "service"

    class Source(models.TextChoices):
        ISSUED = "issued"
        ENVIRONMENT = "environment"

    kind = models.CharField(max_length=16, choices=Kind)
    public_id = models.CharField(max_length=32, unique=True, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(max_length=100, help_text="Who or what uses it.")
    scopes = models.JSONField(default=list, help_text="Rights from the closed list.")
    modules = models.JSONField(default=list, blank=True, help_text="Principals: modules it may see; empty means all.")
    module = models.CharField(
        max_length=64, blank=True, help_text="Services: the only module it publishes for; empty means any."
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, help_text="Dies with this user."
    )
    source = models.CharField(max_length=16, choices=Source, default=Source.ISSUED, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_because = models.CharField(max_length=REASON_LENGTH, blank=True, editable=False)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.public_id} ({self.name})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Locks the version, then the token. Every change of tokens uses this order, so no two can deadlock."""
        with transaction.atomic(using=kwargs.get("using")):
            RightsVersion.bump()
            super().save(*args, **kwargs)

    @property
    def state(self) -> str:
        """Whether it is valid, or why not: "valid", "revoked", "expired", "user disabled"."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= clock.now():
            return "expired"
        return "user disabled" if self.user is not None and not self.user.is_active else "valid"

    @classmethod
    def issue(
        cls,
        kind: str,
        name: str,
        *,
        scopes: frozenset[str],
        modules: frozenset[str] = frozenset(),
        module: str = "",
        expires_at: datetime | None = None,
    ) -> tuple["AccessToken", str]:
        """A stored token and its text. The text is not stored: if it is lost, issue another token."""
        text = tokens.mint(kind)
        token = cls.objects.create(
            kind=kind,
            public_id=tokens.new_public_id(kind[0]),
            digest=tokens.digest(text),
            name=name,
            scopes=sorted(scopes),
            modules=sorted(modules),
            module=module,
            expires_at=expires_at,
        )
        return token, text


class TokenHolder(models.Model):
    """A serving process, and the tokens that its environment gave it: by digest, as they are stored."""

    process = models.CharField(max_length=150, primary_key=True)
    seen_at = models.DateTimeField(db_index=True)
    digests = models.JSONField(default=list)

    def __str__(self) -> str:
        """Host and process id."""
        return self.process.rpartition(":")[0]


class EndedSession(models.Model):
    """A console session that was ended by signing out: no process accepts its tickets or keeps its streams."""

    # The name from gateway.identity.console_sessions; not the session's key.
    session_id = models.CharField(max_length=32, primary_key=True)
    at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return self.session_id


class EndedStream(models.Model):
    """A stream that an administrator ended: the process that holds it finds this row at its next check of rights."""

    stream_id = models.CharField(max_length=36, primary_key=True)
    at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return self.stream_id

    @classmethod
    def end(cls, stream_ids: Iterable[str]) -> None:
        """Each process ends those that it holds within two seconds, and ignores the others."""
        with transaction.atomic():
            RightsVersion.bump()
            EndedStream.objects.bulk_create(
                [EndedStream(stream_id=stream_id) for stream_id in stream_ids], ignore_conflicts=True
            )


class EndedTicket(models.Model):
    """A ticket that was revoked before it was used: no process opens a stream for it any more."""

    ticket_id = models.CharField(max_length=32, primary_key=True)
    at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return self.ticket_id


class AuditIsFinal(Exception):
    """Code tried to change or delete an audit row."""


class TokenAuditQuerySet(models.QuerySet["TokenAudit"]):
    """Allows adding and reading. Rows older than their retention are deleted by `purge`, and only by it."""

    def update(self, **kwargs: Any) -> int:
        raise AuditIsFinal("audit rows are not changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AuditIsFinal("audit rows are not deleted; manage.py purge_tokens removes old ones")

    def purge(self) -> int:
        """Delete these rows because they are old; returns how many."""
        return super().delete()[0]


# Of the two excluded actions there are as many rows as tickets; all others are rare. Without __in, because SQLite would
# not recognise the condition of its partial index in that form.
IS_RARE = ~models.Q(action="ticket_issued") & ~models.Q(action="ticket_redeemed")


class TokenAudit(models.Model):
    """What happened to tokens, tickets and the admin. Rows are added and, when old, purged; never changed."""

    class Action(models.TextChoices):
        TOKEN_ISSUED = "token_issued"  # noqa: S105 - a word, not a secret
        TOKEN_CHANGED = "token_changed"  # noqa: S105 - as above
        TOKEN_REVOKED = "token_revoked"  # noqa: S105 - as above
        TOKEN_DELETED = "token_deleted"  # noqa: S105 - as above
        TICKET_ISSUED = "ticket_issued"
        TICKET_REDEEMED = "ticket_redeemed"
        TICKET_REVOKED = "ticket_revoked"
        REFUSED = "refused"
        STREAM_DISCONNECTED = "stream_disconnected"
        SIGNED_IN = "signed_in"
        SIGNED_OUT = "signed_out"
        SIGN_IN_FAILED = "sign_in_failed"
        ADMIN_CHANGED = "admin_changed"
        EXPORTED = "exported"
        VIEW_CHANGED = "view_changed"
        PURGED = "purged"

    # Made by the caller: a row that is written twice, because the result of a commit was lost, is still one row.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(default=clock.now)
    action = models.CharField(max_length=20, choices=Action)
    # Who did it, if a person did: a console user's name, or "manage.py revoke_token".
    actor = models.CharField(max_length=150, blank=True)
    ticket_id = models.CharField(max_length=32, blank=True)
    principal_id = models.CharField(max_length=32, blank=True)
    principal_name = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=REASON_LENGTH, blank=True)
    address = models.CharField(max_length=45, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    stream_id = models.CharField(max_length=36, blank=True)
    # How often the same thing happened within the row's minute: a flood of refusals is one row.
    count = models.PositiveIntegerField(default=1)

    objects = TokenAuditQuerySet.as_manager()

    class Meta:
        ordering = ("-at",)
        verbose_name = "token audit entry"
        verbose_name_plural = "token audit"
        # Here and not by db_index, which makes a second index for LIKE on PostgreSQL: every ticket would pay for it.
        indexes = (
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["principal_id", "at"], name="audit_principal"),
            models.Index(fields=["ticket_id"], name="audit_ticket"),
            models.Index(fields=["correlation_id"], name="audit_correlation"),
            # Partial indexes of rare rows: issuing a ticket does not pay for these.
            models.Index(fields=["stream_id"], name="audit_stream", condition=models.Q(stream_id__gt="")),
            models.Index(fields=["actor", "at"], name="audit_actor", condition=models.Q(actor__gt="")),
            models.Index(fields=["principal_id", "at"], name="audit_refused", condition=models.Q(action="refused")),
            models.Index(fields=["action", "at"], name="audit_rare", condition=IS_RARE),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.ticket_id or self.principal_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AuditIsFinal("audit rows are not changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AuditIsFinal("audit rows are not deleted; manage.py purge_tokens removes old ones")

    @classmethod
    def of_token(cls, action: str, token: AccessToken, *, reason: str = "") -> "TokenAudit":
        """An unsaved row about a principal or service token."""
        return cls(
            action=action, principal_id=token.public_id, principal_name=token.name, reason=reason[:REASON_LENGTH]
        )


class Chore(models.Model):
    """A periodic task that one process of the cluster does at a time: the first to move `due_at` does it."""

    name = models.CharField(max_length=32, primary_key=True)
    due_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # The result, for people: "purged 120 rows", or the name of the error.
    outcome = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name


def operators() -> "models.QuerySet[User]":
    """All console users with their groups."""
    return get_user_model().objects.prefetch_related("groups")
