"""Entries of `journalctl -o export`: fields in lines, an empty line behind each entry. Pure.

A field that holds line ends or other bytes stands as its name, its size in eight bytes, and the bytes themselves.
"""

import dataclasses
import re

from vx11_client import exact_json
from vx11_client.lines.line import LINE_LIMIT_BYTES, Line

# How every entry begins; the cursor tells it from a text line that only looks like it.
_START = re.compile(rb"__CURSOR=s=[0-9a-f]{32};")
_NAME = re.compile(rb"[A-Z0-9_]{1,64}")
SIZE_BYTES = 8
# The journal itself takes no larger field.
FIELD_LIMIT_BYTES = 768 * 1024**2
# The journal's own limit on the fields of an entry.
FIELDS_LIMIT = 1024
# Of so much of an entry nothing is kept; its size is in this field.
LEFT_OUT_KEY = "__LEFT_OUT_BYTES"


def begins_entry(line: Line) -> bool:
    return _START.match(line.content) is not None


class JournalEntry:
    """One entry, line by line."""

    def __init__(self, line: Line) -> None:
        self._first = self._last = line
        self._fields: list[tuple[bytes, bytes]] = []
        self._kept_bytes = 0
        self._left_out_bytes = 0
        # The field that is being read: name, size as far as it has come, bytes, and how many are to come.
        self._name = b""
        self._size = b""
        self._value = bytearray()
        self._left_bytes = 0
        self.take(line)

    def take(self, line: Line) -> bool:
        """Take the next line; True when the entry is complete with it. Raises ValueError for what is no entry."""
        self._last = line
        data, lost_bytes = _as_it_was(line)
        while data:
            if self._left_bytes:
                data = self._take_value(data, lost_bytes)
            elif self._name:
                missing = SIZE_BYTES - len(self._size)
                self._size, data = self._size + data[:missing], data[missing:]
                self._read_size()
            else:
                return self._take_line(data.removesuffix(b"\n"))
        return False

    def as_line(self) -> Line | None:
        """The fields as one line of JSON; None without any."""
        if not self._fields:
            return None
        fields: dict[str, object] = {}
        for raw_name, raw_value in self._fields:
            name, value = raw_name.decode("ascii"), raw_value.decode("utf-8", errors="replace")
            before = fields.get(name)
            # A field may be there more than once.
            fields[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
        if self._left_out_bytes:
            fields[LEFT_OUT_KEY] = self._left_out_bytes
        content = exact_json.dumps(fields)
        return dataclasses.replace(self._first, content=content, total_bytes=len(content), end=self._last.end, tail=b"")

    def _take_line(self, text: bytes) -> bool:
        if not text:
            return True
        name, sign, value = text.partition(b"=")
        if not _NAME.fullmatch(name):
            raise ValueError("not a field of the journal")
        if sign:
            self._add(name, value)
        else:
            self._name = name
        return False

    def _read_size(self) -> None:
        if len(self._size) < SIZE_BYTES:
            return
        size_bytes = int.from_bytes(self._size, "little")
        if size_bytes > FIELD_LIMIT_BYTES:
            raise ValueError("no field of the journal is so large")
        # With the line end behind it.
        self._left_bytes = size_bytes + 1

    def _take_value(self, data: bytes, lost_bytes: int) -> bytes:
        """Take what belongs to the value; returns the rest. What the line has lost counts too."""
        value, rest = data[: self._left_bytes], data[self._left_bytes :]
        self._left_bytes = max(0, self._left_bytes - len(value) - lost_bytes)
        room = max(0, LINE_LIMIT_BYTES - self._kept_bytes - len(self._value))
        self._value += value[:room]
        self._left_out_bytes += len(value[room:]) + lost_bytes
        if not self._left_bytes:
            self._add(self._name, bytes(self._value).removesuffix(b"\n"))
            self._name, self._size, self._value = b"", b"", bytearray()
        return rest

    def _add(self, name: bytes, value: bytes) -> None:
        room = max(0, LINE_LIMIT_BYTES - self._kept_bytes)
        if len(self._fields) >= FIELDS_LIMIT or not room:
            self._left_out_bytes += len(value)
            return
        self._left_out_bytes += len(value[room:])
        self._fields.append((name, value[:room]))
        self._kept_bytes += len(name) + len(value[:room])


def _as_it_was(line: Line) -> tuple[bytes, int]:
    """The line with its end, as it stands in the file, and how many of its bytes were too many to keep."""
    lost_bytes = line.total_bytes - len(line.content)
    end_bytes = line.end - line.start - line.total_bytes
    return line.content + (b"\r\n" if end_bytes == 2 else b"\n"), lost_bytes
