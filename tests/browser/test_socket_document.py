"""What docs/websocket.md shows, as it stands there."""

import re
from collections.abc import Callable, Mapping

from playwright.sync_api import Page

from tests.client import Client
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]


def test_the_script_of_the_page_opens_a_socket_and_says_what_comes(
    page: Page, stack: Stack, service: Client, new_event: NewEvent, marker: str
) -> None:
    text = (ROOT / "docs/websocket.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```js\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(f"{stack.a.url}/health")
    page.evaluate(
        f"async (token) => {{ {script}; await new Promise((done) => (socket.onopen = done)); }}", stack.principal_token
    )
    event = service.published(new_event(severity="error", summary=f"for {marker}"))

    def is_told() -> bool:
        page.wait_for_timeout(10)
        return f"error for {marker}" in " ".join(told)

    wait_until(is_told, "the event is told")
    (line,) = [line for line in told if marker in line]
    assert line.split()[0].endswith(f"-{event['seq']}")
