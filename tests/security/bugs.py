"""A real bug, made from outside: a row that the code cannot read, so that requests fail where nobody foresaw it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from tests.stacks import Stack
from tests.waiting import wait_until

ROWS = "from gateway.models import AccessToken; AccessToken.objects"
# Modules are a list.
BREAK = f"{ROWS}.create(kind='principal', public_id='p-unreadable', digest='unreadable', name='unreadable', modules=5)"
MEND = f"{ROWS}.get(public_id='p-unreadable').delete()"


@contextmanager
def unreadable_rights(stack: Stack) -> Iterator[None]:
    """Meanwhile the first request of a second fails, the one that finds out who may what."""
    stack.a.manage("shell", "-c", BREAK)
    yield
    stack.a.manage("shell", "-c", MEND)


def answer_of_bug(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The first answer that says 500."""

    def answer() -> httpx.Response | None:
        got = ask()
        return got if got.status_code == 500 else None

    return wait_until(answer, "a request meets the bug", timeout_seconds=20, pause_seconds=0.1)
