"""Publishers for tests: both kinds with one face, events, and a server's log that stores each once."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer
from vx11_client import AsyncPublisher, Backoff

Event = Mapping[str, object]
Make = Callable[..., Any]
TOKEN = "service-token"


def quick_backoff() -> Backoff:
    return Backoff(first_seconds=0.01, longest_seconds=0.05)


class FromAsync:
    """An AsyncPublisher with the methods of a Publisher. Its queue is sent while one of them runs."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._inner = self._runner.run(self._made(*arguments, **options))

    async def _made(self, *arguments: Any, **options: Any) -> AsyncPublisher:
        return AsyncPublisher(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, "aclose" if name == "close" else name)
        if not callable(found):
            return found
        return lambda *arguments, **options: self._runner.run(found(*arguments, **options))

    def __enter__(self) -> "FromAsync":
        return self

    def __exit__(self, *reason: Any) -> None:
        self._runner.run(self._inner.__aexit__(*reason))

    def end(self) -> None:
        """At the end of the test, also after its block: calls of a closed publisher are tests too."""
        self._runner.close()


def event(number: int = 0, **fields: object) -> dict[str, object]:
    return {"event_type": "test.happened", "summary": f"number {number}", **fields}


def ids(request: Request) -> list[str]:
    return [each["event_id"] for each in request.json["events"]]


def summaries(server: ScriptedServer) -> list[str]:
    return [each["summary"] for request in server.requests for each in request.json["events"]]


class Log:
    """A server's log: stores each event_id once, and then answers what `answers` has next in place of the receipt."""

    def __init__(self, *answers: Answer) -> None:
        self.stored: dict[str, int] = {}
        self._answers = iter(answers)

    def __call__(self, request: Request) -> Answer:
        for event_id in ids(request):
            self.stored.setdefault(event_id, len(self.stored) + 1)
        receipts = [{"event_id": event_id, "seq": self.stored[event_id]} for event_id in ids(request)]
        return next(self._answers, Answer(201, json={"events": receipts, "cursor": f"k-{len(self.stored)}"}))
