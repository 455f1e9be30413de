"""From a message to its answer: in time, late, or in the assistant's place."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from ledger.faults import LedgerUnavailable
from operator_api.chat import assistant as assistant_client
from operator_api.chat import conversations, exchange, responder
from operator_api.chat.assistant import ANSWER_LIMIT_BYTES, AssistantClient, AssistantUnavailable
from operator_api.models import ChatMessage
from tests.database_faults import database_away
from tests.events.waiting import until
from tests.fresh import ask_settings_for_the_assistant
from tests.operator_api.chat.fake_assistant import Assistant
from tests.operator_api.samples import a_key, close_window, message, opened, opening, stored, types_told
from tests.processes import free_port

pytestmark = pytest.mark.usefixtures("ledger", "ending")

open_a_window = sync_to_async(lambda: opened(opening("switch", "hermes")))


@pytest.fixture
def assistant(settings: Settings) -> Iterator[Assistant]:
    with Assistant() as running:
        settings.CHAT_UPSTREAM_URL, settings.CHAT_UPSTREAM_TOKEN = running.url, "token-of-the-assistant"
        settings.CHAT_UPSTREAM_WAIT_MS = 2500
        ask_settings_for_the_assistant()
        yield running
        ask_settings_for_the_assistant()


@sync_to_async
def said() -> list[tuple[str, str]]:
    return list(ChatMessage.objects.order_by("pk").values_list("role", "content"))


async def until_said(count: int) -> None:
    async with asyncio.timeout(10):
        while len(await said()) < count:  # noqa: ASYNC110 - the database has no event of its own
            await asyncio.sleep(0.01)


async def test_the_assistant_is_asked_with_its_token_and_its_answer_stored(assistant: Assistant) -> None:
    await open_a_window()
    asked = message("hello", session_id="s-3")
    asked.metadata["page"] = "console"
    reply = await conversations.ask(asked)
    assert (reply.text, reply.degraded) == ("you said hello", False)
    (question,) = assistant.questions
    assert question.body == {
        "message": "hello",
        "session_id": "s-3",
        "user": "alice",
        "correlation_id": "request-of-alice",
        "metadata": {"page": "console"},
    }
    assert question.headers["X-VX11-Token"] == "token-of-the-assistant"
    assert await said() == [("user", "hello"), ("assistant", "you said hello")]
    assert await sync_to_async(types_told)() == ["window.opened", "chat.message", "chat.message"]


async def test_a_late_answer_is_stored_and_told_when_it_comes(assistant: Assistant, settings: Settings) -> None:
    settings.CHAT_UPSTREAM_WAIT_MS = 100
    await open_a_window()
    assistant.hold()
    reply = await conversations.ask(message())
    assert (reply.text, reply.degraded) == (responder.late(), True)
    await sync_to_async(close_window)()
    assistant.release()

    await until_said(3)
    assert await said() == [("user", "hello"), ("system", responder.late()), ("assistant", "you said hello")]
    assert (await sync_to_async(types_told)())[-1] == "chat.message"


async def test_a_double_click_is_one_message_with_one_answer(assistant: Assistant) -> None:
    await open_a_window()
    key = a_key()
    replies = await asyncio.gather(*(conversations.ask(message(key=key)) for _ in range(5)))
    assert {reply.text for reply in replies} == {"you said hello"}
    assert len({reply.message.message_id for reply in replies}) == 1
    assert len(assistant.questions) == 1
    assert await said() == [("user", "hello"), ("assistant", "you said hello")]


async def test_without_a_window_the_assistant_hears_nothing(assistant: Assistant) -> None:
    with pytest.raises(exchange.WindowClosed):
        await conversations.ask(message())
    assert assistant.questions == []


def answers_500(assistant: Assistant) -> None:
    assistant.status = 500


def redirects(assistant: Assistant) -> None:
    assistant.status, assistant.headers = 307, {"Location": assistant.url.replace("/ask", "/elsewhere")}


def answers_nonsense(assistant: Assistant) -> None:
    assistant.body = b"<html>"


def answers_no_text(assistant: Assistant) -> None:
    assistant.body = b'{"response": 5}'


def answers_deep(assistant: Assistant) -> None:
    assistant.body = b"[" * 100_000


def answers_too_much(assistant: Assistant) -> None:
    assistant.body = b'{"response": "' + b"x" * ANSWER_LIMIT_BYTES + b'"}'


@pytest.mark.parametrize(
    "misbehave", [answers_500, redirects, answers_nonsense, answers_no_text, answers_deep, answers_too_much]
)
async def test_an_answer_that_is_none_is_the_local_one(
    misbehave: Callable[[Assistant], None], assistant: Assistant
) -> None:
    misbehave(assistant)
    await open_a_window()
    reply = await conversations.ask(message())
    assert (reply.text, reply.degraded) == (responder.away(), True)
    assert {question.path for question in assistant.questions} == {"/ask"}


async def test_an_assistant_that_is_away_is_not_asked_again_and_again_and_nobody_waits_for_it(
    settings: Settings,
) -> None:
    settings.CHAT_UPSTREAM_URL = f"http://127.0.0.1:{free_port()}/ask"
    settings.CHAT_UPSTREAM_WAIT_MS = 2500
    ask_settings_for_the_assistant()
    await open_a_window()
    started = time.monotonic()
    for _ in range(7):
        assert (await conversations.ask(message())).degraded
    assert time.monotonic() - started < 2.5
    here = assistant_client.the_assistant()
    assert here is not None
    with pytest.raises(AssistantUnavailable, match="too often"):
        await here.ask(await sync_to_async(lambda: stored())(), {}, "c-1")
    ask_settings_for_the_assistant()


async def test_what_an_answer_holds_that_cannot_be_stored_is_left_out(assistant: Assistant) -> None:
    assistant.body = b'{"response": "a\\u0000b\\ud800c"}'
    await open_a_window()
    assert (await conversations.ask(message())).text == "ab?c"


async def test_more_questions_than_the_limit_are_not_asked(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assistant_client, "CONCURRENT_QUESTIONS", 1)
    await open_a_window()
    assistant.hold()
    here = AssistantClient(assistant.url, "")
    row = await sync_to_async(lambda: stored())()
    first = asyncio.create_task(here.ask(row, {}, "c-1"))
    await until(lambda: assistant.questions)
    with pytest.raises(AssistantUnavailable, match="requests wait"):
        await here.ask(row, {}, "c-2")
    assistant.release()
    assert (await first).text == "you said hello"
    await here.close()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("status", "All core modules are up: hermes unknown, hormiguero OFF_BY_POLICY"),
        (" Window? ", "The window of alice is open for"),
        ("help", responder.help_text()),
        ("make me a sandwich", "No assistant is set up here."),
    ],
)
async def test_without_an_assistant_a_few_words_are_answered_here(words: str, part: str) -> None:
    await open_a_window()
    reply = await conversations.ask(message(words))
    assert part in reply.text
    assert not reply.degraded


async def test_without_the_database_nobody_waits_for_long_and_nothing_is_asked(assistant: Assistant) -> None:
    await open_a_window()
    await conversations.ask(message())
    started = time.monotonic()
    with database_away(), pytest.raises(LedgerUnavailable):
        await conversations.ask(message())
    assert time.monotonic() - started < 2
    assert len(assistant.questions) == 1


async def test_n01_a_token_that_no_header_can_hold_is_not_quoted_in_why_there_was_no_answer(
    assistant: Assistant,
) -> None:
    # It is refused when a process starts; here it stands for whatever else of a credential a library may quote.
    broken = AssistantClient(assistant.url, "the-first-half\nthe-second-half-of-a-token")
    await open_a_window()
    row = await sync_to_async(lambda: stored())()
    with pytest.raises(AssistantUnavailable) as away:
        await broken.ask(row, {}, "c-1")
    await broken.close()
    assert "half" not in str(away.value)


async def test_who_answered_is_passed_on_where_the_assistant_says_so(assistant: Assistant) -> None:
    await open_a_window()
    answer = (await conversations.ask(message())).answer
    assert answer is not None
    assert (answer.provider, answer.model_used) == (None, None)
    assistant.body = b'{"response": "hi", "provider": "deepseek", "model_used": "r1", "tokens": 7}'
    answer = (await conversations.ask(message())).answer
    assert answer is not None
    assert (answer.content, answer.provider, answer.model_used) == ("hi", "deepseek", "r1")
