"""Many processes on one SQLite file: each waits for its turn, and nobody is told that the file is locked."""

import asyncio
import time
from pathlib import Path

import httpx2
import pytest

from tests.client import API, LOOPBACK
from tests.servers import RunningServer
from tests.stacks import Stack
from tests.stores import PrivateRedis

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

PROCESSES, PUBLISHES = 4, 60
SAVES = 30
# What a caller may be told who waited in vain.
ANSWERS = {201, 503}


class Crowd(Stack):
    """Four servers on the database of the first."""

    def __init__(self, folder: Path, redis: PrivateRedis) -> None:
        super().__init__("embedded", folder, environment={"VX11_REDIS_URL": redis.url})

    def start(self) -> None:
        super().start()
        self.servers += [RunningServer(self.folder / f"more-{n}", self.a.environment) for n in range(PROCESSES - 1)]
        for server in self.servers[1:]:
            server.environment["VX11_DATA_DIR"] = self.a.environment["VX11_DATA_DIR"]
            server.start()


# As the admin does it: a transaction that reads, writes and takes its time.
SAVE_AS_THE_ADMIN_DOES = f"""
import time
from django.db import transaction
from gateway.models import AccessToken
token = AccessToken.objects.first()
for number in range({SAVES}):
    with transaction.atomic():
        token.refresh_from_db()
        token.name = f"saved {{number}}"
        token.save()
        time.sleep(0.02)
"""


async def publish(http: httpx2.AsyncClient, server: RunningServer, token: str) -> list[int]:
    statuses = []
    for number in range(PUBLISHES):
        event = {"event_type": "test.happened", "summary": f"{server.port} {number}"}
        answer = await http.post(f"{server.url}{API}/events", json=event, headers={"X-VX11-Token": token}, timeout=10)
        statuses.append(answer.status_code)
    return statuses


async def test_f21_four_processes_that_write_and_an_admin_who_saves_wait_for_each_other(
    tmp_path: Path, stack_size: str
) -> None:
    if stack_size == "scaled":
        pytest.skip("PostgreSQL has no such lock")
    with PrivateRedis() as redis, Crowd(tmp_path, redis) as crowd:
        started = time.monotonic()
        async with httpx2.AsyncClient(**LOOPBACK) as http:
            saving = asyncio.to_thread(crowd.a.manage, "shell", "--no-imports", "-c", SAVE_AS_THE_ADMIN_DOES)
            publishing = [publish(http, server, crowd.service_token) for server in crowd.servers]
            _, *answered = await asyncio.gather(saving, *publishing)
        took_seconds = time.monotonic() - started
        statuses = [status for answers in answered for status in answers]
        assert len(statuses) == PROCESSES * PUBLISHES
        assert set(statuses) <= ANSWERS, f"in {took_seconds:.1f} s"
        for server in crowd.servers:
            assert "database is locked" not in server.process.log()
        stored = crowd.client(crowd.principal_token).polled(limit=500)["events"]
        # A publisher that was told 503 may have been heard all the same.
        assert statuses.count(201) <= len(stored) <= len(statuses)
        assert statuses.count(201) > len(statuses) * 0.9
        crowd.assert_clean_logs()
