"""A text of one line or of several: its summary, its level and its time. Pure."""

import dataclasses
import datetime

from vx11_client.lines.line_heads import read_head
from vx11_client.lines.moments import Clock
from vx11_client.lines.plain_text import one_line, without_sequences
from vx11_client.lines.stack_traces import PYTHON_START, Trace, is_jul_start, last_exception


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """What a text says. `end` is where its first line's message begins, behind the time and the level."""

    summary: str
    severity: str | None
    moment: datetime.datetime | None
    end: int


def read_message(text: str, clock: Clock) -> Message:
    """The summary is the first line; of a trace that begins with itself, the line that names the exception."""
    first, *others = without_sequences(text).strip("\r\n").split("\n")
    head = read_head(first, clock)
    shown = one_line(last_exception(others) or first) if others and PYTHON_START.match(first) else one_line(first)
    severity = head.severity
    if others and severity is None:
        severity = _severity_of_others(first, others, clock)
    return Message(shown or one_line(text), severity, head.moment, head.end)


def _severity_of_others(first: str, others: list[str], clock: Clock) -> str | None:
    """The level of JUL's second line; a trace without a level is one of an error."""
    if is_jul_start(first):
        return read_head(others[0], clock).severity
    trace = Trace(first)
    for line in others:
        trace.goes_on(line, lambda: "error")
    return "error" if trace.has_frames else None
