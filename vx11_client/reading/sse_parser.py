"""The event stream format read: bytes in, messages out, by the rules of the HTML standard (9.2.6). Pure."""

import dataclasses
import re

# A line that never ends is no event stream; ours has events of 64 KiB.
LINE_LIMIT_BYTES = 1024 * 1024
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotAnEventStream(Exception):
    """The bytes have no lines: this is not an event stream."""


@dataclasses.dataclass(frozen=True, slots=True)
class SseMessage:
    """One dispatched event. `last_event_id` stays that of earlier messages until another one comes."""

    event: str
    data: str
    last_event_id: str


class EventStreamParser:
    """Feed it bytes as they come, cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._after_cr = False
        self._at_start = True
        self._event = ""
        self._data: list[str] = []
        self._id_seen = ""
        self.last_event_id = ""
        """Where to go on after the last message. Unlike the field `id`, it moves only with the blank line."""
        self.retry_ms: int | None = None

    def feed(self, data: bytes) -> list[SseMessage]:
        """The messages that `data` completes. Raises NotAnEventStream."""
        lines = self._lines(data)
        return [message for line in lines if (message := self._take(line)) is not None]

    def _lines(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        # A CR ends its line at once; the LF that may follow in the next piece belongs to it.
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(self._rest + data)
        if len(self._rest) > LINE_LIMIT_BYTES:
            raise NotAnEventStream(f"a line is longer than {LINE_LIMIT_BYTES} bytes")
        if lines and self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        return lines

    def _take(self, line: bytes) -> SseMessage | None:
        if not line:
            return self._dispatch()
        name, _, value_bytes = line.partition(b":")
        value = value_bytes.removeprefix(b" ").decode("utf-8", errors="replace")
        # No name: a comment.
        if name == b"event":
            self._event = value
        elif name == b"data":
            self._data.append(value)
        elif name == b"id" and "\0" not in value:
            self._id_seen = value
        elif name == b"retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value[:9])
        return None

    def _dispatch(self) -> SseMessage | None:
        self.last_event_id = self._id_seen
        event, data = self._event, self._data
        self._event, self._data = "", []
        return SseMessage(event or "message", "\n".join(data), self.last_event_id) if data else None
