"""How a message ends that is not answered at once: told that it is late, and then what came of it; never nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from prometheus_client import REGISTRY
from pytest_django import Settings

from gateway.backend.breaker import FAILURES_LIMIT
from gateway.shared_store.limits import LimitExceeded
from operator_api.background_tasks import give_up_messages
from operator_api.chat import conversations, responder
from operator_api.models import ChatMessage
from tests.events.waiting import until
from tests.fresh import ask_settings_for_the_assistant
from tests.operator_api.chat.fake_assistant import Assistant
from tests.operator_api.samples import ALICE, BOB, message, opened
from tests.processes import free_port
from vx11_site.config.environment import Rate

pytestmark = pytest.mark.usefixtures("ledger", "ending")

HELLO, LATE, AWAY = ("user", "hello"), ("system", responder.late()), ("system", responder.away())
ANSWER, NO_ANSWER = ("assistant", "you said hello"), ("system", responder.NO_ANSWER)


@pytest.fixture
async def assistant(settings: Settings) -> AsyncIterator[Assistant]:
    with Assistant() as running:
        settings.CHAT_UPSTREAM_URL, settings.CHAT_UPSTREAM_WAIT_MS = running.url, 100
        ask_settings_for_the_assistant()
        await sync_to_async(opened)()
        yield running
        running.release()
        await conversations.finish(0)
        ask_settings_for_the_assistant()


@sync_to_async
def said() -> list[tuple[str, str]]:
    return list(ChatMessage.objects.order_by("pk").values_list("role", "content"))


@sync_to_async
def let_wait() -> None:
    ChatMessage.objects.exclude(answer_due_at=None).update(answer_due_at="2026-01-01T00:00:00Z")


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_late_failure_is_told_after_the_word_that_it_is_late(assistant: Assistant) -> None:
    assistant.status = 500
    assistant.hold()
    none = counted("vx11_chat_late_answers_total", outcome="none")
    assert (await conversations.ask(message())).text == responder.late()
    assistant.release()
    await conversations.finish(10)
    assert await said() == [HELLO, LATE, AWAY]
    assert counted("vx11_chat_late_answers_total", outcome="none") == none + 1


async def test_a_process_that_ends_waits_for_answers_that_come_in_time(assistant: Assistant) -> None:
    assistant.hold()
    stored = counted("vx11_chat_late_answers_total", outcome="stored")
    await conversations.ask(message())
    ending = asyncio.create_task(conversations.finish(10))
    assistant.release()
    await ending
    assert await said() == [HELLO, LATE, ANSWER]
    assert counted("vx11_chat_late_answers_total", outcome="stored") == stored + 1


async def test_what_is_not_answered_by_then_another_process_gives_up_when_it_is_due(assistant: Assistant) -> None:
    assistant.hold()
    lost = counted("vx11_chat_late_answers_total", outcome="lost")
    await conversations.ask(message())
    await conversations.finish(0.1)
    assert counted("vx11_chat_late_answers_total", outcome="lost") == lost + 1
    await give_up_messages()
    assert await said() == [HELLO, LATE]
    await let_wait()
    told = counted("vx11_chat_unanswered_total")
    await asyncio.gather(give_up_messages(), give_up_messages())
    assert await said() == [HELLO, LATE, NO_ANSWER]
    assert counted("vx11_chat_unanswered_total") == told + 1


async def test_a_process_with_nothing_under_way_ends_at_once() -> None:
    async with asyncio.timeout(1):
        await conversations.finish(60)


async def test_each_message_is_counted_by_what_became_of_it(assistant: Assistant, settings: Settings) -> None:
    def outcomes() -> dict[str, float]:
        names = ("answered", "late", "away", "local", "refused")
        return {name: counted("vx11_chat_messages_total", outcome=name) for name in names}

    before = outcomes()
    settings.CHAT_UPSTREAM_WAIT_MS = 5_000
    await conversations.ask(message())
    settings.CHAT_UPSTREAM_WAIT_MS = 100
    assistant.hold()
    await conversations.ask(message())
    assert counted("vx11_chat_answers_awaited") == 1
    assistant.release()
    await conversations.finish(10)
    assert counted("vx11_chat_answers_awaited") == 0
    settings.CHAT_UPSTREAM_URL = f"http://127.0.0.1:{free_port()}/ask"
    ask_settings_for_the_assistant()
    settings.CHAT_UPSTREAM_WAIT_MS = 5_000
    await conversations.ask(message())
    settings.CHAT_UPSTREAM_URL = ""
    await conversations.ask(message())
    assert {name: outcomes()[name] - before[name] for name in before} == {
        "answered": 1, "late": 1, "away": 1, "local": 1, "refused": 0,
    }  # fmt: skip


async def test_an_assistant_that_fails_is_seen_in_the_metrics(assistant: Assistant, settings: Settings) -> None:
    assistant.status = 500
    settings.CHAT_UPSTREAM_WAIT_MS = 5_000
    failed = counted("vx11_chat_upstream_seconds_count", outcome="failed")
    not_asked = counted("vx11_chat_not_asked_total", reason="breaker")
    for _ in range(FAILURES_LIMIT):
        await conversations.ask(message())
    assert counted("vx11_chat_breaker_open") == 1
    await conversations.ask(message())
    assert counted("vx11_chat_upstream_seconds_count", outcome="failed") == failed + FAILURES_LIMIT
    assert counted("vx11_chat_not_asked_total", reason="breaker") == not_asked + 1
    ask_settings_for_the_assistant()
    assistant.status = 200
    await conversations.ask(message())
    assert counted("vx11_chat_breaker_open") == 0


async def test_a_cookie_of_the_assistant_does_not_reach_it_with_the_words_of_somebody_else(
    assistant: Assistant, settings: Settings
) -> None:
    settings.CHAT_UPSTREAM_WAIT_MS = 5_000
    assistant.headers = {"Set-Cookie": "conversation=of-one; Path=/"}
    await conversations.ask(message())
    await conversations.ask(message(by=BOB))
    assert ["Cookie" in question.headers for question in assistant.questions] == [False, False]


async def test_who_writes_too_often_is_refused_before_anything_is_read(settings: Settings) -> None:
    settings.CHAT_RATE = Rate(2, 60)
    for _ in range(2):
        await conversations.admit(ALICE.principal_id)
    with pytest.raises(LimitExceeded) as limited:
        await conversations.admit(ALICE.principal_id)
    assert (limited.value.name, 0 < limited.value.retry_after_seconds <= 60) == ("chat_messages", True)
    await conversations.admit(BOB.principal_id)


async def test_an_answer_that_overtakes_the_word_that_it_is_late_is_the_answer(assistant: Assistant) -> None:
    assistant.hold()
    talking = asyncio.create_task(conversations.ask(message()))
    await until(lambda: assistant.questions)
    assistant.release()
    reply = await talking
    await conversations.finish(10)
    conversation = await said()
    # Whichever came first: never that it is late after the answer.
    assert conversation in ([HELLO, ANSWER], [HELLO, LATE, ANSWER])
    assert reply.degraded == (conversation[1] == LATE)
