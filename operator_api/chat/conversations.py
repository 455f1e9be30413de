"""A chat message from its arrival to its answer: stored, the assistant asked, answered in time, late or locally."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from events.stream.relay import the_relay
from gateway.shared_store.limits import limiter
from ledger.faults import LedgerUnavailable
from ledger.reader import reader
from ledger.writer import writer
from operator_api import metrics
from operator_api.chat import exchange, responder
from operator_api.chat.assistant import AssistantClient, AssistantUnavailable, the_assistant
from operator_api.chat.exchange import Answer, Message, WindowClosed
from operator_api.models import ChatMessage
from operator_api.status import read_status

logger = logging.getLogger(__name__)

# From one look for another request's answer to the next.
LOOK_SECONDS = 0.1

# Questions under way, kept from the garbage collector; each stores what comes of it, however late. Their number is
# limited by the client.
_under_way: set["asyncio.Task[ChatMessage]"] = set()
# Those of them whose request has been answered already.
_late: set["asyncio.Task[ChatMessage]"] = set()


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered."""

    message: ChatMessage
    answer: ChatMessage | None

    @property
    def degraded(self) -> bool:
        return self.answer is None or self.answer.role == exchange.SYSTEM

    @property
    def text(self) -> str:
        return responder.away() if self.answer is None else self.answer.content


async def admit(principal_id: str) -> None:
    """Charge for one message, before it is read. Raises LimitExceeded."""
    await limiter.spend("chat_messages", principal_id)


async def ask(message: Message) -> Reply:
    """Store the message and get it answered.

    Raises WindowClosed, IdempotencyConflict, LedgerUnavailable.
    """
    deadline = asyncio.get_running_loop().time() + settings.CHAT_UPSTREAM_WAIT_MS / 1000
    # Without a running relay, other processes would learn of this only by polling the log.
    await the_relay().start()
    with _refusals_counted():
        stored: exchange.Stored = await writer.commit(
            exchange.store_many, message, size_bytes=len(message.content) + 512
        )
    row = stored.row
    if not stored.created:
        metrics.MESSAGES.labels("repeated").inc()
        return Reply(row, await _answer_of_another(row, deadline))
    assistant = the_assistant()
    if assistant is None:
        metrics.MESSAGES.labels("local").inc()
        text = responder.respond(message.content, await read_status())
        return Reply(row, await _store(Answer(text, exchange.ASSISTANT, row)))
    return Reply(row, await _in_time(assistant, row, message, deadline))


async def finish(wait_seconds: float) -> None:
    """For a process that ends: questions under way have so long. For the rest another process speaks when it is due."""
    if not _under_way:
        return
    logger.info("waiting for the answers to %d chat messages", len(_under_way))
    await asyncio.wait(_under_way, timeout=wait_seconds)
    left = list(_under_way)
    for asking in left:
        asking.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@contextlib.contextmanager
def _refusals_counted() -> Iterator[None]:
    try:
        yield
    except WindowClosed:
        metrics.MESSAGES.labels("refused").inc()
        raise


async def _in_time(
    assistant: AssistantClient, row: ChatMessage, message: Message, deadline: float
) -> ChatMessage | None:
    """The answer; or, while there is none, the message that it is late. None: it could not be stored."""
    asking = asyncio.create_task(_ask(assistant, row, message.metadata))
    _under_way.add(asking)
    metrics.AWAITED.set(len(_under_way))
    asking.add_done_callback(_ended)
    # What storing the message took is no longer there for waiting: the caller's patience is one.
    done, _ = await asyncio.wait({asking}, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    if not done:
        _late.add(asking)
        metrics.MESSAGES.labels("late").inc()
        return await _store(Answer(responder.late(), exchange.SYSTEM, row, final=False))
    answer = None if asking.exception() else asking.result()
    metrics.MESSAGES.labels("away" if answer is None or answer.role == exchange.SYSTEM else "answered").inc()
    return answer


async def _ask(assistant: AssistantClient, row: ChatMessage, metadata: dict[str, Any]) -> ChatMessage:
    """The final answer to this message, stored: the assistant's, or that there is none."""
    try:
        answered = await assistant.ask(row, metadata, row.correlation_id)
    except AssistantUnavailable as error:
        logger.warning("a chat message was not answered: %s", error)
        return await _store(Answer(responder.away(), exchange.SYSTEM, row))
    stored = await _store(Answer(answered.text, exchange.ASSISTANT, row))
    stored.provider, stored.model_used = answered.provider, answered.model_used
    return stored


def _ended(asking: "asyncio.Task[ChatMessage]") -> None:
    _under_way.discard(asking)
    metrics.AWAITED.set(len(_under_way))
    outcome = _outcome(asking)
    if asking in _late:
        _late.discard(asking)
        metrics.LATE_ANSWERS.labels(outcome).inc()


def _outcome(asking: "asyncio.Task[ChatMessage]") -> str:
    if asking.cancelled():
        return "lost"
    match asking.exception():
        case None:
            return "stored" if asking.result().role == exchange.ASSISTANT else "none"
        case LedgerUnavailable() as error:
            logger.warning("an answer to a chat message was not stored: %s", error)
        case error:
            logger.error("an answer to a chat message was not stored", exc_info=error)
    return "lost"


async def _store(answer: Answer) -> ChatMessage:
    stored: ChatMessage = await writer.commit(exchange.answer_many, answer, size_bytes=len(answer.content) + 512)
    return stored


async def _answer_of_another(row: ChatMessage, deadline: float) -> ChatMessage | None:
    """The same message is being answered to another request, maybe by another process: wait for that as long."""
    while True:
        answer = await reader.run(exchange.answer_to, row.message_id)
        if answer is not None or asyncio.get_running_loop().time() >= deadline:
            return answer
        await asyncio.sleep(LOOK_SECONDS)
