"""Retention of chat messages and closed windows, as long as the audit; and of settings and
views whose owner no longer exists.
"""

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef

from gateway.identity.console_sessions import principal_id
from gateway.jobs import retention
from gateway.models import AccessToken
from operator_api.models import ChatMessage, OperatorSettings, SavedView, StartView, Window


def _chat_messages(before: datetime) -> retention.Rows:
    return ChatMessage.objects.filter(created_at__lt=before)


def _closed_windows(before: datetime) -> retention.Rows:
    # A late message is a little younger than its window, and still refers to it.
    return Window.objects.filter(closed_at__lt=before, chatmessage=None)


def _orphaned_settings(before: datetime) -> retention.Rows:
    """Settings of tokens and users that do not exist any more, not even as revoked or disabled."""
    return _without_owner(OperatorSettings.objects.filter(updated_at__lt=before), "pk")


def _orphaned_views(before: datetime) -> retention.Rows:
    """Views of such, unless others share them."""
    return _without_owner(SavedView.objects.filter(updated_at__lt=before, shared=False), "owner_id")


def _orphaned_starts(before: datetime) -> retention.Rows:
    return _without_owner(StartView.objects.filter(chosen_at__lt=before), "pk")


def _without_owner(rows: retention.Rows, owner: str) -> retention.Rows:
    users = [principal_id(pk) for pk in User.objects.values_list("pk", flat=True)]
    token = AccessToken.objects.filter(public_id=OuterRef(owner))
    return rows.exclude(**{f"{owner}__in": users}).exclude(Exists(token))


retention.keep_no_longer("chat messages", _chat_messages, order="created_at")
retention.keep_no_longer("closed windows", _closed_windows, order="closed_at")
retention.keep_no_longer("orphaned settings", _orphaned_settings, order="updated_at")
retention.keep_no_longer("orphaned views", _orphaned_views, order="updated_at")
retention.keep_no_longer("orphaned starts", _orphaned_starts, order="chosen_at")
