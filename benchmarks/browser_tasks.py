"""The CPU time of each task of a page's main thread, as Chromium traces it: what else the machine does is not in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import CDPSession, Page

TASK, MAIN_THREAD = "ThreadControllerImpl::RunTask", "CrRendererMain"
TRACED = {"transferMode": "ReportEvents", "traceConfig": {"includedCategories": ["toplevel"]}}
POLL_MS = 50


@contextmanager
def traced(page: Page, browser: CDPSession) -> Iterator[list[float]]:
    """The list holds the milliseconds of each task when the block is over."""
    found: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    tasks: list[float] = []

    def collect(part: dict[str, Any]) -> None:
        found.extend(part["value"])

    def end(last: dict[str, Any]) -> None:
        ended.append(last)

    browser.on("Tracing.dataCollected", collect)
    browser.once("Tracing.tracingComplete", end)
    browser.send("Tracing.start", TRACED)
    yield tasks
    browser.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(POLL_MS)
    browser.remove_listener("Tracing.dataCollected", collect)
    tasks += _cpu_ms(found)


def _cpu_ms(found: list[dict[str, Any]]) -> Iterator[float]:
    named = [event for event in found if event["name"] == "thread_name" and event["args"]["name"] == MAIN_THREAD]
    threads = {(event["pid"], event["tid"]) for event in named}
    for event in found:
        if event["name"] == TASK and (event["pid"], event["tid"]) in threads:
            yield event.get("tdur", 0) / 1000
