"""The event client in a page, with what it told the page, what it asked of the server, and the clock in our hand."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tests.browser.scripted import ScriptedServer
from tests.waiting import wait_until

# The least time between two attempts.
WAIT_FLOOR_MS = 1_000
HOUR_MS = 3_600_000
# Requests are counted where they are made: then "not yet" is a fact and not a race.
COUNT_REQUESTS = """
    window.asked = 0;
    window.answered = 0;
    const original = window.fetch;
    window.fetch = (...request) => {
        window.asked += 1;
        return original(...request).finally(() => { window.answered += 1; });
    };
"""
START = """
    async (options) => {
        const { EventClient } = await import("/static/events/event-client.js");
        window.told = { events: [], states: [], resets: [] };
        if (options.token) options.headers = async () => ({ "X-VX11-Token": options.token });
        window.client = new EventClient(options)
            .on("event", (event) => window.told.events.push(event.seq))
            .on("state", (state) => window.told.states.push(state))
            .on("reset", (reset) => window.told.resets.push(reset))
            .start();
    }
"""


class WatchedClient:
    """The clock stands until `run` moves it. `luck` stands in for Math.random: 0 makes waits short, 1 long.

    Where streams are blocked it polls, as on a network without sockets; with `sockets` it tries those first.
    """

    def __init__(
        self, page: Page, script: ScriptedServer, *, luck: float = 0, sockets: bool = False, **options: Any
    ) -> None:
        self.page = page
        page.clock.install(time=0)
        page.clock.pause_at(1)
        without_sockets = "" if sockets else "delete window.WebSocket;"
        page.add_init_script(f"{COUNT_REQUESTS} Math.random = () => {luck}; {without_sockets}")
        page.goto(script.url)
        page.evaluate(START, options)

    @property
    def events(self) -> list[int]:
        """The numbers of the events that the page was handed, in order."""
        return list(self.page.evaluate("window.told.events"))

    @property
    def states(self) -> list[str]:
        return [change["state"] for change in self.page.evaluate("window.told.states")]

    @property
    def resets(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate("window.told.resets"))

    @property
    def asked(self) -> int:
        """Requests the client has made, streams aside."""
        return int(self.page.evaluate("window.asked"))

    def wait_for_events(self, numbers: list[int]) -> None:
        self.page.wait_for_function("(count) => window.told.events.length >= count", arg=len(numbers))
        assert self.events == numbers

    def wait_for_state(self, state: str, *, times: int = 1) -> dict[str, Any]:
        """The change to `state`, the `times`-th one."""
        found = self.page.wait_for_function(
            "([state, times]) => window.told.states.filter((change) => change.state === state)[times - 1]",
            arg=[state, times],
        )
        return dict(found.json_value())

    def wait_for_reset(self) -> dict[str, Any]:
        self.page.wait_for_function("() => window.told.resets.length > 0")
        return self.resets[-1]

    def run(self, milliseconds: int) -> None:
        self.page.clock.run_for(milliseconds)

    def run_a_second(self) -> None:
        """When all that was asked is answered: a request takes its own time, which this clock would not grant it."""
        self.page.wait_for_function("window.asked === window.answered")
        self.run(1000)

    def run_until(self, condition: Callable[[], bool], what: str) -> None:
        """Lets a second pass after the other."""

        def after_a_second() -> bool:
            self.run_a_second()
            return condition()

        wait_until(after_a_second, what)


Start = Callable[..., WatchedClient]
