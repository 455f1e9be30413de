"""Lines of sources in, lines of logs out, each with one event. Pure."""

import dataclasses

from vx11_client.formats import csv_rows, otlp_batches
from vx11_client.formats.csv_rows import Rule, Table
from vx11_client.formats.journal_export import JournalEntry, begins_entry
from vx11_client.lines.line import LINE_LIMIT_BYTES, Line, encoding_of


class FormatReader:
    """Knows for each source what it holds. A line of no such format comes out as it is."""

    def __init__(self, *, csv: Rule = "auto") -> None:
        self._csv: Rule = csv
        self._sources: dict[str, _Source] = {}

    def feed(self, line: Line) -> list[Line]:
        """The lines that this one completes."""
        done: list[Line] = []
        source = self._sources.get(line.origin)
        if source is None or source.generation != _generation(line) or line.start == 0:
            done = source.flush() if source else []
            source = self._sources[line.origin] = _Source(line, self._csv)
        return done + source.feed(line)

    def flush(self) -> list[Line]:
        """What has begun and is not complete."""
        return [line for source in self._sources.values() for line in source.flush()]


class _Source:
    """One file from its first line on, or from where reading goes on."""

    def __init__(self, line: Line, csv: Rule) -> None:
        self.generation = _generation(line)
        self._csv: Rule = csv
        self._entry: JournalEntry | None = None
        # Lines of a row that is not complete.
        self._row: list[Line] = []
        # Of a file that is read on, the header stands before the first line.
        self._table = None if line.start == 0 else _table_before(line, csv)

    def feed(self, line: Line) -> list[Line]:
        if self._entry is not None:
            return self._take_entry(self._entry, line)
        if begins_entry(line):
            self._entry = JournalEntry(line)
            return []
        if line.start == 0 and (table := csv_rows.table_of(csv_rows.text_of([line]), self._csv)):
            self._table = table
            return []
        if self._table is not None:
            return self._take_row(self._table, line)
        records = otlp_batches.expanded(line)
        return [_bounded(line)] if records is None else records

    def flush(self) -> list[Line]:
        entry, self._entry = self._entry, None
        lines, self._row = self._row, []
        found = entry.as_line() if entry else None
        return [found] if found else lines

    def _take_entry(self, entry: JournalEntry, line: Line) -> list[Line]:
        try:
            if not entry.take(line):
                return []
        except ValueError:
            return [*self.flush(), *self.feed(line)]
        return self.flush()

    def _take_row(self, table: Table, line: Line) -> list[Line]:
        self._row.append(line)
        text = csv_rows.text_of(self._row)
        if table.is_open(text) and not line.is_cut:
            too_long = len(self._row) >= csv_rows.ROW_LIMIT_LINES or len(text) > LINE_LIMIT_BYTES
            return self.flush() if too_long else []
        lines, self._row = self._row, []
        if text == table.header:
            # The writer has begun anew, and has written its header again.
            return []
        row = None if line.is_cut else csv_rows.row_line(table, lines)
        return lines if row is None else [row]


def _table_before(line: Line, csv: Rule) -> Table | None:
    encoding = encoding_of(line.file_head) or "utf-8"
    first, ended, _ = line.file_head.decode(encoding, errors="replace").partition("\n")
    return csv_rows.table_of(first, csv) if ended else None


def _generation(line: Line) -> str:
    return line.place.rsplit(":", 2)[0]


def _bounded(line: Line) -> Line:
    """A line that was given the room of a batch, and is none."""
    if len(line.content) <= LINE_LIMIT_BYTES:
        return line
    return dataclasses.replace(line, content=line.content[:LINE_LIMIT_BYTES])
