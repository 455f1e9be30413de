"""Chat: what operators wrote and what was answered, stored with its event in one transaction.

The event names the author and the session; the text is read here, by its author and by principals that may read all.
Functions named `..._many` are for the ledger's writer; messages bring their ids, so one that is written twice is one.
"""

import dataclasses
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from events.log import Change, IdempotencyConflict, change, timestamp
from ledger.writer import runs_last
from operator_api import windows
from operator_api.models import ChatMessage
from operator_api.modules import BACKEND

MESSAGE_LIMIT = 8_000
METADATA_LIMIT_BYTES = 8 * 1024
PAGE_DEFAULT, PAGE_MAX = 50, 200
# Of a page's messages together; one alone may have more.
PAGE_LIMIT_CHARACTERS = 1024 * 1024
READ_AT_ONCE = 20
# By then the process that asked has stored the outcome (assistant.ANSWER_LIMIT_SECONDS and a slow commit), or it has
# ended.
ANSWER_DUE_SECONDS = 90
# Messages that one transaction gives up; the next look finds the rest.
GIVE_UP_LIMIT_ROWS = 100

USER, ASSISTANT, SYSTEM = ChatMessage.Role.USER, ChatMessage.Role.ASSISTANT, ChatMessage.Role.SYSTEM


class WindowClosed(Exception):
    """No window is open: operators may not act now."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """What a principal wrote. `fingerprint` is of all that was sent under the key."""

    content: str
    session_id: str
    by: windows.WindowActor
    key: str | None
    fingerprint: str
    metadata: dict[str, Any]
    id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a stored message. Taken also when the window has closed since: the question came in time.

    `final=False`: more is to follow.
    """

    content: str
    role: str
    to: ChatMessage
    final: bool = True
    id: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """The message's row; it may be older than the request, which then repeats another one."""

    row: ChatMessage
    created: bool


@runs_last
def store_many(messages: Sequence[Message]) -> Sequence[Stored | WindowClosed | IdempotencyConflict]:
    """A window that is open here cannot close before the message is committed."""
    return [_store(message) for message in messages]


@runs_last
def answer_many(answers: Sequence[Answer]) -> Sequence[ChatMessage]:
    """The assistant's is always taken. A system answer is taken only before the final answer to a message."""
    return [_answer(answer) for answer in answers]


@runs_last
def give_up_many(contents: Sequence[str]) -> Sequence[int]:
    """Store this as the answer to messages whose process has ended; how many there were.

    The first process to look does it; the others find nothing to do.
    """
    with change() as changing:
        due = list(ChatMessage.objects.filter(answer_due_at__lte=changing.now).order_by("pk")[:GIVE_UP_LIMIT_ROWS])
        for asked in due:
            _reply(changing, Answer(contents[0], SYSTEM, asked))
    return [len(due)] + [0] * (len(contents) - 1)


def is_any_overdue() -> bool:
    """Reads the database."""
    return ChatMessage.objects.filter(answer_due_at__lte=Now()).exists()


def answer_to(message_id: uuid.UUID) -> ChatMessage | None:
    """The assistant's answer if there is one, else the last one in its place. Reads the database."""
    answers = list(ChatMessage.objects.filter(in_reply_to=message_id).order_by("pk"))
    return next((answer for answer in answers if answer.role == ASSISTANT), answers[-1] if answers else None)


def position_of(message_id: uuid.UUID, principal_id: str) -> int | None:
    """Where a message of this principal stands, to page backwards from it. Reads the database."""
    rows = ChatMessage.objects.filter(message_id=message_id, principal_id=principal_id)
    return rows.values_list("pk", flat=True).first()


def history(principal_id: str, session_id: str, *, limit: int, before: int | None) -> tuple[list[ChatMessage], bool]:
    """The last messages of a principal, oldest first, and whether there are more before them. Reads the database.

    Without a session id those of all sessions. Fewer than `limit` when they are long: PAGE_LIMIT_CHARACTERS.
    """
    rows = ChatMessage.objects.filter(principal_id=principal_id).order_by("-pk")
    if session_id:
        rows = rows.filter(session_id=session_id)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    newest: list[ChatMessage] = []
    characters = 0
    # A few at a time: a page of the longest messages would be 50 MB.
    for row in rows[: limit + 1].iterator(chunk_size=READ_AT_ONCE):
        characters += len(row.content)
        if newest and (len(newest) == limit or characters > PAGE_LIMIT_CHARACTERS):
            return newest[::-1], True
        newest.append(row)
    return newest[::-1], False


def as_json(row: ChatMessage) -> dict[str, Any]:
    return {
        "message_id": str(row.message_id),
        "role": row.role,
        "content": row.content,
        "created_at": timestamp(row.created_at),
        "correlation_id": row.correlation_id,
        "session_id": row.session_id,
        "in_reply_to": row.in_reply_to and str(row.in_reply_to),
    }


def _store(message: Message) -> Stored | WindowClosed | IdempotencyConflict:
    with change() as changing:
        before = _stored_before(message)
        if before is not None:
            if before.fingerprint != message.fingerprint:
                return IdempotencyConflict(message.key)
            # With our own id it is what this very request wrote, before an answer of the database was lost.
            return Stored(before, created=before.message_id == message.id)
        window = windows.open_in(changing)
        if window is None:
            return WindowClosed()
        row = ChatMessage.objects.create(
            message_id=message.id,
            principal_id=message.by.principal_id,
            principal_name=message.by.name,
            session_id=message.session_id,
            role=USER,
            content=message.content,
            correlation_id=message.by.correlation_id,
            created_at=changing.now,
            window=window,
            answer_due_at=changing.now + timedelta(seconds=ANSWER_DUE_SECONDS),
            idempotency_key=message.key,
            fingerprint=message.fingerprint,
        )
        _publish(changing, row, f"{message.by.name} wrote in the chat")
        return Stored(row, created=True)


def _stored_before(message: Message) -> ChatMessage | None:
    same = Q(message_id=message.id)
    if message.key:
        same |= Q(principal_id=message.by.principal_id, idempotency_key=message.key)
    return ChatMessage.objects.filter(same).first()


def _answer(answer: Answer) -> ChatMessage:
    with change() as changing:
        before = ChatMessage.objects.filter(message_id=answer.id).first()
        if before is None and answer.role == SYSTEM and not _is_due(answer.to):
            before = answer_to(answer.to.message_id)
        return before or _reply(changing, answer)


def _is_due(asked: ChatMessage) -> bool:
    return ChatMessage.objects.filter(message_id=asked.message_id, answer_due_at__isnull=False).exists()


def _reply(changing: Change, answer: Answer) -> ChatMessage:
    asked = answer.to
    row = ChatMessage.objects.create(
        message_id=answer.id,
        principal_id=asked.principal_id,
        principal_name=asked.principal_name,
        session_id=asked.session_id,
        role=answer.role,
        content=answer.content,
        correlation_id=asked.correlation_id,
        created_at=changing.now,
        window_id=asked.window_id,
        in_reply_to=asked.message_id,
    )
    if answer.final:
        ChatMessage.objects.filter(message_id=asked.message_id).update(answer_due_at=None)
    _publish(changing, row, f"{asked.principal_name} was answered in the chat")
    return row


def _publish(changing: Change, row: ChatMessage, summary: str) -> None:
    changing.publish(
        "chat.message",
        summary,
        module=BACKEND,
        payload={
            "message_id": str(row.message_id),
            "session_id": row.session_id,
            "role": row.role,
            "principal_id": row.principal_id,
            "user": row.principal_name,
            "in_reply_to": row.in_reply_to and str(row.in_reply_to),
        },
        correlation_id=row.correlation_id,
    )
