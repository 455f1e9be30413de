"""Where does one record end in a stream of bytes? RFC 6587: octet counting, or a line end. Pure.

Each record is recognised by itself: a number, a space and `<` are the octet count of RFC 5425; all else ends at LF.
"""

import re
from typing import NamedTuple

LINE_LIMIT_BYTES = 8 * 1024
# A longer count is no record of any sender, and would hide so many bytes of what follows: the connection is closed.
FRAME_LIMIT_BYTES = 1024 * 1024

_COUNT = re.compile(rb"([1-9][0-9]{0,9}) (?=<)")
# So far it may be a count.
_COUNT_BEGUN = re.compile(rb"[1-9][0-9]{0,9} ?\Z")
_ENDS = b"\r\n\0"


class BadFrame(ValueError):
    """The sender announces a record that is larger than FRAME_LIMIT_BYTES. `frames` are those before it."""

    def __init__(self, size_bytes: int, frames: "list[Frame]") -> None:
        self.frames = frames
        super().__init__(f"a record of {size_bytes} bytes is announced")


class Frame(NamedTuple):
    """One record: at most the limit of its bytes, and how many it had."""

    content: bytes
    total_bytes: int

    @property
    def is_cut(self) -> bool:
        return self.total_bytes > len(self.content)


class FrameReader:
    """Bytes of one connection in, whole records out. Holds no more than one record's limit."""

    def __init__(self, *, limit_bytes: int = LINE_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._waiting = b""
        # Of a counted record that was cut: so many bytes of it are still to come.
        self._skipped_bytes = 0
        # The kept part of a line that was cut, whose end is still to come, and the bytes that were left out of it.
        self._cut_line: bytes | None = None
        self._left_out_bytes = 0

    @property
    def is_within(self) -> bool:
        """Whether a record has begun and not ended."""
        return bool(self._waiting) or self._skipped_bytes > 0 or self._cut_line is not None

    def feed(self, data: bytes) -> list[Frame]:
        """The records that `data` completes; empty ones are none. Raises BadFrame; then the stream makes no sense."""
        frames: list[Frame] = []
        data = self._past_cut(data, frames)
        if self._waiting:
            data, self._waiting = self._waiting + data, b""
        at = 0
        while at < len(data):
            if count := _COUNT.match(data, at):
                after = self._counted(data, count, frames)
            elif _COUNT_BEGUN.match(data, at):
                after = None
            else:
                after = self._line(data, at, frames)
            if after is None:
                self._waiting = data[at:]
                break
            at = after
        return frames

    def flush(self) -> tuple[list[Frame], int]:
        """At the end of the stream: a last line without its end, and how many records (0 or 1) came only in part."""
        frames: list[Frame] = []
        lost_count = 0
        if self._cut_line is not None:
            _add(frames, self._cut_line, len(self._cut_line) + self._left_out_bytes)
        elif _COUNT.match(self._waiting):
            lost_count = 1
        else:
            _add(frames, self._waiting, len(self._waiting))
        self._waiting, self._cut_line, self._skipped_bytes = b"", None, 0
        return frames, lost_count

    def _past_cut(self, data: bytes, frames: list[Frame]) -> bytes:
        """What follows behind a record that was cut."""
        if self._skipped_bytes:
            skipped = min(self._skipped_bytes, len(data))
            self._skipped_bytes -= skipped
            return data[skipped:]
        if self._cut_line is None:
            return data
        end = data.find(b"\n")
        self._left_out_bytes += len(data) if end < 0 else end
        if end < 0:
            return b""
        _add(frames, self._cut_line, len(self._cut_line) + self._left_out_bytes)
        self._cut_line = None
        return data[end + 1 :]

    def _counted(self, data: bytes, count: "re.Match[bytes]", frames: list[Frame]) -> int | None:
        """Where the record behind this count ends; None when it must wait for more."""
        size_bytes, begin = int(count[1]), count.end()
        if size_bytes > FRAME_LIMIT_BYTES:
            raise BadFrame(size_bytes, frames)
        end = begin + size_bytes
        if end > len(data) and (size_bytes <= self._limit_bytes or len(data) - begin < self._limit_bytes):
            return None
        _add(frames, data[begin : begin + min(size_bytes, self._limit_bytes)], size_bytes)
        self._skipped_bytes = max(0, end - len(data))
        return min(end, len(data))

    def _line(self, data: bytes, at: int, frames: list[Frame]) -> int | None:
        end = data.find(b"\n", at)
        if end >= 0:
            _add(frames, data[at : min(end, at + self._limit_bytes)], end - at)
            return end + 1
        if len(data) - at <= self._limit_bytes:
            return None
        self._cut_line = data[at : at + self._limit_bytes]
        self._left_out_bytes = len(data) - at - self._limit_bytes
        return len(data)


def _add(frames: list[Frame], content: bytes, total_bytes: int) -> None:
    """Without line ends and NUL at its end, which are none of the record's. A record of nothing else is none."""
    kept = content.rstrip(_ENDS)
    if not kept.strip():
        return
    is_cut = total_bytes > len(content)
    frames.append(Frame(kept, total_bytes if is_cut else len(kept)))
