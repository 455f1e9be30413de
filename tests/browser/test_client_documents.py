"""What docs/clients.md shows runs, and the types of event-client.js name what is there."""

import contextlib
import os
import re
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page

from tests.accounts import add_account
from tests.browser.console_page import ConsolePage
from tests.client import Client
from tests.conftest import OwnStack
from tests.servers import ROOT
from tests.stacks import Stack
from tests.waiting import wait_until

NewEvent = Callable[..., Mapping[str, object]]
DOCUMENT = (ROOT / "docs/clients.md").read_text()
TYPES = (ROOT / "static/events/event-client.d.ts").read_text()
SHOWN_ADDRESS = "http://127.0.0.1:8000"
IMPORT = re.compile(r"^import (\{.*?\}) from (\".*?\");$", re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def javascript(containing: str) -> str:
    """The block with these words, as the body of a function: a page's policy allows no inline modules."""
    (block,) = [block for block in blocks("js") if containing in block]
    return IMPORT.sub(r"const \1 = await import(\2);", block)


@contextmanager
def running(command: list[str], stack: Stack) -> Iterator[Callable[[], str]]:
    """A program with a token in its environment; gives a function that says what it has printed until now."""
    environment = {**os.environ, "TOKEN": stack.principal_token, "PYTHONUNBUFFERED": "1"}
    output = stack.folder / f"printed-{secrets.token_hex(4)}"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield output.read_text
        finally:
            # The shell and what it started.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def publish_until(service: Client, event: Mapping[str, object], arrived: Callable[[], bool]) -> None:
    """These readers begin from now and do not say when that is: publishes until one of the events is seen."""

    def after_another() -> bool:
        service.published(event)
        return arrived()

    wait_until(after_another, "an event of ours is shown", pause_seconds=0.2)


def test_the_module_as_shown_logs_events(page: Page, stack: Stack, service: Client, new_event: NewEvent) -> None:
    logged = open_console(page, stack)
    page.evaluate(f"async () => {{ {javascript('filters: {')} }}")
    wait_until(lambda: any(text.startswith("live stream") for text in logged()), "live")
    service.published([new_event(severity="info", summary="too quiet"), new_event(severity="error", summary="loud")])
    wait_until(lambda: any("loud" in text for text in logged()), "the event")
    assert not any("too quiet" in text for text in logged())


def test_the_shared_client_as_shown_logs_events(page: Page, stack: Stack, service: Client, new_event: NewEvent) -> None:
    logged = open_console(page, stack)
    page.evaluate(f"async () => {{ {javascript('a key of the session')} }}")
    wait_until(lambda: "live stream true" in logged(), "live")
    service.published(new_event(summary="shared"))
    wait_until(lambda: "shared" in logged(), "the event")


def test_a_mistake_in_a_query_as_shown_is_logged_with_its_place(page: Page, stack: Stack) -> None:
    logged = open_console(page, stack)
    page.evaluate(f"async () => {{ {javascript('rangeOf(query, mistake)')} }}")
    wait_until(lambda: "Here a value is missing. [35, 35]" in logged(), "the mistake")
    assert "true" in logged()


def test_plain_event_source_as_shown_loses_and_doubles_nothing_in_a_restart(
    page: Page, own_stack: OwnStack, new_event: NewEvent, marker: str
) -> None:
    stack = own_stack()
    open_console(page, stack)
    page.evaluate(
        f"""() => {{
            window.shown = [];
            const csrfToken = document.querySelector("meta[name=csrf-token]").content;
            const show = (event) => window.shown.push(event.seq);
            const readEverythingAgain = () => window.shown.push("reset");
            {javascript("const again =")}
        }}"""
    )
    service = stack.client(stack.service_token)
    publish_until(service, new_event(), lambda: bool(page.evaluate("window.shown.length")))
    stack.a.stop()
    stack.a.start()
    last = service.published([new_event() for _ in range(5)])["events"][-1]["seq"]
    wait_until(lambda: last in page.evaluate("window.shown"), "the last event", timeout_seconds=30)
    shown = page.evaluate("window.shown")
    assert shown == list(range(shown[0], last + 1))


def test_curl_as_shown_prints_events(stack: Stack, service: Client, new_event: NewEvent, marker: str) -> None:
    (script,) = [block for block in blocks("sh") if "curl -N" in block]
    with running(["bash", "-c", "exec 2>&1\n" + script.replace(SHOWN_ADDRESS, stack.a.url)], stack) as printed:
        publish_until(service, new_event(summary=marker), lambda: f'"summary":"{marker}"' in printed())


@pytest.mark.parametrize("line", re.findall(r"`(curl [^`]*)`", DOCUMENT), ids=["stream", "newest", "since"])
def test_each_line_of_curl_as_shown_prints_events(
    stack: Stack, service: Client, principal: Client, new_event: NewEvent, marker: str, line: str
) -> None:
    places = f"API={stack.a.url}/operator/api CURSOR={principal.cursor()}\n"
    service.published(new_event(summary=marker))
    with running(["bash", "-c", places + line], stack) as printed:
        publish_until(service, new_event(summary=marker), lambda: marker in printed())


def test_the_types_name_what_the_module_has_and_nothing_else(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.a.url}/health")
    there = page.evaluate(
        """async () => {
            const module = await import("/static/events/event-client.js");
            const client = Object.getOwnPropertyNames(module.EventClient.prototype);
            return { exports: Object.keys(module), client, source: module.EventClient.toString() };
        }"""
    )
    assert set(re.findall(r"^export (?:class|function|const) (\w+)", TYPES, re.MULTILINE)) == set(there["exports"])
    (body,) = re.findall(r"^export class EventClient \{\n(.*?)^\}", TYPES, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"^  (?:readonly )?(\w+)[(:]", body, re.MULTILINE)) == set(there["client"])
    (taken,) = re.findall(r"constructor\(\{(.*?)\} = \{\}\)", there["source"])
    options = {part.split("=")[0].strip() for part in re.sub(r"\{\}", "", taken).split(",")}
    assert options == typed("EventClientOptions")
    (table,) = re.findall(r"^\| option \|.*?\n\n", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == options


@pytest.mark.parametrize("name", ["State", "Transport"])
def test_the_types_name_every_state_and_transport(name: str) -> None:
    (union,) = re.findall(rf"^export type {name} = (.*);$", TYPES, re.MULTILINE)
    sources = [path.read_text() for path in (ROOT / "static/events").glob("*.js")]
    given = {value for text in sources for value in re.findall(rf'\b{name.lower()}: "(\w+)"', text)}
    if name == "Transport":
        given |= {value for text in sources for value in re.findall(r'change\.transport && "(\w+)"', text)}
    assert set(re.findall(r'"(\w+)"', union)) == given


def test_the_types_of_an_event_name_its_fields(principal: Client, service: Client, new_event: NewEvent) -> None:
    service.published(new_event())
    (event,) = principal.polled(limit=1)["events"]
    # The client adds the last one, where JavaScript would change a number.
    assert typed("OperatorEvent") == {*event, "payload_exact"}


def typed(interface: str) -> set[str]:
    (body,) = re.findall(rf"^export interface {interface} \{{\n(.*?)^\}}", TYPES, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE))


def open_console(page: Page, stack: Stack) -> Callable[[], list[str]]:
    """Signs in, and gives a function that says what was logged in the page."""
    texts: list[str] = []
    page.on("console", lambda message: texts.append(message.text))
    ConsolePage(page, stack.a.url).open(add_account(stack, group="viewer"))

    def logged() -> list[str]:
        page.evaluate("0")  # words of the page arrive while it is being asked something
        return texts

    return logged
