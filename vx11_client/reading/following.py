"""Follow the events of a server, in a plain loop or in an async one. No Django.

for item in follow("https://operator.example.org", token, since=cursor):
    match item:
        case Received(event, cursor):
            handle(event)
            save(cursor)
        case StreamReset(reason):
            read_the_state_again()
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence

from vx11_client.backoff import Backoff
from vx11_client.errors import InvalidSettings
from vx11_client.reading.stream_reader import Item, StreamReader
from vx11_client.server_access import checked_token, server_url

FILTERS = ("severity", "module", "event_type", "correlation_id")
# One page of GET /operator/api/events.
LAST_LIMIT_EVENTS = 500


def follow(
    url: str,
    token: str,
    *,
    since: str = "",
    last: int = 0,
    filters: Mapping[str, str | Sequence[str]] | None = None,
    query: str = "",
    to_the_end: bool = False,
    backoff: Backoff | None = None,
) -> Generator[Item, None, None]:
    """The events of a server, each once and in order, over as many connections as it takes.

    `url` is the address of the server, with the path in front of `/operator/` if it has one. `token` is a principal
    token with `events:read` and `tickets:issue`. `since` is a cursor to go on after; without it, reading begins now.
    `last` (at most 500) gives so many of the newest events first, in place of `since`. `filters` holds one value or a
    list for `severity`, `module`, `event_type`, `correlation_id`; `query` is a text such as `severity>=warn refused`
    (docs/query.md), and events pass both. With `to_the_end` it returns at the end of the log.

    Gives Received, Connected, CaughtUp, Heartbeat (every 10 s by default), StreamReset and Reconnecting. To go on after
    a restart of your program, save the `cursor` of the last item you have handled.

    The loop may take its time: a server closes the stream of a reader that does not read, and reading goes on from the
    last item. Leaving the loop closes the connection when the generator is closed or deleted.

    Raises InvalidSettings at once. While iterating raises StreamEnded (revoked, expired, disconnected by an
    administrator) and ServerRefused (the token, the cursor or a filter is refused); all other failures are tried again.
    """
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        raise InvalidSettings("follow() would block the event loop of this thread; use afollow() there")
    reader = _Following(
        url, token, since=since, last=last, filters=filters, query=query, to_the_end=to_the_end, backoff=backoff
    )
    return _in_a_loop_of_its_own(reader)


def afollow(
    url: str,
    token: str,
    *,
    since: str = "",
    last: int = 0,
    filters: Mapping[str, str | Sequence[str]] | None = None,
    query: str = "",
    to_the_end: bool = False,
    backoff: Backoff | None = None,
) -> AsyncGenerator[Item, None]:
    """As follow(), for `async for`. Use it in `async with contextlib.aclosing(afollow(...)) as items`.

    Without aclosing, a loop that is left early keeps its connection until the garbage collector comes.
    """
    return _Following(
        url, token, since=since, last=last, filters=filters, query=query, to_the_end=to_the_end, backoff=backoff
    ).one_by_one()


class _Following:
    """The checked arguments of one call."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        since: str,
        last: int,
        filters: Mapping[str, str | Sequence[str]] | None,
        query: str,
        to_the_end: bool,
        backoff: Backoff | None,
    ) -> None:
        if since and last:
            raise InvalidSettings("since and last exclude each other: both say where reading begins")
        if not 0 <= last <= LAST_LIMIT_EVENTS:
            raise InvalidSettings(f"last is a number from 0 to {LAST_LIMIT_EVENTS}")
        if unknown := set(filters or {}) - set(FILTERS):
            raise InvalidSettings(f"no filter is named {sorted(unknown)[0]}: use {', '.join(FILTERS)}")
        self._last, self._to_the_end, self._since, self._backoff = last, to_the_end, since, backoff
        self._url, self._token = server_url(url), checked_token(token)
        self._filters = {
            name: [values] if isinstance(values, str) else list(values) for name, values in (filters or {}).items()
        }
        if query:
            self._filters["q"] = [query]

    async def one_by_one(self) -> AsyncGenerator[Item, None]:
        async with contextlib.aclosing(self.in_groups()) as groups:
            async for items in groups:
                for item in items:
                    yield item

    async def in_groups(self) -> AsyncGenerator[list[Item], None]:
        reader = StreamReader(
            url=self._url, token=self._token, filters=self._filters, cursor=self._since, backoff=self._backoff
        )
        try:
            if self._last:
                async with contextlib.aclosing(reader.newest(self._last)) as newest:
                    async for item in newest:
                        yield [item]
            async with contextlib.aclosing(reader.follow_in_groups(to_the_end=self._to_the_end)) as following:
                async for items in following:
                    yield items
        finally:
            await reader.close()


def _in_a_loop_of_its_own(following: _Following) -> Generator[Item, None, None]:
    groups = following.in_groups()

    async def next_group() -> list[Item]:
        return await anext(groups, [])

    # With a factory, the loop is not made the current one of the caller's thread.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        try:
            # To start the loop takes longer than to read an event: once for all events that arrive together.
            while items := runner.run(next_group()):
                yield from items
        finally:
            runner.run(groups.aclose())
