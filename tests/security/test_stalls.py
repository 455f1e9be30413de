"""A process that stood still while rights ended: what happened meanwhile reaches none of those who lost them."""

import contextlib
import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx2
import pytest

from gateway.tokens import digest
from tests.client import API, Stream
from tests.security.test_revocation import IMPORTS, ISSUE
from tests.servers import RunningServer
from tests.stack.test_sessions import User
from tests.stacks import Stack

MISSED_EVENTS = 5
PATIENCE_SECONDS = 60
# By code, because in an embedded stack the only server is the one that stands still.
APPEND = (
    "from tests.events.samples import append_events; "
    "append_events({count}, prefix={marker!r}, correlation_id={marker!r})"
)
# Ways in which rights end while the process knows nothing of it; `tokens` is a queryset of the reader's token.
CHANGES = {
    "nothing": "",
    "revoked": "tokens.revoke(because='test')",
    "expired": "",
    "narrowed": "token = tokens.get(); token.modules = ['switch']; token.save()",
}
# Known to the process before it stops: nothing changes any more when the token expires.
EXPIRES_SOON = "from datetime import timedelta; tokens.update(expires_at=timezone.now() + timedelta(seconds=3))"


@contextlib.contextmanager
def standing_still(server: RunningServer, *, seconds: float) -> Iterator[None]:
    """Stopped as by a machine that is paused, for at least so long."""
    server.process.send(signal.SIGSTOP)
    try:
        pause = threading.Event()
        yield
        pause.wait(seconds)
    finally:
        server.process.send(signal.SIGCONT)


def code_for(token: str, change: str) -> str:
    return f"tokens = AccessToken.objects.filter(digest={digest(token)!r})\n{change}"


@pytest.mark.parametrize("seconds", [5, 25])
def test_n03_what_happened_while_a_process_stood_still_reaches_nobody_whose_rights_ended(
    stack: Stack, marker: str, seconds: int
) -> None:
    server = stack.servers[-1]
    tokens = dict(zip(CHANGES, json.loads(stack.a.python(ISSUE.format(count=len(CHANGES)))), strict=True))
    stack.credentials.update(tokens.values())
    for token in tokens.values():
        stack.wait_until_known(token)
    user = User(stack, "viewer")
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(2 * len(CHANGES)) as pool:
        session = opened.enter_context(user.session())
        streams: dict[str, Stream] = {
            change: opened.enter_context(stack.client(token, server=server).stream())
            for change, token in tokens.items()
        }
        streams["password"] = opened.enter_context(stack.client(None, server=server).stream(token=session.ticket()))
        for stream in streams.values():
            stream.named("caught-up")
        cursor = stack.client(tokens["nothing"]).cursor()
        polls: dict[str, Future[httpx2.Response]] = {
            change: pool.submit(
                stack.client(token, server=server).get,
                f"{API}/events",
                params={"since": cursor, "wait": 10, "limit": 100},
                timeout=PATIENCE_SECONDS,
            )
            for change, token in tokens.items()
        }
        stack.a.python(IMPORTS + code_for(tokens["expired"], EXPIRES_SOON))
        with standing_still(server, seconds=seconds):
            code = "\n".join(code_for(tokens[name], change) for name, change in CHANGES.items())
            stack.a.python(IMPORTS + code)
            user.run("user.set_password('a quite different one'); user.save()")
            stack.a.python(APPEND.format(count=MISSED_EVENTS, marker=marker))
        for name, stream in streams.items():
            if name == "nothing":
                found = [stream.event()["correlation_id"] for _ in range(MISSED_EVENTS)]
                assert set(found) == {marker}
                continue
            frames = stream.rest()
            assert not [frame for frame in frames if marker in json.dumps(frame.data)], f"{name} read on"
            assert frames[-1].name == "stream-end", name
        for name, poll in polls.items():
            answer = poll.result()
            # Whose rights stay may be told to ask again: what was being read for it took too long.
            assert marker not in answer.text or name == "nothing", f"{name}: {answer.status_code} {answer.text}"
            assert answer.status_code in ({200, 503} if name == "nothing" else {200, 401, 503}), name
