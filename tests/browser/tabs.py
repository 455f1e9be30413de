"""Several tabs of one browser, each with an event client, that follow one server; what each was told, in order."""

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page

from tests.browser.scripted import ScriptedServer, ScriptedStream
from tests.waiting import wait_until

# Locks are exact; without them tabs find their leader over the channel alone, as on a page without TLS.
NO_LOCKS = "Object.defineProperty(navigator, 'locks', { value: undefined });"
START = """
    async ({ options, path }) => {
        const { EventClient } = await import("/static/events/event-client.js");
        window.told = { events: [], cursors: [], lags: [], states: [], resets: [] };
        if (path) {
            const page = new DOMParser().parseFromString(await (await fetch(path)).text(), "text/html");
            options.csrfToken = page.querySelector("meta[name=csrf-token]").content;
        }
        if (options.token) options.headers = () => ({ "X-VX11-Token": options.token });
        window.client = new EventClient(options)
            .on("event", (event, { cursor, lagMs }) => {
                window.told.events.push(event.seq);
                window.told.cursors.push(cursor);
                window.told.lags.push(lagMs);
            })
            .on("state", (change) => window.told.states.push(change))
            .on("reset", (reset) => window.told.resets.push(reset))
            .start();
    }
"""


class Tab:
    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def events(self) -> list[int]:
        return list(self.page.evaluate("window.told.events"))

    @property
    def lags(self) -> list[float | None]:
        return list(self.page.evaluate("window.told.lags"))

    @property
    def resets(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate("window.told.resets"))

    @property
    def states(self) -> list[dict[str, Any]]:
        """Every change that the page was told."""
        return list(self.page.evaluate("window.told.states"))

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.page.evaluate("window.client.status ?? {}"))

    @property
    def leads(self) -> bool:
        return bool(self.status.get("leader"))

    def wait_for_state(self, state: str, *, timeout_seconds: float = 10) -> dict[str, Any]:
        """The status, once it is this one."""

        def status() -> dict[str, Any] | None:
            now = self.page.evaluate("window.told.states.at(-1)") or {}
            return dict(now) if now.get("state") == state else None

        return wait_until(status, f"the state {state}", timeout_seconds=timeout_seconds)

    def wait_for_events(self, numbers: list[int], *, timeout_seconds: float = 10) -> None:
        with contextlib.suppress(AssertionError):
            wait_until(lambda: len(self.events) >= len(numbers), "all events", timeout_seconds=timeout_seconds)
        # This module is not rewritten by pytest: without a sentence of its own the assertion would say nothing.
        assert self.events == numbers, f"{self._difference(numbers)}, within {timeout_seconds} s"

    def _difference(self, numbers: list[int]) -> str:
        """What this tab was told beside what is in the log, and how its connection went meanwhile."""
        events = self.events
        missed = [number for number in numbers if number not in events]
        doubled = [number for number, times in Counter(events).items() if times > 1]
        foreign = [number for number in events if number not in numbers]
        return (
            f"{len(events)} of {len(numbers)} events: missed {missed}, doubled {doubled}, not expected {foreign}, "
            f"in order: {events == sorted(events)}; cursor {self.page.evaluate('window.told.cursors.at(-1)')}, "
            f"states {self.states}, resets {self.resets}"
        )

    def wait_for_reset(self) -> dict[str, Any]:
        wait_until(lambda: self.resets, "a reset")
        return self.resets[-1]

    def hang(self) -> None:
        """Stops everything in this tab, until the scripted server answers GET /hold."""
        self.page.evaluate(
            "setTimeout(() => { const r = new XMLHttpRequest(); r.open('GET', '/hold', false); r.send(); })"
        )

    def sleep(self) -> None:
        """What a browser tells a page before it puts it to sleep."""
        self.page.evaluate("document.dispatchEvent(new Event('freeze'))")

    def wake(self) -> None:
        self.page.evaluate("document.dispatchEvent(new Event('resume'))")

    def crash(self) -> None:
        """Ends the tab's process; it gets no chance to say anything."""
        with self.page.expect_event("crash"), contextlib.suppress(Error):
            self.page.goto("chrome://crash")

    def close(self) -> None:
        self.page.close()


class Tabs:
    """Tabs of one browser profile. `address` is a page of the server on which no client runs by itself."""

    def __init__(self, context: BrowserContext, address: str, *, console_path: str = "") -> None:
        self.context = context
        self._address = address
        self._console_path = console_path
        self.all: list[Tab] = []
        self._requests: list[str] = []
        context.on("request", lambda request: self._requests.append(request.url))

    def open(self, **options: Any) -> Tab:
        """With a client of these options; one that is None is left out: `share=None` for a client on its own."""
        given = {name: value for name, value in {"share": "tests", **options}.items() if value is not None}
        page = self.context.new_page()
        page.goto(self._address)
        tab = Tab(page)
        self.all.append(tab)
        page.evaluate(START, {"options": given, "path": self._console_path})
        return tab

    def forget(self, tab: Tab) -> None:
        self.all.remove(tab)

    @property
    def streams_asked(self) -> int:
        """Streams that were asked for in any tab until now."""
        # Word of requests arrives while the browser is being asked something.
        self.all[0].page.evaluate("0")
        return sum("/events/stream?" in url for url in self._requests)

    @property
    def leader(self) -> Tab:
        """The one tab that leads, once there is exactly one and it has a connection."""

        def find() -> Tab | None:
            leading = [tab for tab in self.all if tab.leads]
            return leading[0] if len(leading) == 1 and leading[0].status.get("transport") else None

        return wait_until(find, "one leader with a connection", timeout_seconds=20)

    @property
    def followers(self) -> list[Tab]:
        return [tab for tab in self.all if tab is not self.leader]

    def wait_for_events(self, numbers: list[int], *, timeout_seconds: float = 10) -> None:
        for tab in self.all:
            tab.wait_for_events(numbers, timeout_seconds=timeout_seconds)

    def wait_for_state(self, state: str, *, timeout_seconds: float = 15) -> None:
        for tab in self.all:
            tab.wait_for_state(state, timeout_seconds=timeout_seconds)


def open_live(tabs: Tabs, script: ScriptedServer, count: int, cursor: str = "e-0") -> ScriptedStream:
    """Opens so many tabs, and gives the stream of the one that leads."""
    for _ in range(count):
        tabs.open()
    stream = script.next_stream()
    stream.connected(cursor)
    tabs.wait_for_state("live")
    return stream


NewTabs = Callable[..., Tabs]
