"""Retention of what operators did: chat messages and closed windows go with the audit, settings after their owner."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef

from gateway.identity.console_sessions import principal_id
from gateway.jobs import retention
from gateway.models import AccessToken
from operator_api.models import ChatMessage, OperatorSettings, Window


def _chat_messages(before: datetime) -> retention.Rows:
    return ChatMessage.objects.filter(created_at__lt=before)


def _closed_windows(before: datetime) -> retention.Rows:
    # A message that came late outlives its window by a moment, and still names it.
    return Window.objects.filter(closed_at__lt=before, chatmessage=None)


def _settings_of_nobody(before: datetime) -> retention.Rows:
    """Of tokens and users that are not there any more, not even as revoked or disabled."""
    users = [principal_id(pk) for pk in User.objects.values_list("pk", flat=True)]
    token = AccessToken.objects.filter(public_id=OuterRef("pk"))
    return OperatorSettings.objects.filter(updated_at__lt=before).exclude(pk__in=users).exclude(Exists(token))


retention.keep_no_longer("chat messages", _chat_messages, order="created_at")
retention.keep_no_longer("closed windows", _closed_windows, order="closed_at")
retention.keep_no_longer("settings of nobody", _settings_of_nobody, order="updated_at")
