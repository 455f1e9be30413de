"""Whoever has a snapshot and follows the log has what a fresh snapshot says, whatever was done in between."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import log
from events.log.cursors import Cursor
from events.models import Event
from gateway.filters import EVERYTHING
from operator_api import windows
from operator_api.models import Window
from tests.operator_api.samples import close_window, expire_window, extend_window, let_time_pass, open_window, opening

pytestmark = pytest.mark.usefixtures("ledger")

# What depends on when one looks, and not on what happened.
CLOCKWORK = {"ttl_seconds", "cursor"}


def lapse() -> None:
    if Window.objects.filter(closed_at=None).exists():
        let_time_pass()
        expire_window()


STEPS: dict[str, Callable[[], object]] = {
    "open": lambda: open_window(opening("switch", reason="a test")),
    "open another": lambda: open_window(opening("hermes", "spawner", ttl_seconds=30)),
    "hold": lambda: open_window(opening(ttl_seconds=None)),
    "extend": lambda: extend_window(120),
    "close": close_window,
    "lapse": lapse,
    "look": expire_window,
}


def applied(snapshot: windows.Status) -> dict[str, Any]:
    """The snapshot, brought up to date by the events after its cursor: what a client does."""
    state = dict(snapshot)
    page = log.read_after(Cursor.parse(snapshot["cursor"]), EVERYTHING)
    for entry in page.entries:
        event = orjson.loads(entry.body)
        if event["event_type"].startswith("window."):
            state |= event["payload"]["window"]
    return state


def lasting(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name not in CLOCKWORK}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.sampled_from(sorted(STEPS)), max_size=4),
    after=st.lists(st.sampled_from(sorted(STEPS)), max_size=8),
)
def test_a_snapshot_and_the_events_after_it_are_a_fresh_snapshot(before: list[str], after: list[str]) -> None:
    with transaction.atomic():
        Window.objects.all().delete()
    for step in before:
        STEPS[step]()
    snapshots = [windows.snapshot()]
    for step in after:
        STEPS[step]()
        snapshots.append(windows.snapshot())
    fresh = lasting(windows.snapshot())
    for snapshot in snapshots:
        assert lasting(applied(snapshot)) == fresh


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=10))
def test_windows_and_their_events_take_turns(steps: list[str]) -> None:
    """Every window has one beginning and at most one end, and no two are open at once."""
    with transaction.atomic():
        Window.objects.all().delete()
        Event.objects.all().delete()
    for step in steps:
        STEPS[step]()
    open_id = None
    for event in Event.objects.order_by("seq"):
        window_id = orjson.loads(event.payload)["window_id"]
        if event.event_type == "window.opened":
            assert open_id is None
            open_id = window_id
        else:
            assert window_id == open_id
            open_id = window_id if event.event_type == "window.extended" else None
    still_open = Window.objects.filter(closed_at=None).first()
    assert open_id == (still_open and str(still_open.pk))
