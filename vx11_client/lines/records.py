"""Lines become records: what a program wrote at once stays together. Pure; the caller brings the time.

On by default are the rules that are certain: parts of a long line (CRI, Docker), and the frames of a stack trace. A
record is bounded in lines, in bytes and in the time for which it waits for more.
"""

import dataclasses
from collections.abc import Iterable
from typing import Literal

from vx11_client.lines.line import LINE_LIMIT_BYTES, Line
from vx11_client.lines.line_heads import Head, read_head
from vx11_client.lines.moments import Clock
from vx11_client.lines.plain_text import without_sequences
from vx11_client.lines.stack_traces import Trace
from vx11_client.lines.wrappers import Wrapped, rewrapped, unwrap

Rule = Literal["auto", "indented", "timed", "off"]
RULES: tuple[Rule, ...] = ("auto", "indented", "timed", "off")
RECORD_LIMIT_LINES = 500
RECORD_LIMIT_BYTES = LINE_LIMIT_BYTES
# What belongs together is written together: the next line of a record is there within this time.
RECORD_WAIT_SECONDS = 0.25
# A piece of a long line is known to go on, and is waited for longer.
PIECE_WAIT_SECONDS = 5.0
# Records that are open at the same time, one for each stream of each source.
STREAMS_LIMIT = 64


class _Record:
    """The lines of one record that have come so far."""

    def __init__(self, line: Line, wrapped: Wrapped, *, now: float) -> None:
        self.lines = [line]
        self._pieces = [wrapped]
        self._size_bytes = len(line.content)
        self.since = now
        self._trace = Trace(wrapped.text.rstrip("\n"))
        self._head: Head | None = None

    @property
    def is_partial(self) -> bool:
        return self._pieces[-1].is_partial

    @property
    def is_held(self) -> bool:
        """Whether it may go on behind lines of other streams: a part of a line, or a trace that has begun."""
        return self.is_partial or self._trace.has_begun

    def waits_until(self) -> float:
        return self.since + (PIECE_WAIT_SECONDS if self.is_partial else RECORD_WAIT_SECONDS)

    def goes_on(self, line: Line, wrapped: Wrapped, rule: Rule) -> bool:
        first, last = self._pieces[0], self.lines[-1]
        if last.is_cut or line.is_cut or len(self.lines) >= RECORD_LIMIT_LINES or first.kind != wrapped.kind:
            return False
        if self._size_bytes + len(line.content) > RECORD_LIMIT_BYTES:
            return False
        if self.is_partial:
            return True
        text = wrapped.text.rstrip("\n")
        if not text.strip():
            return self._trace.takes_blanks or rule == "timed"
        if rule == "indented" and text[0].isspace():
            return True
        if rule == "timed" and not read_head(without_sequences(text), Clock()).has_time:
            return True
        # JSON is whole in its line.
        return not first.text.lstrip().startswith("{") and self._trace.goes_on(text, self._severity)

    def add(self, line: Line, wrapped: Wrapped, *, now: float) -> None:
        self.lines.append(line)
        self._pieces.append(wrapped)
        self._size_bytes += len(line.content) + 1
        self.since = now

    def joined(self) -> Line:
        first, last = self.lines[0], self.lines[-1]
        while len(self._pieces) > 1 and not self._pieces[-1].text.strip() and not self._pieces[-2].is_partial:
            # Empty lines at the end belong to no record.
            self._pieces.pop()
        if len(self._pieces) == 1 and not self.is_partial:
            return dataclasses.replace(first, end=last.end)
        content = rewrapped(self._pieces).encode("utf-8", errors="replace")
        return dataclasses.replace(first, content=content, total_bytes=len(content), end=last.end)

    def _severity(self) -> str | None:
        if self._head is None:
            self._head = read_head(without_sequences(self._pieces[0].text), Clock())
        return self._head.severity


class RecordJoiner:
    """Lines in, records out. A line that was not joined comes out as it is.

    Records come out in the order of their first lines, except that one which is held (a trace, a part of a line) may
    come behind lines of other streams.
    """

    def __init__(self, *, rule: Rule = "auto") -> None:
        self._rule: Rule = rule
        self._open: dict[tuple[str, str, str], _Record] = {}
        self._last: dict[str, Line] = {}

    def feed(self, lines: Iterable[Line], *, now: float) -> list[Line]:
        """The records that these lines complete."""
        done: list[Line] = []
        for line in lines:
            self._last[line.origin] = line
            if self._rule == "off":
                done.append(line)
            else:
                done += self._take(line, now)
        return done

    def expired(self, *, now: float) -> list[Line]:
        """The records that have waited long enough for their next line."""
        return self._close([key for key, record in self._open.items() if now >= record.waits_until()])

    def flush(self) -> list[Line]:
        """All records that are open."""
        return self._close(list(self._open))

    def next_deadline(self) -> float | None:
        """When a record will have waited long enough; None when none is open."""
        return min((record.waits_until() for record in self._open.values()), default=None)

    def settled(self) -> dict[str, tuple[Line, int]]:
        """By origin, a line and the offset in its file up to which everything came out."""
        places = {origin: (line, line.end) for origin, line in self._last.items()}
        for record in reversed(self._open.values()):
            first = record.lines[0]
            places[first.origin] = (first, first.start)
        return places

    def _take(self, line: Line, now: float) -> list[Line]:
        text = line.content.decode("utf-8", errors="replace")
        wrapped = unwrap(text)
        key = (line.origin, wrapped.kind, wrapped.stream)
        record = self._open.get(key)
        if record is not None and record.goes_on(line, wrapped, self._rule):
            record.add(line, wrapped, now=now)
            return []
        # In the order in which they came: only what is held waits for more while other streams go on.
        ready = [at for at, other in self._open.items() if at == key or not other.is_held]
        done = self._close(ready)
        if len(self._open) >= STREAMS_LIMIT:
            done += self._close([next(iter(self._open))])
        self._open[key] = _Record(line, wrapped, now=now)
        return done

    def _close(self, keys: list[tuple[str, str, str]]) -> list[Line]:
        return [self._open.pop(key).joined() for key in keys]
