"""One backend of several goes while operators work: they read at the other, and what they write is done once."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import httpx2
import pytest

from tests.client import API, LOOPBACK, Client
from tests.deploy.conftest import OwnTopology
from tests.deploy.test_restarts import restart, wait_until_used
from tests.faults.waiting import until
from tests.servers import RunningServer

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

WRITERS, READERS = 3, 3
MESSAGES = 20
PAUSE_SECONDS = 0.3


class Operators:
    """Some read and some write, through nginx and gateways."""

    def __init__(self, client: Client) -> None:
        self.read: Counter[int] = Counter()
        # Status by chat session; each message has a session of its own.
        self.written: dict[str, int] = {}
        self._client = client
        self._numbers = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Operators":
        headers = {"X-VX11-Token": self._client.token or ""}
        self._http = httpx2.AsyncClient(base_url=self._client.url, headers=headers, **LOOPBACK, timeout=10)
        work = [self._write] * WRITERS + [self._read] * READERS
        self._tasks = [asyncio.create_task(forever()) for forever in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def works_on(self) -> None:
        enough = len(self.written) + MESSAGES
        await until(lambda: len(self.written) >= enough, "operators go on writing")

    def stored(self, session_id: str) -> int:
        """How often a message is there."""
        found = self._client.get(f"{API}/chat", params={"session_id": session_id}).json()["messages"]
        return [message["role"] for message in found].count("user")

    async def _write(self) -> None:
        while True:
            session_id = f"drained-{next(self._numbers)}"
            answer = await self._http.post(f"{API}/chat", json={"message": "help", "session_id": session_id})
            self.written[session_id] = answer.status_code
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self) -> None:
        while True:
            answer = await self._http.get(f"{API}/modules")
            self.read[answer.status_code] += 1
            await asyncio.sleep(PAUSE_SECONDS)


def kill(_: object, server: RunningServer) -> None:
    server.kill()
    server.start()


@pytest.mark.parametrize(("goes", "writers_may_be_told"), [(restart, {200}), (kill, {200, 503})])
async def test_f30_a_backend_that_goes_costs_no_reader_an_answer_and_nothing_is_written_twice(
    own_topology: OwnTopology, goes: Callable[..., None], writers_may_be_told: set[int]
) -> None:
    topology = own_topology()
    client = topology.proxied(topology.principal_token)
    assert client.post(f"{API}/window/open", json={"mode": "hold"}).status_code == 200
    async with Operators(client) as operators:
        for backend in topology.backends:
            await operators.works_on()
            await asyncio.to_thread(goes, topology, backend)
            await asyncio.to_thread(wait_until_used, topology, backend)
        await operators.works_on()
    assert set(operators.read) == {200}
    assert set(operators.written.values()) <= writers_may_be_told
    for session_id, status in operators.written.items():
        assert operators.stored(session_id) in ({1} if status == 200 else {0, 1})
