"""Bytes become whole lines, whatever they hold: UTF-8, no text at all, or UTF-16 that begins with its mark. Pure."""

import codecs
import dataclasses

# Four times what an event may hold. More of one line is counted and dropped, so that a file without line ends
# cannot fill the memory.
LINE_LIMIT_BYTES = 256 * 1024
# A batch of OpenTelemetry's logs is one line, and holds many events.
BATCH_LINE_LIMIT_BYTES = 16 * 1024**2
_BATCH_STARTS = (b'{"resourceLogs"', b'{"resource_logs"')
# Of a line that is longer, the last bytes are kept too: in JSON, level and time often stand at the end.
TAIL_BYTES = 4096
# A mark of UTF-16 is believed when so much of the text behind it looks like UTF-16: one of 8 units is ASCII.
SAMPLE_BYTES = 256
ASCII_SHARE = 8
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_NEWLINES = {"utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line without its end. `content` holds at most LINE_LIMIT_BYTES of it, `total_bytes` says how long it was.

    `place` names where it stood, the same each time the same file is read; empty when the source has no places.
    `origin` names the source, and `start` and `end` are offsets in it: `end` is where the next line begins. `tail` is
    the end of a line that was cut, `number` counts the lines of a feed from 1, `file_head` holds the first bytes of its
    file, of a line that is not among them.
    """

    content: bytes
    total_bytes: int
    place: str = ""
    origin: str = ""
    start: int = 0
    end: int = 0
    tail: bytes = b""
    number: int = 0
    file_head: bytes = dataclasses.field(default=b"", compare=False, repr=False)

    @property
    def is_cut(self) -> bool:
        return self.total_bytes > len(self.content)


def encoding_of(sample: bytes) -> str:
    """`utf-16-le` or `utf-16-be` when the text that starts with `sample` is that for sure; empty for all others."""
    encoding = _MARKS.get(sample[:2], "")
    units = sample[2 : SAMPLE_BYTES - SAMPLE_BYTES % 2]
    if not encoding or len(units) < 2:
        return ""
    high, low = (units[1::2], units[::2]) if encoding == "utf-16-le" else (units[::2], units[1::2])
    ascii_count = sum(not top and bottom for top, bottom in zip(high, low, strict=False))
    return encoding if ascii_count * ASCII_SHARE >= len(units) // 2 else ""


class LineSplitter:
    """Bytes in, whole lines out. Lines end with LF; a CR before it belongs to the end.

    `start` is the offset of the first byte; `encoding` that of the text, found in its first bytes if it is None.
    """

    def __init__(self, *, start: int = 0, encoding: str | None = None) -> None:
        self._begun = bytearray()
        self._tail = b""
        self._dropped_bytes = 0
        self._encoding = encoding
        # Bytes that do not say yet what follows: the start of a mark, or half a unit of UTF-16.
        self._waiting = b""
        self.consumed_bytes = start
        """Bytes of all lines given out, their ends included: where the line after them begins."""

    def feed(self, data: bytes) -> list[tuple[int, Line]]:
        """The lines that `data` completes, each with the offset of its first byte."""
        data = self._waiting + data
        self._waiting = b""
        if self._encoding is None and not self._detect(data):
            return []
        lines = []
        *ends, rest = self._split(data)
        for end in ends:
            self._keep(end)
            lines.append(self._take(line_end_bytes=2 if self._encoding else 1))
        self._keep(rest)
        return lines

    def flush(self) -> list[tuple[int, Line]]:
        """The last line, when its end is missing."""
        self._keep(self._waiting)
        self._waiting = b""
        return [self._take(line_end_bytes=0)] if self._begun or self._dropped_bytes else []

    def _detect(self, data: bytes) -> bool:
        """Whether the encoding is known now; if not, `data` waits for more."""
        if len(data) < 4 and any(mark.startswith(data[:2]) for mark in _MARKS) and b"\n" not in data:
            self._waiting = data
            return False
        self._encoding = encoding_of(data)
        return True

    def _split(self, data: bytes) -> list[bytes]:
        if not self._encoding:
            return data.split(b"\n")
        if len(data) % 2:
            data, self._waiting = data[:-1], data[-1:]
        pieces, begin, at = [], 0, 0
        newline = _NEWLINES[self._encoding]
        while (found := data.find(newline, at)) >= 0:
            at = found + 1
            # Only at a whole unit: the second byte of one and the first of the next may look like a line end.
            if found % 2 == 0:
                pieces.append(data[begin:found])
                begin = at = found + 2
        return [*pieces, data[begin:]]

    def _keep(self, data: bytes) -> None:
        room = (BATCH_LINE_LIMIT_BYTES if self._is_batch(data) else LINE_LIMIT_BYTES) - len(self._begun)
        self._begun += data[:room]
        if dropped := data[room:]:
            self._dropped_bytes += len(dropped)
            self._tail = (self._tail + dropped)[-TAIL_BYTES:]

    def _is_batch(self, data: bytes) -> bool:
        begun = bytes(self._begun[:32]) or data[:32]
        return begun.startswith(b"{") and begun.replace(b" ", b"").startswith(_BATCH_STARTS)

    def _take(self, *, line_end_bytes: int) -> tuple[int, Line]:
        offset = self.consumed_bytes
        self.consumed_bytes += len(self._begun) + self._dropped_bytes + line_end_bytes
        content, tail = bytes(self._begun), self._tail
        if self._encoding:
            content = content.decode(self._encoding, errors="replace").encode()
            tail = tail.decode(self._encoding, errors="replace").encode()
        if not self._dropped_bytes:
            content = content.removesuffix(b"\r")
        total_bytes = len(content) + self._dropped_bytes
        line = Line(content, total_bytes, start=offset, end=self.consumed_bytes, tail=tail)
        self._begun.clear()
        self._tail = b""
        self._dropped_bytes = 0
        return offset, line
