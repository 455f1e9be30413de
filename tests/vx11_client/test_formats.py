"""What carries several events, or one in several lines: bounded, and every event has a place to go on from."""

from collections.abc import Iterable

import pytest

from vx11_client.feeding.feed_mapping import FeedMapping
from vx11_client.formats import csv_rows, journal_export
from vx11_client.formats.format_reader import FormatReader
from vx11_client.formats.journal_export import LEFT_OUT_KEY
from vx11_client.lines.json_objects import json_object
from vx11_client.lines.line import BATCH_LINE_LIMIT_BYTES, LINE_LIMIT_BYTES, Line, LineSplitter
from vx11_client.lines.records import RecordJoiner

HEADER = b"time,level,message\n"
ROW = b"2026-01-04T01:34:28Z,warn,low water\n"
CURSOR = b"__CURSOR=s=0123456789abcdef0123456789abcdef;i=1\n__REALTIME_TIMESTAMP=1767490468000000\n"
PLACE = "1:2:abc"


def lines_of(content: bytes, *, piece_bytes: int = 0, origin: str = "a.log") -> list[Line]:
    """As a file gives them: each with its place."""
    splitter = LineSplitter()
    size = piece_bytes or len(content)
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    found = [pair for piece in pieces for pair in splitter.feed(piece)] + splitter.flush()
    return [placed(line, offset, origin) for offset, line in found]


def placed(line: Line, offset: int, origin: str = "a.log") -> Line:
    return Line(
        **{name: getattr(line, name) for name in ("content", "total_bytes", "start", "end", "tail")},
        place=f"{PLACE}:{offset}:0",
        origin=origin,
    )


def read(lines: Iterable[Line], reader: FormatReader | None = None) -> list[Line]:
    reader = reader or FormatReader()
    return [found for line in lines for found in reader.feed(line)] + reader.flush()


def entry(*fields: bytes) -> bytes:
    return CURSOR + b"".join(fields) + b"\n"


def binary(name: bytes, value: bytes) -> bytes:
    return name + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


def journal_fields(content: bytes) -> dict[str, object]:
    [line] = read(lines_of(content))
    return json_object(line.content.decode()) or {}


def test_a_row_takes_the_place_of_its_first_line_and_ends_with_its_last() -> None:
    content = HEADER + b'2026-01-04T01:34:28Z,warn,"one\ntwo"\n' + ROW
    first, second = read(lines_of(content))
    assert first.place == f"{PLACE}:{len(HEADER)}:0"
    assert (first.start, first.end) == (len(HEADER), len(content) - len(ROW))
    assert (second.start, second.end) == (len(content) - len(ROW), len(content))


def test_a_file_that_is_read_on_is_read_by_its_header() -> None:
    [line] = lines_of(ROW)
    later = Line(line.content, line.total_bytes, PLACE + ":500:0", "a.log", 500, 536, file_head=HEADER + ROW * 3)
    [found] = read([later])
    assert (FeedMapping().event(found) or {})["summary"] == "low water"
    # A header that is longer than what is known of the file is none.
    cut = Line(line.content, line.total_bytes, PLACE + ":500:0", "b.log", 500, 536, file_head=HEADER[:-3])
    assert read([cut]) == [cut]


def test_each_file_has_a_header_of_its_own_also_the_next_one_of_the_same_name() -> None:
    reader = FormatReader()
    one, other = lines_of(HEADER + ROW), lines_of(b"plain, text, here\n" + ROW, origin="b.log")
    mixed = [one[0], other[0], one[1], other[1]]
    assert [line.content[:1] for line in read(mixed, reader)] == [b"p", b"{", b"2"]
    # Rotated: the new file begins with a line of text.
    again = lines_of(b"started\n" + ROW)
    assert [line.content[:1] for line in read(again, reader)] == [b"s", b"2"]


def test_a_quote_that_never_ends_takes_some_lines_and_not_the_file() -> None:
    content = HEADER + b'2026-01-04T01:34:28Z,warn,"open\n' + b"text\n" * 150 + ROW
    found = read(lines_of(content))
    # Given up, its lines come out one by one, as they are.
    assert [line.content for line in found[:2]] == [b'2026-01-04T01:34:28Z,warn,"open', b"text"]
    assert len(found) == 152
    assert (FeedMapping().event(found[-1]) or {})["summary"] == "low water"


@pytest.mark.parametrize("piece_bytes", [1, 7, 64])
def test_an_entry_is_the_same_in_whatever_pieces_it_comes(piece_bytes: int) -> None:
    content = entry(b"PRIORITY=3\n", binary(b"MESSAGE", b"a\r\nb\n\n\x00\xff"), b"_PID=7\n") * 2
    whole = read(lines_of(content))
    assert [line.content for line in read(lines_of(content, piece_bytes=piece_bytes))] == [
        line.content for line in whole
    ]
    assert [(line.start, line.end) for line in whole] == [(0, len(content) // 2), (len(content) // 2, len(content))]
    fields = json_object(whole[0].content.decode()) or {}
    assert (fields["MESSAGE"], fields["_PID"]) == ("a\r\nb\n\n\ufffd\ufffd", "7")


def test_of_a_field_that_is_too_large_the_beginning_is_kept_and_the_entry_goes_on() -> None:
    value = b"core of a program " * (3 * LINE_LIMIT_BYTES // 18)
    for made in (
        binary(b"COREDUMP", value),
        binary(b"COREDUMP", value.replace(b" ", b"\n")),
        b"COREDUMP=" + value + b"\n",
    ):
        [line] = read(lines_of(entry(b"PRIORITY=2\n", made, b"MESSAGE=dumped core\n")))
        assert len(line.content) < 2 * LINE_LIMIT_BYTES
        event = FeedMapping().event(line) or {}
        assert event["severity"] == "critical"
        assert str(event["event_id"]).startswith("journal-")


def test_what_was_left_out_of_an_entry_is_said() -> None:
    value = b"x\n" * LINE_LIMIT_BYTES
    fields = journal_fields(entry(b"MESSAGE=dumped core\n", binary(b"COREDUMP", value)))
    left_out, kept = fields[LEFT_OUT_KEY], fields["COREDUMP"]
    assert isinstance(left_out, int)
    assert isinstance(kept, str)
    assert 0 <= left_out + len(kept) - len(value) <= 1
    assert LEFT_OUT_KEY not in journal_fields(entry(b"MESSAGE=m\n"))


def test_a_size_that_no_field_can_have_ends_the_entry_and_not_the_reading() -> None:
    broken = CURSOR + b"MESSAGE\n" + b"\xff" * 8 + b"rest\n" + b"ERROR behind it\n"
    found = read(lines_of(broken))
    assert [line.content[-15:] for line in found[-1:]] == [b"ERROR behind it"]
    assert found[0].content.startswith(b'{"__CURSOR"')


def test_an_entry_has_as_many_fields_as_the_journal_may_have() -> None:
    names = [b"F%d=1\n" % number for number in range(journal_export.FIELDS_LIMIT * 2)]
    assert len(journal_fields(entry(*names))) <= journal_export.FIELDS_LIMIT + 1


def batch(*texts: str) -> bytes:
    records = ",".join(f'{{"body":{{"stringValue":"{text}"}}}}' for text in texts)
    return f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}\n'.encode()


def test_records_of_a_batch_have_names_of_their_own_and_only_the_last_one_settles_the_batch() -> None:
    content = batch("one", "two", "three") + batch("four")
    reader, joiner = FormatReader(), RecordJoiner()
    found: list[Line] = []
    settled: list[int] = []
    for line in lines_of(content):
        for record in reader.feed(line):
            found += joiner.feed([record], now=0)
            # What a command that ends here would keep as its place.
            settled.append(joiner.settled()["a.log"][1])
    found += joiner.flush()
    first_bytes = len(batch("one", "two", "three"))
    assert [line.place for line in found] == [
        *(f"{PLACE}:0:0#{number}" for number in range(3)),
        f"{PLACE}:{first_bytes}:0#0",
    ]
    assert settled[:3] == [0, 0, 0]
    assert joiner.settled()["a.log"][1] == len(content)


def test_a_batch_larger_than_any_is_a_line_that_was_cut() -> None:
    content = batch("x" * BATCH_LINE_LIMIT_BYTES)
    [line] = read(lines_of(content))
    assert len(line.content) == LINE_LIMIT_BYTES
    assert line.is_cut
    # A line that is no batch has no such room.
    [plain] = read(lines_of(b"x" * (2 * LINE_LIMIT_BYTES)))
    assert len(plain.content) == LINE_LIMIT_BYTES


def test_json_lines_and_text_come_out_as_they_are() -> None:
    content = b'{"level":"warn","msg":"a"}\nERROR b\n\n  c, d\n'
    lines = lines_of(content)
    assert read(lines) == lines


@pytest.mark.parametrize("text", ["a", "time", "", "message,message", "1,2,3", "time;level", "he said, level, message"])
def test_only_what_names_a_message_and_a_level_or_a_time_is_a_header(text: str) -> None:
    assert csv_rows.table_of(text, "auto") is None
