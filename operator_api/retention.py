"""Retention of what operators did: chat messages and closed windows go with the audit."""

from datetime import datetime

from gateway import retention
from operator_api.models import ChatMessage, Window


def _chat_messages(before: datetime) -> retention.Rows:
    return ChatMessage.objects.filter(created_at__lt=before)


def _closed_windows(before: datetime) -> retention.Rows:
    # A message that came late outlives its window by a moment, and still names it.
    return Window.objects.filter(closed_at__lt=before, chatmessage=None)


retention.keep_no_longer("chat messages", _chat_messages, order="created_at")
retention.keep_no_longer("closed windows", _closed_windows, order="closed_at")
