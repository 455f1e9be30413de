"""The one client for another server: every bound holds, whatever that server does, and no credential is quoted."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
import pytest_asyncio

from gateway import tokens
from gateway.backend.bounded_client import BoundedClient, Bounds, NoAnswer, described
from gateway.backend.breaker import FAILURES_LIMIT
from tests.apps import files_with
from tests.gateway.backend.fake_backend import HANG_UP, SILENCE, FakeBackend, http_answer

BOUNDS = Bounds(
    answer_seconds=5.0,
    connect_seconds=1.0,
    requests_limit=8,
    connections_limit=2,
    keep_alive_seconds=5.0,
    answer_limit_bytes=1000,
    breaker_pause_seconds=60.0,
)
NewClient = Callable[..., BoundedClient]


@pytest_asyncio.fixture
async def new_client() -> AsyncIterator[NewClient]:
    made: list[BoundedClient] = []

    def make(**bounds: float) -> BoundedClient:
        made.append(BoundedClient(dataclasses.replace(BOUNDS, **bounds)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for client in made:
        await client.close()


async def body_from(client: BoundedClient, url: str) -> bytes:
    async def exchange() -> bytes:
        response = await client.send(client.build_request("GET", url))
        try:
            return await client.read_body(response)
        finally:
            await response.aclose()

    return await client.ask(exchange)


async def outcome_from(client: BoundedClient, url: str) -> str:
    with pytest.raises(NoAnswer) as none:
        await body_from(client, url)
    return none.value.outcome


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (HANG_UP, "away"),
        (b"nonsense\r\n\r\n", "away"),
        (http_answer(body=b"x" * 1001), "unfit"),
        (http_answer(more="Content-Encoding: gzip\r\n"), "unfit"),
    ],
    ids=["hung up", "not HTTP", "too long", "compressed"],
)
async def test_what_is_no_answer_is_named_and_counts_as_a_failure(
    said: bytes, outcome: str, new_client: NewClient
) -> None:
    async with FakeBackend(said) as fake:
        client = new_client()
        for _ in range(FAILURES_LIMIT):
            assert await outcome_from(client, fake.url) == outcome
        assert client.is_away
        assert await outcome_from(client, fake.url) == "spared"
    assert len(fake.requests) == FAILURES_LIMIT


async def test_an_answer_of_just_the_limit_is_read(new_client: NewClient) -> None:
    async with FakeBackend(http_answer(body=b"x" * 1000)) as fake:
        assert len(await body_from(new_client(), fake.url)) == 1000


async def test_silence_costs_the_agreed_time_and_no_more(new_client: NewClient) -> None:
    async with FakeBackend(SILENCE) as fake:
        started = time.monotonic()
        assert await outcome_from(new_client(answer_seconds=0.3), fake.url) == "late"
        assert 0.3 <= time.monotonic() - started < 2


async def test_waiting_for_a_connection_is_part_of_the_agreed_time(new_client: NewClient) -> None:
    async with FakeBackend(SILENCE) as fake:
        client = new_client(answer_seconds=0.3, connections_limit=1)
        started = time.monotonic()
        outcomes = await asyncio.gather(*(outcome_from(client, fake.url) for _ in range(5)))
        # One after the other, they would take five times as long.
        assert time.monotonic() - started < 1.4
    assert outcomes == ["late"] * 5


async def test_more_requests_than_the_limit_are_refused_at_once_and_are_no_failure(new_client: NewClient) -> None:
    async with FakeBackend(SILENCE) as fake:
        client = new_client(requests_limit=1, answer_seconds=1.0)
        waiting = asyncio.create_task(body_from(client, fake.url))
        await asyncio.sleep(0)
        for _ in range(2 * FAILURES_LIMIT):
            assert await outcome_from(client, fake.url) == "busy"
        assert not client.is_away
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        # Its place is free again.
        assert await outcome_from(client, fake.url) == "late"


async def test_an_exception_of_the_caller_says_nothing_about_the_other_server(new_client: NewClient) -> None:
    client = new_client()

    async def mistaken() -> None:
        raise KeyError("the caller's")

    for _ in range(2 * FAILURES_LIMIT):
        with pytest.raises(KeyError):
            await client.ask(mistaken)
    assert not client.is_away


async def test_a_redirect_is_not_followed_and_a_cookie_not_kept(new_client: NewClient) -> None:
    async with FakeBackend(http_answer(302, more="Location: /elsewhere\r\nSet-Cookie: a=b; Path=/\r\n")) as fake:
        client = new_client()
        for _ in range(2):
            await body_from(client, fake.url)
    assert [head.split()[1] for head in fake.requests] == ["/", "/"]
    assert not any("cookie" in head.lower() for head in fake.requests)


def test_an_error_is_described_without_credentials_and_in_few_characters() -> None:
    assert described(httpx2.LocalProtocolError("Illegal header value b'half of a token'")) == "LocalProtocolError"
    quoted = described(httpx2.ConnectError(f"{tokens.mint('principal')} in the query"))
    assert quoted == "ConnectError: vx11p_*** in the query"
    assert described(httpx2.ReadError("")) == "ReadError"
    assert len(described(OSError("x" * 10_000))) == 200


def test_there_is_one_such_client() -> None:
    """Only the probes of modules, which keep nothing from one round to the next, make a client of their own."""
    # Those of vx11_client run elsewhere.
    making = [path for path in files_with("httpx2.AsyncClient(") if not path.startswith("vx11_client/")]
    assert making == ["gateway/backend/bounded_client.py", "operator_api/probes.py"]
