"""Heads of requests to the backend: whatever callers write into theirs must not look like a backend that failed."""

import pytest

from gateway.backend import client
from gateway.backend.breaker import FAILURES_LIMIT
from gateway.backend.client import HEAD_LIMIT_BYTES, Backend, Question
from gateway.backend.service_tokens import ServiceTokens
from gateway.http.errors import ApiError
from tests.gateway.backend.fake_backend import FakeBackend, http_answer


def question(query: str = "", **headers: str) -> Question:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Question("POST", "chat", query, fields, b"{}")


def backend_at(fake: FakeBackend) -> Backend:
    return Backend(fake.url, ServiceTokens(lambda _before: ("one",)))


async def test_bytes_of_a_header_that_are_no_ascii_arrive_as_they_came() -> None:
    async with FakeBackend(http_answer()) as fake:
        backend = backend_at(fake)
        await backend.ask(question(Idempotency_Key="caf\xe9"))
        await backend.close()
    assert "Idempotency-Key: caf\xe9\r\n" in fake.requests[0]


@pytest.mark.parametrize(
    "bad",
    [
        question(Idempotency_Key="a\x0bb"),
        question(Content_Type="a\x0cb"),
        question(Idempotency_Key="k" * HEAD_LIMIT_BYTES),
        question(f"a={'b' * HEAD_LIMIT_BYTES}"),
        # A third of the limit as it came; three bytes for one as it is sent.
        question("a=" + '"' * (HEAD_LIMIT_BYTES // 3)),
        question("a=\x01"),
    ],
    ids=["vertical tab", "form feed", "long header", "long query", "long when written", "unwritable"],
)
async def test_what_cannot_be_passed_on_is_the_callers_mistake_and_nobody_elses_trouble(bad: Question) -> None:
    async with FakeBackend(http_answer()) as fake:
        backend = backend_at(fake)
        for _ in range(2 * FAILURES_LIMIT):
            with pytest.raises(ApiError, match="bad_request"):
                await backend.ask(bad)
        assert not backend.is_away
        assert (await backend.ask(question())).status == 200
        await backend.close()
    assert len(fake.requests) == 1


async def test_a_cookie_that_comes_with_one_answer_is_not_sent_with_the_next_request() -> None:
    async with FakeBackend(http_answer(more="Set-Cookie: session=of-somebody; Path=/\r\n")) as fake:
        backend = backend_at(fake)
        for _ in range(2):
            await backend.ask(question())
        await backend.close()
    assert len(fake.requests) == 2
    assert "cookie" not in fake.requests[1].lower()


async def test_a_failure_that_comes_while_one_tries_again_does_not_let_another_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "BREAKER_PAUSE_SECONDS", 0.0)
    async with FakeBackend(http_answer(answers="")) as fake:
        backend = backend_at(fake)
        late = backend._client._breaker.turn()
        assert late is not None
        for _ in range(FAILURES_LIMIT):
            with pytest.raises(client.BackendUnavailable):
                await backend.ask(question())
        trying = backend._client._breaker.turn()
        late.failed()
        with pytest.raises(client.BackendUnavailable) as spared:
            await backend.ask(question())
        assert trying is not None
        assert spared.value.outcome == "spared"
        await backend.close()
