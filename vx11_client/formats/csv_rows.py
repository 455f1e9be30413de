"""Tables: a first line that names the columns, and a row for each event. Pure.

Cells are separated by commas, semicolons or tabs; one in double quotes may hold line ends (RFC 4180).
"""

import csv
import dataclasses
import io
import re
from typing import Literal

from vx11_client import exact_json
from vx11_client.lines.json_objects import json_object
from vx11_client.lines.line import Line
from vx11_client.lines.logger_fields import NUMBER_KEYS, SCALED_KEYS, SUMMARY_KEYS, TIME_KEYS, WORD_KEYS

Rule = Literal["auto", "always", "off"]
RULES: tuple[Rule, ...] = ("auto", "always", "off")
DELIMITERS = (",", ";", "\t")
COLUMNS_LIMIT = 200
# A quote that never ends must not take the rest of the file.
ROW_LIMIT_LINES = 100
# What a row has beyond its header.
MORE_KEY = "more_cells"

_NAME = re.compile(r"[^\W\d][\w .@:/()-]{0,63}")
_SEPARATORS = re.compile(r"[ -]+")
_LEVEL_NAMES = frozenset({*WORD_KEYS, *NUMBER_KEYS, *SCALED_KEYS})


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table, as its header names them."""

    names: tuple[str, ...]
    delimiter: str
    header: str

    def is_open(self, text: str) -> bool:
        """Whether the last cell begins with a quote that is not closed: the row goes on in the next line."""
        at = 0
        while at < len(text):
            if text[at] == '"':
                closed = _closing_quote(text, at + 1)
                if closed < 0:
                    return True
                at = closed + 1
            separator = text.find(self.delimiter, at)
            if separator < 0:
                return False
            at = separator + 1
        return False

    def fields(self, text: str) -> dict[str, object] | None:
        """The cells by the names of their columns; None for what is no row."""
        cells = _cells(text, self.delimiter)
        # An object of JSON has commas too.
        if len(cells) < 2 or text.lstrip().startswith("{"):
            return None
        fields: dict[str, object] = {
            # A cell that holds an object is one: so an export of our own comes back as it was.
            name: json_object(cell) or cell
            for name, cell in zip(self.names, cells, strict=False)
        }
        more = cells[len(self.names) :]
        return {**fields, MORE_KEY: more} if any(more) else fields


def table_of(text: str, rule: Rule) -> Table | None:
    """The table whose header this is.

    With `auto` only for sure: every cell is a name, one is that of a message, and another that of a level or a time.
    """
    if rule == "off":
        return None
    text = text.removeprefix("\ufeff").strip("\r\n")
    found = max(((_cells(text, one), one) for one in DELIMITERS), key=lambda pair: len(pair[0]))
    names = [_SEPARATORS.sub("_", cell.strip()) for cell in found[0]]
    if not 2 <= len(names) <= COLUMNS_LIMIT:
        return None
    if rule == "auto" and not (all(map(_NAME.fullmatch, found[0])) and _are_known(names)):
        return None
    return Table(tuple(_distinct(names)), found[1], text)


def row_line(table: Table, lines: list[Line]) -> Line | None:
    """The row in these lines as one line of JSON; None for what is no row."""
    text = text_of(lines)
    fields = table.fields(text)
    if fields is None:
        return None
    content = exact_json.dumps(fields)
    return dataclasses.replace(lines[0], content=content, total_bytes=len(content), end=lines[-1].end)


def text_of(lines: list[Line]) -> str:
    return "\n".join(line.content.decode("utf-8", errors="replace") for line in lines)


def _are_known(names: list[str]) -> bool:
    lower = {name.lower() for name in names}
    messages, others = lower & set(SUMMARY_KEYS), lower & {*_LEVEL_NAMES, *TIME_KEYS}
    return bool(messages) and bool(others - messages)


def _distinct(names: list[str]) -> list[str]:
    """Each name once; a column without one is named by its number."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, start=1):
        found[name if name and name not in found else f"{name or 'column'}_{number}"] = None
    return list(found)


def _cells(text: str, delimiter: str) -> list[str]:
    """The cells of one row; none when it cannot be read."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []


def _closing_quote(text: str, at: int) -> int:
    """Where the quote ends that has begun before this place; -1 if it does not. Two quotes are one that is meant."""
    while (found := text.find('"', at)) >= 0:
        if not text.startswith('"', found + 1):
            return found
        at = found + 2
    return -1
