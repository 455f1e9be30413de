"""A chat message from its arrival to its answer: stored, asked upstream, answered in time or late, or by ourselves."""

import asyncio
import dataclasses
import logging
from typing import Any

from django.conf import settings

from events.relay import the_relay
from ledger.faults import LedgerUnavailable
from ledger.reader import reader
from ledger.writer import writer
from operator_api import chat, responder
from operator_api.chat import Answer, Message
from operator_api.models import ChatMessage
from operator_api.status import look
from operator_api.upstream import Upstream, UpstreamAway, the_upstream

logger = logging.getLogger(__name__)

# From one look for another request's answer to the next.
LOOK_SECONDS = 0.1

# Answers under way, kept so that nobody collects them; each stores itself, however late. Their number is the
# upstream's to limit.
_under_way: set["asyncio.Task[ChatMessage]"] = set()


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered."""

    message: ChatMessage
    answer: ChatMessage | None

    @property
    def degraded(self) -> bool:
        return self.answer is None or self.answer.role == chat.SYSTEM

    @property
    def text(self) -> str:
        return responder.AWAY if self.answer is None else self.answer.content


async def say(message: Message) -> Reply:
    """Store the message and get it answered.

    Raises WindowClosed, IdempotencyConflict, LedgerUnavailable.
    """
    # Without a running relay, other processes would hear of this only by looking at the log.
    await the_relay().start()
    stored: chat.Stored = await writer.commit(chat.store_many, message, size_bytes=len(message.content) + 512)
    row = stored.row
    if not stored.created:
        return Reply(row, await _answer_of_another(row))
    upstream = the_upstream()
    if upstream is None:
        text = responder.respond(message.content, await look())
        return Reply(row, await _store(Answer(text, chat.ASSISTANT, row)))
    answer = await _in_time(upstream, row, message)
    return Reply(row, answer or await _store(Answer(responder.AWAY, chat.SYSTEM, row)))


async def _in_time(upstream: Upstream, row: ChatMessage, message: Message) -> ChatMessage | None:
    """The upstream's answer; None if it is late, and then it is stored when it comes."""
    asking = asyncio.create_task(_ask(upstream, row, message.metadata))
    _under_way.add(asking)
    asking.add_done_callback(_ended)
    done, _ = await asyncio.wait({asking}, timeout=settings.CHAT_UPSTREAM_WAIT_MS / 1000)
    return asking.result() if done and asking.exception() is None else None


async def _ask(upstream: Upstream, row: ChatMessage, metadata: dict[str, Any]) -> ChatMessage:
    text = await upstream.ask(row, metadata, row.correlation_id)
    return await _store(Answer(text, chat.ASSISTANT, row))


def _ended(asking: "asyncio.Task[ChatMessage]") -> None:
    _under_way.discard(asking)
    if asking.cancelled():
        return
    match asking.exception():
        case None:
            pass
        case UpstreamAway() | LedgerUnavailable() as error:
            logger.warning("a chat message was not answered: %s", error)
        case error:
            logger.error("a chat message was not answered", exc_info=error)


async def _store(answer: Answer) -> ChatMessage:
    stored: ChatMessage = await writer.commit(chat.answer_many, answer, size_bytes=len(answer.content) + 512)
    return stored


async def _answer_of_another(row: ChatMessage) -> ChatMessage | None:
    """The same message is being answered to another request, maybe by another process: wait for that as long."""
    deadline = asyncio.get_running_loop().time() + settings.CHAT_UPSTREAM_WAIT_MS / 1000
    while True:
        answer = await reader.run(chat.answer_to, row.message_id)
        if answer is not None or asyncio.get_running_loop().time() >= deadline:
            return answer
        await asyncio.sleep(LOOK_SECONDS)
