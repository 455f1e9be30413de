"""Small parts of the console's feed by themselves: what is kept, and what waits to be drawn, both with an end."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.scripted import ScriptedServer

ENTRY_LIMIT = 2_000
PENDING_LIMIT = 5_000
# Each step puts so many events of so many bytes at an end; what came of it, and the seq of the first and last one kept.
KEEP = """
    async (steps) => {
        const { Entries, sizeOf } = await import("/static/operator_api/entries.js");
        const entries = new Entries();
        let [first, last] = [0, 1];
        const told = steps.map(([where, count, bytes]) => {
            const seqs = Array.from({ length: count }, () => (where === "append" ? last++ : first--));
            const events = seqs.map((seq) => {
                const event = { event_id: `e-${seq}`, seq, text: "" };
                event.text = "x".repeat(bytes - sizeOf(event));
                return { event, cursor: `c-${seq}`, bytes };
            });
            if (where === "prepend") events.reverse();
            const room = entries.hasRoomFor(events);
            const result = entries[where](events);
            return { room, dropped: result.dropped ?? result, held: entries.length };
        });
        return { told, first: entries.firstEvent.event.seq, last: entries.lastEvent.event.seq };
    }
"""
WAIT = """
    async ({ count, bytes, upto }) => {
        const { Pending } = await import("/static/operator_api/pending.js");
        const pending = new Pending();
        const text = "x".repeat(bytes);
        let room = true;
        for (let seq = 1; seq <= count; seq += 1) room = pending.add({ seq, text }, `c-${seq}`);
        pending.forgetUpTo(upto);
        return { room, left: pending.take().map(({ event }) => event.seq), then: pending.take().length };
    }
"""
MEGABYTE = 1024 * 1024


@pytest.fixture
def page(page: Page, script: ScriptedServer) -> Page:
    page.goto(script.url)
    return page


@pytest.mark.parametrize(
    ("steps", "told", "first", "last"),
    [
        pytest.param(
            [("append", ENTRY_LIMIT, 100), ("append", 3, 100)],
            [(True, 0, ENTRY_LIMIT), (False, 3, ENTRY_LIMIT)],
            4,
            ENTRY_LIMIT + 3,
            id="too many at the end",
        ),
        pytest.param(
            [("append", ENTRY_LIMIT, 100), ("prepend", 3, 100)],
            [(True, 0, ENTRY_LIMIT), (False, 3, ENTRY_LIMIT)],
            -2,
            ENTRY_LIMIT - 3,
            id="too many in front",
        ),
        pytest.param(
            [("append", 32, MEGABYTE), ("append", 2, MEGABYTE), ("append", 1, 100)],
            [(True, 0, 32), (False, 2, 32), (False, 1, 32)],
            4,
            35,
            id="too large at the end",
        ),
        pytest.param(
            [("append", 32, MEGABYTE), ("prepend", 2, MEGABYTE), ("prepend", 1, MEGABYTE)],
            [(True, 0, 32), (False, 2, 32), (False, 1, 32)],
            -2,
            29,
            id="too large in front",
        ),
        pytest.param(
            [("append", 31, MEGABYTE), ("append", 1, 100), ("append", 1, MEGABYTE - 100)],
            [(True, 0, 31), (True, 0, 32), (True, 0, 33)],
            1,
            33,
            id="just as much as there is room for",
        ),
    ],
)
def test_the_feed_keeps_so_many_events_and_bytes_and_lets_go_at_the_far_end(
    page: Page, steps: list[Any], told: list[tuple[bool, int, int]], first: int, last: int
) -> None:
    names = ("room", "dropped", "held")
    expected = [dict(zip(names, values, strict=True)) for values in told]
    assert page.evaluate(KEEP, steps) == {"told": expected, "first": first, "last": last}


@pytest.mark.parametrize(("count", "bytes_each"), [(PENDING_LIMIT, 10), (31, MEGABYTE)])
def test_events_wait_to_be_drawn_in_their_order_and_are_handed_over_once(
    page: Page, count: int, bytes_each: int
) -> None:
    waited = page.evaluate(WAIT, {"count": count, "bytes": bytes_each, "upto": 3})
    assert waited == {"room": True, "left": list(range(4, count + 1)), "then": 0}


@pytest.mark.parametrize(("count", "bytes_each"), [(PENDING_LIMIT + 1, 10), (32, MEGABYTE)])
def test_when_too_many_wait_or_too_much_none_is_left_to_be_read_from_the_log(
    page: Page, count: int, bytes_each: int
) -> None:
    assert page.evaluate(WAIT, {"count": count, "bytes": bytes_each, "upto": 0}) == {
        "room": False,
        "left": [],
        "then": 0,
    }
