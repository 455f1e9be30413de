"""Operators of a stack: those who open windows and those who may not, and a window that is open for a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.client import API, Client, Json
from tests.stacks import Stack
from tests.waiting import wait_until

WINDOW_EVENTS = ("window.opened", "window.extended", "window.closed", "window.expired")


def open_window(client: Client, **fields: Any) -> Json:
    answer = client.post(f"{API}/window/open", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def close_window(client: Client) -> httpx2.Response:
    """None is open afterwards, for those who come next: on a machine that stalls, 503 asks to try again."""

    def closed() -> httpx2.Response | None:
        answer = client.post(f"{API}/window/close")
        assert answer.status_code in (200, 409, 503), answer.text
        return None if answer.status_code == 503 else answer

    return wait_until(closed, "the window is closed")


@contextmanager
def window(client: Client, **fields: Any) -> Iterator[Json]:
    """Open for the length of the block, whatever was open before."""
    close_window(client)
    try:
        yield open_window(client, **fields)
    finally:
        close_window(client)


def viewer(stack: Stack) -> Client:
    """May look, and nothing else."""
    return stack.client(stack.issue_token("principal", scopes=("events:read",))[0])


def operator(stack: Stack) -> tuple[Client, str]:
    """May open windows and chat, but not read others' messages; with its public id. Speaks to server `b`."""
    token, public_id = stack.issue_token("principal", scopes=("events:read", "window:write", "chat:write"))
    return stack.client(token, server=stack.b), public_id


def window_events(client: Client, since: str, window_id: str) -> list[Json]:
    """What was told of this window after the cursor, in order."""
    page = client.polled(since=since, event_type=",".join(WINDOW_EVENTS), limit=500)
    return [event for event in page["events"] if event["payload"]["window_id"] == window_id]
