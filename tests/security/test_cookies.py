"""Made-up cookies and pages for strangers: they cost a bounded part of a process, and others do not notice."""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

import httpx2
import psycopg
import pytest

from tests.accounts import add_account
from tests.client import API, LOOPBACK
from tests.conftest import OwnStack
from tests.stacks import Stack

AT_ONCE, REQUESTS = 150, 300
PAGES = (
    *("/operator/", "/admin/", "/operator/login", "/admin/login/", f"{API}/events", f"{API}/status", "/no/page"),
    *("/static/operator_api/console.js", "/operator/language", f"{API}/docs/errors", "/"),
)
HELD = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vx11-operator' AND datname = %s"
# docs/scaling.md: what one process holds, whatever is asked of it. Files besides connections of clients.
CONNECTIONS, THREADS, FILES = 11, 40, 90


class Watch:
    """The most that the first server held while it was watched."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._process = Path(f"/proc/{stack.a.pid}")
        self.threads = self.files = self.connections = 0

    def look(self) -> None:
        with self._administrator() as database:
            self._look(database)

    def _look(self, database: psycopg.Connection | None) -> None:
        self.threads = max(self.threads, len(list((self._process / "task").iterdir())))
        self.files = max(self.files, len(list((self._process / "fd").iterdir())))
        if database is not None:
            name = self._stack.a.environment["VX11_DATABASE_URL"].rpartition("/")[2]
            [(held,)] = database.execute(HELD, (name,)).fetchall()
            self.connections = max(self.connections, held)

    @contextmanager
    def _administrator(self) -> Iterator[psycopg.Connection | None]:
        """One connection for many looks: a new one for each would keep PostgreSQL busier than the flood does."""
        if self._stack.size == "embedded":
            yield None
            return
        with psycopg.connect(self._stack.postgres.url(), autocommit=True) as database:
            yield database

    @contextmanager
    def watching(self) -> Iterator[None]:
        ended = Event()

        def watch() -> None:
            with self._administrator() as database:
                while not ended.wait(0.02):
                    self._look(database)

        thread = Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def made_up_cookie(_number: int) -> dict[str, str]:
    return {"Cookie": f"vx11_session={secrets.token_hex(16)}; vx11_csrf={'x' * 32}"}


def same_cookie(_number: int) -> dict[str, str]:
    return {"Cookie": f"vx11_session={'0' * 31}1"}


def no_cookie(_number: int) -> dict[str, str]:
    return {}


async def flood(url: str, headers: Callable[[int], dict[str, str]]) -> Counter[int]:
    """Statuses of requests of which many are under way at a time, each on a connection of its own."""
    turns, statuses = asyncio.Semaphore(AT_ONCE), Counter[int]()
    limits = httpx2.Limits(max_connections=AT_ONCE)

    async def ask(http: httpx2.AsyncClient, number: int) -> None:
        async with turns:
            answer = await http.get(PAGES[number % len(PAGES)], headers=headers(number))
            statuses[answer.status_code] += 1

    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=30, **LOOPBACK) as http:
        await asyncio.gather(*(ask(http, number) for number in range(REQUESTS)))
    return statuses


@pytest.mark.parametrize("headers", [made_up_cookie, same_cookie, no_cookie])
async def test_n06_a_flood_of_made_up_cookies_holds_no_more_than_is_documented_and_others_do_not_notice(
    own_stack: OwnStack, headers: Callable[[int], dict[str, str]]
) -> None:
    stack = own_stack()
    cookie = {"Cookie": f"vx11_session={add_account(stack, group='operator').new_session()}"}
    reader, person = stack.client(stack.principal_token), stack.client(None)
    watch, told = Watch(stack), list[int]()
    # From another address, and about to sign in.
    elsewhere = httpx2.HTTPTransport(local_address="127.0.0.2")
    stranger = httpx2.Client(base_url=stack.a.url, transport=elsewhere, timeout=30)
    with watch.watching(), stranger:
        flooding = asyncio.create_task(flood(stack.a.url, headers))
        while not flooding.done():
            told.append((await asyncio.to_thread(stranger.get, "/operator/login")).status_code)
            told.append((await asyncio.to_thread(reader.issue_ticket)).status_code)
            told.append((await asyncio.to_thread(reader.get, "/ready")).status_code)
            told.append((await asyncio.to_thread(person.get, "/operator/", headers=cookie)).status_code)
            told.append((await asyncio.to_thread(person.get, f"{API}/events", headers=cookie)).status_code)
        statuses = await flooding
    assert set(told) == {200}
    # Some of so many from one address are told to come back.
    assert set(statuses) <= {200, 302, 401, 404, 405, 503}
    assert statuses[401]
    assert watch.threads <= THREADS
    assert watch.files <= AT_ONCE + FILES
    # All servers share the database.
    assert watch.connections <= CONNECTIONS * len(stack.processes)


def test_n06_requests_that_are_never_complete_hold_a_connection_each_and_nothing_else(own_stack: OwnStack) -> None:
    stack = own_stack()
    reader, watch = stack.client(stack.principal_token), Watch(stack)
    assert reader.get("/ready").status_code == 200
    watch.look()
    threads, connections = watch.threads, watch.connections
    begun = b"GET /operator/ HTTP/1.1\r\nHost: localhost\r\nCookie: vx11_session=" + b"0" * 32
    with ExitStack() as open_sockets, watch.watching():
        for _ in range(AT_ONCE):
            client = open_sockets.enter_context(socket.create_connection((stack.a.host, stack.a.port), timeout=10))
            client.sendall(begun)
        assert reader.issue_ticket().status_code == 200
        assert reader.poll(limit=1).status_code == 200
        assert stack.client(None).get("/operator/login").status_code == 200
    # The lanes that these few requests were the first to use.
    assert watch.threads <= threads + 10
    assert watch.files <= AT_ONCE + FILES
    assert watch.connections <= max(connections, CONNECTIONS) * len(stack.processes)
