"""The way to the backend: what is passed on, what is asked again, and what is no answer at all."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from gateway.backend import client
from gateway.backend.breaker import FAILURES_LIMIT
from gateway.backend.client import Backend, BackendAnswer, BackendUnavailable, Question
from gateway.backend.service_tokens import ServiceTokens
from gateway.http.errors import ApiError
from tests.gateway.backend.fake_backend import HANG_UP, SILENCE, FakeBackend, http_answer
from tests.processes import free_port

OURS = b'{"mode": "solo_madre"}'
NewBackend = Callable[..., Backend]


def question(
    method: str = "GET", *, path: str = "window/status", query: str = "", asked_by: str = "nobody"
) -> Question:
    return Question(method, path, query, {"X-Correlation-Id": "c-1"}, b"", asked_by)


@pytest_asyncio.fixture
async def new_backend() -> AsyncIterator[NewBackend]:
    made: list[Backend] = []

    def make(url: str, *tokens: str) -> Backend:
        made.append(Backend(url, ServiceTokens(lambda _before: tokens or ("one",))))
        return made[-1]

    yield make
    for backend in made:
        await backend.close()


async def outcome_of(asking: Any) -> str:
    with pytest.raises(BackendUnavailable) as unavailable:
        await asking
    return unavailable.value.outcome


async def test_an_answer_is_passed_on_with_its_status_type_and_body(new_backend: NewBackend) -> None:
    body = b'{"reason": "window_already_open"}'
    said = http_answer(
        409, body, kind="application/problem+json", more="Retry-After: 7\r\nSet-Cookie: a=b\r\nServer: x\r\n"
    )
    async with FakeBackend(said) as fake:
        answer = await new_backend(fake.url).ask(question("POST", path="window/open", query="a=%20b&a=c"))
    assert answer == BackendAnswer(
        409, {"Content-Type": "application/problem+json", "Retry-After": "7"}, body, "nobody"
    )
    assert fake.requests[0].startswith("POST /api/window/open?a=%20b&a=c HTTP/1.1\r\n")
    assert "X-VX11-Token: one\r\n" in fake.requests[0]
    assert "X-Correlation-Id: c-1\r\n" in fake.requests[0]


async def test_connections_are_kept(new_backend: NewBackend) -> None:
    async with FakeBackend(http_answer()) as fake:
        backend = new_backend(fake.url)
        for _ in range(5):
            await backend.ask(question())
    assert (len(fake.requests), fake.connections) == (5, 1)


@pytest.mark.parametrize("first", [HANG_UP, http_answer(503), b"nonsense\r\n\r\n"])
async def test_what_changes_nothing_is_asked_a_second_time(first: bytes, new_backend: NewBackend) -> None:
    async with FakeBackend(first, http_answer(body=OURS)) as fake:
        assert (await new_backend(fake.url).ask(question())).body == OURS
    assert len(fake.requests) == 2


@pytest.mark.parametrize(("first", "outcome"), [(HANG_UP, "away"), (http_answer(503), "failed")])
async def test_what_changes_something_is_asked_once(first: bytes, outcome: str, new_backend: NewBackend) -> None:
    async with FakeBackend(first, http_answer()) as fake:
        assert await outcome_of(new_backend(fake.url).ask(question("POST"))) == outcome
    assert len(fake.requests) == 1


async def test_whoever_cannot_be_reached_is_tried_again_whatever_the_method(
    new_backend: NewBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = new_backend(f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(client, "RETRY_PAUSE_SECONDS", 0.0)
    sent = []
    send = backend._send

    async def counted(*words: Any) -> BackendAnswer:
        sent.append(words)
        return await send(*words)

    monkeypatch.setattr(backend, "_send", counted)
    assert await outcome_of(backend.ask(question("POST"))) == "away"
    assert len(sent) == 2


@pytest.mark.parametrize(
    "said",
    [
        http_answer(answers=""),
        http_answer(404, answers=""),
        http_answer(302, answers="", more="Location: http://127.0.0.1:1/\r\n"),
        http_answer(answers="p-0000000000"),
        http_answer(kind="text/html"),
        http_answer(more="Content-Encoding: gzip\r\n"),
    ],
    ids=["of somebody else", "not found", "redirect", "for another operator", "html", "packed"],
)
async def test_what_is_no_answer_of_a_backend_to_this_operator_is_not_passed_on(
    said: bytes, new_backend: NewBackend
) -> None:
    async with FakeBackend(said) as fake:
        assert await outcome_of(new_backend(fake.url).ask(question())) == "unfit"
    assert len(fake.requests) == 1


@pytest.mark.parametrize("said", [HANG_UP, b"\x16\x03\x01 nonsense\r\n\r\n", http_answer(500), http_answer(503)])
async def test_what_is_not_http_or_a_failure_there_is_unavailable(said: bytes, new_backend: NewBackend) -> None:
    async with FakeBackend(said) as fake:
        assert await outcome_of(new_backend(fake.url).ask(question())) in ("away", "failed")


async def test_an_answer_without_end_is_cut_at_its_limit(
    new_backend: NewBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_LIMIT_BYTES", 1000)
    async with FakeBackend(http_answer(body=b"x" * 1001), http_answer(body=b"x" * 1000)) as fake:
        backend = new_backend(fake.url)
        assert await outcome_of(backend.ask(question())) == "unfit"
        assert len((await backend.ask(question())).body) == 1000


async def test_a_silent_backend_costs_its_time_and_no_more(
    new_backend: NewBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.3)
    async with FakeBackend(SILENCE) as fake:
        started = time.monotonic()
        assert await outcome_of(new_backend(fake.url).ask(question())) == "late"
        assert 0.3 <= time.monotonic() - started < 2
    assert len(fake.requests) == 1


async def test_a_backend_that_fails_is_left_alone_and_asked_again_later(
    new_backend: NewBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "BREAKER_PAUSE_SECONDS", 0.2)
    async with FakeBackend(*[http_answer(answers="")] * FAILURES_LIMIT, http_answer()) as fake:
        backend = new_backend(fake.url)
        for _ in range(FAILURES_LIMIT):
            assert await outcome_of(backend.ask(question())) == "unfit"
        assert await outcome_of(backend.ask(question())) == "spared"
        async with asyncio.timeout(5):
            while backend.is_away:
                with contextlib.suppress(BackendUnavailable):
                    await backend.ask(question())
                await asyncio.sleep(0.02)
    assert len(fake.requests) == FAILURES_LIMIT + 1


async def test_a_refused_token_gives_way_to_the_next_and_is_not_tried_first_again(new_backend: NewBackend) -> None:
    script = (http_answer(401, answers=""), http_answer(body=OURS), http_answer())
    async with FakeBackend(*script) as fake:
        backend = new_backend(fake.url, "old", "new")
        assert (await backend.ask(question("POST"))).body == OURS
        await backend.ask(question("POST"))
    sent = [head.split("X-VX11-Token: ")[1].split("\r\n")[0] for head in fake.requests]
    assert sent == ["old", "new", "new"]


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_without_a_good_token_the_backend_is_unavailable_and_nobody_is_unauthorised(
    status: int, new_backend: NewBackend, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeBackend(http_answer(status, answers="")) as fake:
        assert await outcome_of(new_backend(fake.url, "a-bad-token").ask(question())) == "token_refused"
    assert "VX11_SERVICE_TOKEN is not accepted" in caplog.text
    assert "a-bad-token" not in caplog.text


async def test_a_refusal_of_the_operator_is_passed_on(new_backend: NewBackend) -> None:
    async with FakeBackend(http_answer(401, kind="application/problem+json", answers="p-1")) as fake:
        answer = await new_backend(fake.url).ask(question(asked_by="p-1"))
    assert (answer.status, len(fake.requests)) == (401, 1)


async def test_more_than_can_wait_is_refused_at_once(new_backend: NewBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "QUESTIONS_LIMIT", 1)
    async with FakeBackend(SILENCE) as fake:
        backend = new_backend(fake.url)
        waiting = asyncio.create_task(backend.ask(question()))
        await asyncio.sleep(0)
        assert await outcome_of(backend.ask(question())) == "busy"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_an_address_that_cannot_be_written_is_the_callers_mistake(new_backend: NewBackend) -> None:
    async with FakeBackend(http_answer()) as fake:
        with pytest.raises(ApiError, match="bad_request"):
            await new_backend(fake.url).ask(question(query="a=\x01"))
    assert fake.requests == []


async def test_one_request_without_an_answer_makes_it_seem_away_until_the_next_answer(new_backend: NewBackend) -> None:
    async with FakeBackend(HANG_UP, HANG_UP, http_answer()) as fake:
        backend = new_backend(fake.url)
        assert not backend.seems_away
        await backend.look()
        assert (backend.seems_away, backend.is_away) == (True, False)
        await backend.look()
        assert not backend.seems_away


async def test_a_backend_that_was_asked_lately_is_not_asked_again_for_its_health(new_backend: NewBackend) -> None:
    async with FakeBackend(http_answer()) as fake:
        backend = new_backend(fake.url)
        await backend.ask(question())
        await backend.look()
    assert len(fake.requests) == 1
