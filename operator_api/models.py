"""Tables of what operators may do: Window."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone


class WindowQuerySet(models.QuerySet["Window"]):
    def open(self) -> Self:
        """The window that operators may act in now, if there is one."""
        return self.filter(Q(deadline=None) | Q(deadline__gt=timezone.now()), closed_at=None)


class Window(models.Model):
    """A time in which operators may act. Without an open one the system runs alone: `solo_madre`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    services = models.JSONField(default=list, help_text="Modules it opens.")
    reason = models.CharField(max_length=500, blank=True)
    opened_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField(null=True, blank=True, help_text="Empty: it stays open until it is closed.")
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = WindowQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                models.Value(1), condition=Q(closed_at=None), name="one_open_window", violation_error_code="open"
            ),
        )

    def __str__(self) -> str:
        return f"window {self.id}"
