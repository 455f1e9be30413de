"""Windows and messages for unit tests, changed as the ledger's writer does."""

import secrets
from datetime import timedelta
from typing import Any

import orjson
from django.db import transaction

from events.models import Event
from operator_api import windows
from operator_api.chat import exchange
from operator_api.chat.exchange import Message, Stored, WindowClosed
from operator_api.models import ChatMessage, Window
from operator_api.windows import (
    AlreadyOpen,
    ClosedStatus,
    Closing,
    Extension,
    NoneOpen,
    Status,
    WindowActor,
    WindowOpening,
)

ALICE = WindowActor("p-alice", "alice", "request-of-alice")
BOB = WindowActor("p-bob", "bob", "request-of-bob")


def opening(*services: str, ttl_seconds: int | None = 600, reason: str = "", by: WindowActor = ALICE) -> WindowOpening:
    return WindowOpening(list(services), ttl_seconds, reason, by)


def open_window(asked: WindowOpening | None = None) -> Status | AlreadyOpen:
    with transaction.atomic():
        return windows.open_many([asked or opening("switch", "hermes")])[0]


def opened(asked: WindowOpening | None = None) -> Status:
    status = open_window(asked)
    assert not isinstance(status, AlreadyOpen)
    return status


def extend_window(seconds: int, *, by: WindowActor = ALICE) -> Status | NoneOpen:
    with transaction.atomic():
        return windows.extend_many([Extension(seconds, by)])[0]


def close_window(asked: Closing | None = None) -> ClosedStatus | NoneOpen:
    with transaction.atomic():
        return windows.close_many([asked or Closing(BOB)])[0]


def expire_window() -> bool:
    with transaction.atomic():
        return windows.expire_many([None])[0]


def let_time_pass() -> None:
    """The open window's time is over, but nobody has noticed."""
    window = Window.objects.get(closed_at=None)
    Window.objects.filter(pk=window.pk).update(deadline=window.created_at - timedelta(seconds=1))


def message(
    content: str = "hello", *, session_id: str = "s-1", by: WindowActor = ALICE, key: str | None = None
) -> Message:
    return Message(content, session_id, by, key, fingerprint=content[:32], metadata={})


def store(asked: Message) -> Stored | WindowClosed | Exception:
    with transaction.atomic():
        return exchange.store_many([asked])[0]


def stored(asked: Message | None = None) -> ChatMessage:
    result = store(asked or message())
    assert isinstance(result, Stored)
    return result.row


def answered(to: ChatMessage, content: str = "hello yourself", role: str = exchange.ASSISTANT) -> ChatMessage:
    with transaction.atomic():
        return exchange.answer_many([exchange.Answer(content, role, to)])[0]


def told() -> list[tuple[str, dict[str, Any]]]:
    """Type and payload of every event, in order."""
    return [(event.event_type, orjson.loads(event.payload)) for event in Event.objects.order_by("seq")]


def types_told() -> list[str]:
    return [event_type for event_type, _ in told()]


def a_key() -> str:
    return secrets.token_hex(8)
