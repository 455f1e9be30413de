"""Follows the event stream of a server through tickets, for as long as it takes. No Django.

Each connection has a ticket of its own, asked for just before. A connection that breaks, falls silent or is ended by
the server is replaced by another one from the last cursor, so that no event is missed and none comes twice.
"""

import asyncio
import contextlib
import dataclasses
import datetime
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2

from vx11_client import exact_json
from vx11_client.backoff import Backoff, retry_after_seconds
from vx11_client.errors import ClientError
from vx11_client.http_answers import DIRECT_MOUNTS, ServerRefused, problem_text
from vx11_client.reading.sse_parser import EventStreamParser, NotAnEventStream, SseMessage
from vx11_client.request_log import hide_tickets

EVENTS_PATH = "/operator/api/events"
TICKET_PATH = f"{EVENTS_PATH}/sse-token"
STREAM_PATH = f"{EVENTS_PATH}/stream"
CONNECT_TIMEOUT_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 15.0
# Half of it is the shortest wait: a stream that ends as soon as it began is opened once a second at most.
FIRST_WAIT_SECONDS = 2.0
# Two heartbeats may be late; the third makes the connection dead.
SILENCE_HEARTBEATS = 2.5
DEFAULT_HEARTBEAT_SECONDS = 10.0
# A refused ticket is asked for again: it may have expired on the way. More in a row is a server that knows no tickets.
TICKET_TRIES = 5
# A stream that ended for one of these ends for good.
FINAL_REASONS = frozenset({"revoked", "expired", "disconnected_by_admin"})
END_OF_LOG = "end_of_log"

Filters = Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Received:
    """An operator event, as the server sent it. `cursor` is the position after it; empty for events of the past.

    Events of the past are those that `last` asks for; the position after all of them is that of the next Connected.
    """

    event: dict[str, Any]
    cursor: str = ""


@dataclasses.dataclass(frozen=True)
class Connected:
    """A stream is open. The events after `cursor` follow."""

    cursor: str


@dataclasses.dataclass(frozen=True)
class CaughtUp:
    """All events up to `cursor` were received; those that follow are written now."""

    cursor: str


@dataclasses.dataclass(frozen=True)
class Heartbeat:
    """The connection works, and no event up to `cursor` passes the filters but those that were received."""

    cursor: str = ""


@dataclasses.dataclass(frozen=True)
class StreamReset:
    """Events are missing here: those before `oldest` are deleted, or the log is another one. `cursor` goes on.

    `reason` is `expired` (pruned), `epoch` (another log) or `unknown` (the cursor is ahead of the log).
    """

    reason: str
    cursor: str
    oldest: str = ""


@dataclasses.dataclass(frozen=True)
class Reconnecting:
    """The connection is lost; the next try is in `seconds`. No event is lost by it.

    `stream_end` is the reason of the server's `stream-end` (`draining`, `max_age`, `slow_consumer`), empty without one.
    """

    seconds: float
    reason: str
    stream_end: str = ""


Item = Received | Connected | CaughtUp | Heartbeat | StreamReset | Reconnecting


class StreamEnded(ClientError):
    """The server ended the stream and gives no other one: `reason` is one of FINAL_REASONS."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the server ended the stream: {reason}")


class _Broken(Exception):
    """This connection is over, the next one may work; the server asked for `least_seconds` before it."""

    def __init__(self, reason: str, *, least_seconds: float = 0.0, stream_end: str = "") -> None:
        self.least_seconds = least_seconds
        self.stream_end = stream_end
        super().__init__(reason)


class StreamReader:
    """One reader of one server. `cursor` is where it stands; empty means from now on."""

    def __init__(
        self, *, url: str, token: str, filters: Filters, cursor: str = "", backoff: Backoff | None = None
    ) -> None:
        self.cursor = cursor
        self._filters = {name: list(values) for name, values in filters.items() if values}
        self._backoff = backoff or Backoff(first_seconds=FIRST_WAIT_SECONDS)
        self._heartbeat_seconds = DEFAULT_HEARTBEAT_SECONDS
        self._tickets_refused = 0
        self._token = token
        hide_tickets()
        self._client = httpx2.AsyncClient(
            base_url=url,
            mounts=DIRECT_MOUNTS,
            timeout=httpx2.Timeout(ANSWER_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
        )

    async def newest(self, count: int) -> AsyncGenerator[Item, None]:
        """The newest `count` events that pass the filters, oldest first; reading goes on after them."""
        found: list[Any] = []
        # Where the search goes on backwards: what passes a filter may be rare, and one answer looks no further.
        before: dict[str, str] = {}
        while True:
            params = {"limit": str(count - len(found)), **before, **self._filters}
            try:
                page = await self._ask("GET", EVENTS_PATH, params=params)
            except (httpx2.RequestError, _Broken) as error:
                waiting = self._reconnecting(error)
                yield waiting
                await asyncio.sleep(waiting.seconds)
                continue
            self._backoff.reset()
            self.cursor = self.cursor if before else page["cursor"]
            found = page["events"] + found
            # An older server does not say, and has looked everywhere.
            if page.get("complete", True) or len(found) >= count:
                break
            before = {"before": page["first_cursor"]}
            yield Heartbeat()
        for event in found:
            yield Received(event)

    async def follow(self, *, to_the_end: bool = False) -> AsyncGenerator[Item, None]:
        """As follow_in_groups(), one by one."""
        async with contextlib.aclosing(self.follow_in_groups(to_the_end=to_the_end)) as groups:
            async for items in groups:
                for item in items:
                    yield item

    async def follow_in_groups(self, *, to_the_end: bool = False) -> AsyncGenerator[list[Item], None]:
        """Items that arrive together, never an empty list. A caller that pays for each wait takes fewer of them.

        Events from `cursor` on; with `to_the_end` only those that are in the log already, then it returns.

        Raises StreamEnded, and ServerRefused when the credential, a filter or the cursor is refused.
        """
        while True:
            try:
                async with contextlib.aclosing(self._one_connection(to_the_end=to_the_end)) as groups:
                    async for items in groups:
                        yield items
            except StreamEnded as ended:
                if ended.reason == END_OF_LOG:
                    return
                raise
            except (httpx2.RequestError, NotAnEventStream, _Broken) as error:
                waiting = self._reconnecting(error)
                yield [waiting]
                await asyncio.sleep(waiting.seconds)

    async def close(self) -> None:
        await self._client.aclose()

    async def _one_connection(self, *, to_the_end: bool) -> AsyncGenerator[list[Item], None]:
        """What comes over one stream. Always raises at its end, _Broken when another connection may go on."""
        ticket = (await self._ask("POST", TICKET_PATH))["sse_token"]
        query = {"token": ticket, **self._filters} | ({"follow": "false"} if to_the_end else {})
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": self.cursor} if self.cursor else {})
        parser = EventStreamParser()
        # How long a silence may be is known from the server's heartbeat, not here.
        timeout = httpx2.Timeout(ANSWER_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS, read=None)
        async with self._client.stream("GET", STREAM_PATH, params=query, headers=headers, timeout=timeout) as answer:
            await self._check_stream(answer)
            pieces = answer.aiter_bytes()
            while (data := await self._next_piece(pieces, parser)) is not None:
                items, end = self._items(parser.feed(data))
                if items:
                    yield items
                if end is not None:
                    raise end
                self.cursor = parser.last_event_id or self.cursor
        raise _Broken("the server closed the connection", least_seconds=(parser.retry_ms or 0) / 1000)

    async def _next_piece(self, pieces: AsyncIterator[bytes], parser: EventStreamParser) -> bytes | None:
        least_seconds = (parser.retry_ms or 0) / 1000
        silence_seconds = SILENCE_HEARTBEATS * self._heartbeat_seconds
        try:
            async with asyncio.timeout(silence_seconds):
                return await anext(pieces, None)
        except TimeoutError:
            reason = f"nothing came for {silence_seconds:.0f} s, not even a heartbeat"
            raise _Broken(reason, least_seconds=least_seconds) from None
        except httpx2.RequestError as error:
            raise _Broken(str(error) or type(error).__name__, least_seconds=least_seconds) from None

    async def _ask(self, method: str, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON of an answer 200. Raises ServerRefused, or _Broken when it is worth another try."""
        body = b"{}" if method == "POST" else None
        headers = {"X-VX11-Token": self._token, "Content-Type": "application/json"}
        answer = await self._client.request(method, path, params=params, content=body, headers=headers)
        _raise_if_passing(answer)
        if answer.status_code != 200 or "json" not in answer.headers.get("Content-Type", ""):
            raise ServerRefused(answer)
        return exact_json.loads(answer.text)

    async def _check_stream(self, answer: httpx2.Response) -> None:
        if answer.status_code == 200:
            self._tickets_refused = 0
            return
        await answer.aread()
        _raise_if_passing(answer)
        self._tickets_refused += 1
        if answer.status_code == 401 and self._tickets_refused < TICKET_TRIES:
            raise _Broken(problem_text(answer))
        raise ServerRefused(answer)

    def _items(self, messages: list[SseMessage]) -> tuple[list[Item], StreamEnded | _Broken | None]:
        """What the messages mean, and the end of the stream if one of them is it."""
        items: list[Item] = []
        for message in messages:
            self.cursor = message.last_event_id or self.cursor
            try:
                item = self._item(message)
            except (StreamEnded, _Broken) as end:
                return items, end
            if item is not None:
                items.append(item)
        return items, None

    def _item(self, message: SseMessage) -> Item | None:
        """What a message means; None for what this version does not know. Raises StreamEnded and _Broken."""
        try:
            data = exact_json.loads(message.data)
        except ValueError:
            raise _Broken("the server sent something that is not JSON") from None
        match message.event:
            case "message" if data.get("type") == "connected":
                self._backoff.reset()
                self._heartbeat_seconds = float(data.get("heartbeat_sec") or DEFAULT_HEARTBEAT_SECONDS)
                return Connected(self.cursor)
            case "message":
                return Received(data, self.cursor)
            case "heartbeat":
                return Heartbeat(self.cursor)
            case "caught-up":
                return CaughtUp(self.cursor)
            case "stream-reset":
                return StreamReset(str(data.get("reason")), self.cursor, str(data.get("oldest") or ""))
            case "stream-end" if data.get("reason") in FINAL_REASONS | {END_OF_LOG}:
                raise StreamEnded(data["reason"])
            case "stream-end":
                seconds, reason = float(data.get("retry_ms") or 0) / 1000, str(data.get("reason"))
                raise _Broken(f"the server ended the stream: {reason}", least_seconds=seconds, stream_end=reason)
        return None

    def _reconnecting(self, error: Exception) -> Reconnecting:
        broken = error if isinstance(error, _Broken) else _Broken("")
        seconds = self._backoff.next_seconds(least_seconds=broken.least_seconds)
        return Reconnecting(seconds, str(error) or type(error).__name__, broken.stream_end)


def _raise_if_passing(answer: httpx2.Response) -> None:
    if answer.status_code == 429 or answer.status_code >= 500:
        asked_seconds = retry_after_seconds(answer.headers.get("Retry-After"), now=datetime.datetime.now(datetime.UTC))
        raise _Broken(problem_text(answer), least_seconds=asked_seconds)
