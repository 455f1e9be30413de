"""Events as lines on standard output, and what happens to the connection as lines on standard error. No Django."""

import datetime
import select
from typing import Any, TextIO, assert_never

from vx11_client import exact_json
from vx11_client.reading.stream_reader import CaughtUp, Connected, Heartbeat, Item, Received, Reconnecting, StreamReset
from vx11_client.terminal_text import coloured, shown, shown_json

SEVERITY_WIDTH = len("critical")
MODULE_WIDTH = 14
# What happened and was stored so soon after has one time.
SAME_TIME = datetime.timedelta(seconds=1)


class OutputClosed(Exception):
    """The reader of the output is gone."""


class EventPrinter:
    """Shows what a stream reader receives. Raises OutputClosed, also while no event comes, at the next heartbeat."""

    def __init__(self, events_out: TextIO, state_out: TextIO, *, as_json: bool, in_colour: bool) -> None:
        self._events_out = events_out
        self._state_out = state_out
        self._as_json = as_json
        self._in_colour = in_colour
        self._writing = self._stopped = False

    def stop(self) -> None:
        """For signal handlers: no write begins after this, and one that has begun ends with KeyboardInterrupt.

        A write into a full pipe blocks the event loop; only an exception gets out of it.
        """
        self._stopped = True
        if self._writing:
            raise KeyboardInterrupt

    def show(self, item: Item) -> None:
        match item:
            case Received(event):
                self._write(shown_json(exact_json.dumps(event).decode()) if self._as_json else self.line(event))
            case Heartbeat():
                self._check_output()
            case Connected(cursor):
                self._print_state(f"connected at {cursor}")
            case CaughtUp(cursor):
                self._print_state(f"live from {cursor}")
            case StreamReset(reason, cursor):
                self._print_state(f"events are missing here ({reason}); going on from {cursor}")
            case Reconnecting(seconds, reason):
                self._print_state(f"{reason}; next try in {seconds:.0f} s")
            case _:
                assert_never(item)

    def line(self, event: dict[str, Any]) -> str:
        """`2026-01-04 02:34:28  warn      hormiguero      drift  summary`, in local time: when it happened, if it was
        stored at another time.
        """
        severity = shown(str(event.get("severity", "")))
        label = f"{severity:<{SEVERITY_WIDTH}}"
        fields = (shown(str(event.get(name, ""))) for name in ("module", "event_type", "summary"))
        module, event_type, summary = fields
        marked = coloured(label, severity) if self._in_colour else label
        return f"{_local_time(_happened_at(event))}  {marked}  {module:<{MODULE_WIDTH}}  {event_type}  {summary}"

    def _write(self, line: str) -> None:
        # In this order: `_stopped` shows a signal that came before the check, and a later signal interrupts the write.
        self._writing = True
        try:
            if self._stopped:
                raise KeyboardInterrupt
            self._events_out.write(f"{line}\n")
            self._events_out.flush()
        except BrokenPipeError:
            raise OutputClosed from None
        finally:
            self._writing = False

    def _check_output(self) -> None:
        poll = select.poll()
        poll.register(self._events_out, 0)
        if any(happened & (select.POLLERR | select.POLLHUP) for _, happened in poll.poll(0)):
            raise OutputClosed

    def _print_state(self, text: str) -> None:
        self._state_out.write(f"tail_events: {shown(text)}\n")
        self._state_out.flush()


def _happened_at(event: dict[str, Any]) -> object:
    """`occurred_at` where it differs from when the event was stored: lines that were imported are of another time."""
    stored, happened = event.get("created_at"), event.get("occurred_at")
    try:
        apart = datetime.datetime.fromisoformat(str(happened)) - datetime.datetime.fromisoformat(str(stored))
    except (ValueError, TypeError):
        return stored
    return happened if abs(apart) > SAME_TIME else stored


def _local_time(text: object) -> str:
    try:
        moment = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return shown(str(text))
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
