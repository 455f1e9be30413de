"""The console in a real browser while events come: how busy its main thread is, and whether its memory stays flat."""

import secrets
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from benchmarks import browser_tasks, marks, search_log
from benchmarks.client import in_own_process
from benchmarks.figures import Figure
from benchmarks.peers import ours
from benchmarks.peers.peer import Peer
from benchmarks.polling import Poll
from benchmarks.publisher import Publisher
from benchmarks.server import running
from benchmarks.size import Size
from benchmarks.usage import Window
from benchmarks.wire import UnexpectedAnswer
from tests.accounts import Account
from tests.browser.conftest import CHROMIUM, CHROMIUM_ARGUMENTS, DESKTOP
from tests.browser.console_page import ConsolePage
from tests.servers import RunningServer

EVENTS_PER_SECOND = 200
# Until the feed holds as many events as it keeps (2000), its memory must grow.
FILL_SECONDS = 12
# The heap is measured at the end of each stretch. The collection that goes before it is not the page's work.
STRETCHES = 6
PAYLOAD = {"volume": "data", "used_percent": 91, "threshold_percent": 90, "host": "node-7", "tags": ["disk", "full"]}
# An event that is not in the feed by then is lost, not late.
LATEST_SECONDS = 10
LONG_TASK_MS = 50
BLOCKED_AT_MAX_PERCENT = 5
# Of the heap, within a minute. What a garbage collection leaves differs from one to the next by some hundred KB.
GROWTH_AT_MAX_MB = 2
ADD_VIEWER = """
from django.contrib.auth.models import Group, User
User.objects.create_user(username={name!r}, password={password!r}).groups.add(Group.objects.get(name="viewer"))
"""
# What one looks at: a question that all of them pass, values of the payload beside it, and the histogram above.
LOOKED_AT = {"q": "severity>=info used -type:nothing.such", "facets": "payload.host"}
NEEDLE = "xochimilco"
NEEDLE_TIMEOUT_SECONDS = 60
# With the wait for the end of writing (0.3 s).
NEEDLE_AT_MAX_MS = 2_000
# The page's own list of events tells what was put into it. Tasks longer than 50 ms are what browsers call long.
WATCH = """
    async () => {
        const { name } = performance.getEntriesByType("resource").find(({ name }) => /[/]entries[.].*js$/.test(name));
        const { Entries } = await import(name);
        const append = Entries.prototype.append;
        window.watched = { numbers: [], longTasks: [] };
        Entries.prototype.append = function (entries) {
            for (const { event } of entries) window.watched.numbers.push(Number(event.summary.slice(1, 9)));
            return append.call(this, entries);
        };
        new PerformanceObserver((list) => {
            for (const { duration } of list.getEntries()) window.watched.longTasks.push(duration);
        }).observe({ entryTypes: ["longtask"] });
    }
"""


@dataclass
class Watched:
    """What a page did in stretches of time, all together; the heap after each of them."""

    seconds: float = 0.0
    task_seconds: float = 0.0
    script_seconds: float = 0.0
    layout_seconds: float = 0.0
    long_tasks_ms: list[float] = field(default_factory=list)
    # CPU time, which a busy machine does not make longer, of all tasks.
    tasks_cpu_ms: list[float] = field(default_factory=list)
    heap_bytes: list[float] = field(default_factory=list)
    nodes: list[float] = field(default_factory=list)


def measure(size: Size) -> list[Figure]:
    if not Path(CHROMIUM).exists():
        raise FileNotFoundError(f"{CHROMIUM} is not installed (Debian: apt-get install chromium-headless-shell)")
    try:
        return _measure(size)
    except BrowserError as error:
        raise UnexpectedAnswer(f"the browser says: {error}") from error


def _measure(size: Size) -> list[Figure]:
    return [*_under_load(size), *_needle(size.needle_events)]


def _under_load(size: Size) -> list[Figure]:
    fill_seconds = min(FILL_SECONDS, size.browser_seconds)
    count = round(EVENTS_PER_SECOND * (fill_seconds + size.browser_seconds))
    with running() as (server, target), _console(server) as page, ThreadPoolExecutor(1) as beside:
        browser = page.context.new_cdp_session(page)
        browser.send("Performance.enable")
        page.evaluate(WATCH)
        peer = ours.peer(target, payload=PAYLOAD)
        publishing = beside.submit(in_own_process, _publish, peer, count)
        _wait_for(page, fill_seconds * EVENTS_PER_SECOND)
        with Window(target.pid) as window:
            watched = _watch(page, browser, size.browser_seconds)
        publishing.result()
        _wait_for(page, count)
        shown = Counter(page.evaluate("window.watched.numbers"))
        # Drawn, too: the feed follows, so the last one is in sight.
        page.locator("#feed .text").get_by_text(marks.mark(count - 1, 0).decode().partition("@")[0]).wait_for()
    return [*_figures(watched), *_receipts(shown, count), *_machine(window)]


@contextmanager
def _console(server: RunningServer) -> Iterator[Page]:
    """Of a person who may read, live, with all that counts in sight."""
    account = Account("bench", secrets.token_urlsafe(16))
    server.manage("shell", "-c", ADD_VIEWER.format(name=account.name, password=account.password))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport=DESKTOP, locale="en-GB", timezone_id="UTC")
        console = ConsolePage(page, server.url)
        console.open_by_form(account)
        console.show(**LOOKED_AT)
        yield page
        browser.close()
        if console.problems:
            raise UnexpectedAnswer(f"the page complained: {console.problems[:3]}")


def _needle(count: int) -> list[Figure]:
    """The first event of a long log, found by writing its word into the query."""
    with running() as (server, target):
        fill = partial(search_log.fill_sqlite, server.data / "operator.sqlite3", count)
        search_log.begin(server, target, fill, summary=f"the {NEEDLE} of the log")
        search_log.reindex(server)
        server.start()
        with _console(server) as page:
            page.get_by_role("combobox", name="Query").fill(NEEDLE)
            began = time.perf_counter()
            page.locator("#feed .text").get_by_text(NEEDLE).wait_for(timeout=NEEDLE_TIMEOUT_SECONDS * 1000)
            seconds = time.perf_counter() - began
    return [
        Figure(f"a word behind {count:,} events, from input to row", seconds * 1000, "ms", at_most=NEEDLE_AT_MAX_MS)
    ]


def _publish(peer: Peer, count: int) -> None:
    with Poll() as poll:
        publisher = Publisher(poll, peer, per_second=EVENTS_PER_SECOND, count=count)
        while publisher.answered < count:
            poll.turn(publisher.publish_due())
        publisher.close()


def _wait_for(page: Page, count: float) -> None:
    """Until so many events have come into the feed, or no more come."""
    until = time.perf_counter() + LATEST_SECONDS + count / EVENTS_PER_SECOND
    while time.perf_counter() < until and page.evaluate("window.watched.numbers.length") < count:
        page.wait_for_timeout(100)


def _watch(page: Page, browser: CDPSession, seconds: float) -> Watched:
    watched = Watched()
    for _ in range(STRETCHES):
        # What was long until now was not of this stretch.
        page.evaluate("window.watched.longTasks.splice(0)")
        before = _counters(browser)
        with browser_tasks.traced(page, browser) as tasks:
            page.wait_for_timeout(seconds / STRETCHES * 1000)
            after = _counters(browser)
        watched.tasks_cpu_ms += tasks
        watched.seconds += after["Timestamp"] - before["Timestamp"]
        watched.task_seconds += after["TaskDuration"] - before["TaskDuration"]
        watched.script_seconds += after["ScriptDuration"] - before["ScriptDuration"]
        watched.layout_seconds += sum(after[name] - before[name] for name in ("LayoutDuration", "RecalcStyleDuration"))
        watched.long_tasks_ms += page.evaluate("window.watched.longTasks.splice(0)")
        watched.nodes.append(after["Nodes"])
        browser.send("HeapProfiler.collectGarbage")
        watched.heap_bytes.append(browser.send("Runtime.getHeapUsage")["usedSize"])
    return watched


def _counters(browser: CDPSession) -> dict[str, float]:
    """The browser's own counters of the page, by name; durations and the moment in seconds."""
    metrics: list[dict[str, Any]] = browser.send("Performance.getMetrics")["metrics"]
    return {metric["name"]: metric["value"] for metric in metrics}


def _figures(watched: Watched) -> list[Figure]:
    def share(seconds: float) -> float:
        return seconds / watched.seconds * 100

    blocked = share(sum(watched.long_tasks_ms) / 1000)
    used_up = share(sum(each for each in watched.tasks_cpu_ms if each > LONG_TASK_MS) / 1000)
    return [
        Figure("main thread in tasks over 50 ms", blocked, "%", at_most=BLOCKED_AT_MAX_PERCENT),
        Figure("tasks over 50 ms", len(watched.long_tasks_ms), "tasks"),
        Figure("longest of them", max(watched.long_tasks_ms, default=0.0), "ms"),
        Figure("main thread in tasks over 50 ms of CPU", used_up, "%", at_most=BLOCKED_AT_MAX_PERCENT),
        Figure("longest task by CPU", max(watched.tasks_cpu_ms, default=0.0), "ms"),
        Figure("CPU of the main thread", share(sum(watched.tasks_cpu_ms) / 1000), "%"),
        Figure("main thread busy", share(watched.task_seconds), "%"),
        Figure("of it scripts", share(watched.script_seconds), "%"),
        Figure("of it style and layout", share(watched.layout_seconds), "%"),
        Figure("JavaScript heap at the end", watched.heap_bytes[-1] / 1e6, "MB"),
        Figure("heap growth per minute", _growth(watched) / 1e6, "MB", at_most=GROWTH_AT_MAX_MB),
        Figure("DOM nodes, most", max(watched.nodes), "nodes"),
    ]


def _growth(watched: Watched) -> float:
    """Bytes a minute: the slope of the line through all measured heaps."""
    minutes = [watched.seconds / 60 * number / STRETCHES for number in range(STRETCHES)]
    return statistics.linear_regression(minutes, watched.heap_bytes).slope


def _receipts(shown: Counter[int], count: int) -> list[Figure]:
    return [
        Figure("events shown", sum(shown.values()), "events"),
        Figure("lost", sum(number not in shown for number in range(count)), "events", at_most=0),
        Figure("shown twice", sum(shown.values()) - len(shown), "events", at_most=0),
    ]


def _machine(window: Window) -> list[Figure]:
    return [
        Figure("server CPU", window.server_cpu_seconds / window.seconds * 100, "%"),
        # The browser's processes too, of which the main thread is one thread.
        Figure("CPU of others", window.others_cpu_seconds / window.seconds * 100, "%"),
    ]
