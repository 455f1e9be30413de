"""Where the time of a ticket goes: two processes issue as many as they can, then one layer after the other is measured.

The layers are the product's own functions, called in a process of the same installation, 32 at a time as under load;
what they cost is the CPU time of that process with all its threads. What is left of a request, when they are taken off,
is the handler's and the view's; what is left of a server's CPU, when the whole application is taken off, is HTTP.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from benchmarks.figures import Figure
from benchmarks.server import serving_together
from benchmarks.size import Size
from benchmarks.tickets import CONNECTIONS, ISSUE_PATH, measure_issue_by
from tests.servers import ROOT

PROCESSES = 2
# The moonshot: a textbook DRF view makes a third of it in one process.
AT_MIN_PER_SECOND = 1000
WARM_UP = 200
CREDENTIAL, LIMIT, STORE, AUDIT, APPLICATION = (
    "credential, in memory",
    "rate limit, in Redis",
    "ticket, in Redis",
    "audit row, committed",
    "application, all of it",
)


def measure(size: Size) -> list[Figure]:
    with serving_together(PROCESSES) as (targets, environment):
        figures = measure_issue_by(targets, size, at_least=AT_MIN_PER_SECOND)
        command = [sys.executable, "-m", "benchmarks.layers", str(size.redemptions)]
        environment = {**environment, "BENCH_TOKEN": targets[0].principal_token}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    layers: dict[str, float] = json.loads(done.stdout)
    whole = next(figure.value for figure in figures if figure.name == "server CPU per ticket at most")
    rest = layers[APPLICATION] - sum(layers[name] for name in (CREDENTIAL, LIMIT, STORE, AUDIT))
    return figures + [
        *(Figure(f"of it: {name}", layers[name], "us") for name in (CREDENTIAL, LIMIT, STORE, AUDIT)),
        Figure("of it: handler, view and JSON", rest, "us"),
        Figure("of it: HTTP", whole - layers[APPLICATION], "us"),
    ]


async def _cost(call: Callable[[], Awaitable[Any]], count: int) -> float:
    """CPU of this process for one call, in microseconds, when so many are under way at once as there are clients."""

    async def keep_calling(left: Iterator[int]) -> None:
        for _ in left:
            await call()

    for number in (WARM_UP, count):
        left = iter(range(number))
        began = time.process_time()
        await asyncio.gather(*(keep_calling(left) for _ in range(CONNECTIONS)))
    return (time.process_time() - began) / count * 1e6


async def _measure_layers(token: str, count: int) -> dict[str, float]:
    # Django is set up by then.
    from gateway import tokens
    from gateway.identity import audit, tickets
    from gateway.identity.audit import record
    from gateway.identity.principals import directory
    from gateway.models import TokenAudit
    from gateway.shared_store import store
    from gateway.shared_store.limits import limiter
    from vx11_site.asgi import application

    principal = await directory.holder_of(token)
    headers = [(b"host", b"localhost"), (b"x-vx11-token", token.encode())]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": ISSUE_PATH,
        "raw_path": ISSUE_PATH.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
        "scheme": "http",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message  # noqa: S101 - a refusal is not what is measured

    async def issue_row() -> None:
        ticket = tickets.new(principal, principal.selection)
        action = TokenAudit.Action.TICKET_ISSUED
        await record(TokenAudit(action=action, ticket_id=ticket.public_id, principal_id=principal.public_id))

    async def store_ticket() -> None:
        ticket = tickets.new(principal, principal.selection)
        await tickets.store(tokens.mint_ticket(), ticket, address="127.0.0.1")

    async def limit() -> None:
        await store.ask(lambda: limiter.charge("tickets", principal.public_id))

    async def nothing() -> None:
        await store.ask(lambda: None)

    audit.logger.disabled = True
    hop = await _cost(nothing, count)
    limited = await _cost(limit, count) - hop
    return {
        CREDENTIAL: await _cost(lambda: directory.holder_of(token), count),
        LIMIT: limited,
        STORE: await _cost(store_ticket, count) - limited,
        AUDIT: await _cost(issue_row, count),
        APPLICATION: await _cost(lambda: application(dict(scope), receive, send), count),
    }


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vx11_site.settings")
    django.setup()
    print(json.dumps(asyncio.run(_measure_layers(os.environ.pop("BENCH_TOKEN"), int(sys.argv[1])))))
