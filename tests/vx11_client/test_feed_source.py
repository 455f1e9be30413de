"""Lines in: whatever is in a pipe or a file comes out as lines, all of it, once."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.waiting import wait_until
from vx11_client.feeding.feed_source import LineSource, PipeSource
from vx11_client.files.followed_file import FileSource
from vx11_client.files.open_file import FIRST_LINE_BYTES
from vx11_client.lines.line import LINE_LIMIT_BYTES, Line, LineSplitter, encoding_of
from vx11_client.stop_signal import Interruption

Opener = Callable[..., FileSource]


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    interruption = Interruption()
    yield interruption
    interruption.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def opened(log: Path, interruption: Interruption) -> Iterator[Opener]:
    """Opens the log; `opened(follow=True)`."""
    sources: list[FileSource] = []

    def open_source(*, follow: bool = False, from_end: bool = False) -> FileSource:
        sources.append(FileSource(log, interruption, follow=follow, from_end=from_end))
        return sources[-1]

    yield open_source
    for source in sources:
        source.close()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def texts(lines: list[Line]) -> list[bytes]:
    return [line.content for line in lines]


def read_until(source: LineSource, count: int) -> list[Line]:
    lines: list[Line] = []

    def enough() -> bool:
        lines.extend(source.read(wait_seconds=0.05))
        return len(lines) >= count

    wait_until(enough, f"{count} lines")
    return lines


def read_all(source: LineSource) -> list[Line]:
    lines: list[Line] = []
    while not source.ended:
        lines += source.read(wait_seconds=0.05)
    return lines


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40)), st.integers(min_value=1, max_value=7))
def test_bytes_cut_anywhere_give_the_lines_that_they_hold(pieces: list[bytes], size: int) -> None:
    data = b"\n".join(pieces)
    assume(not encoding_of(data))
    splitter = LineSplitter()
    found = [line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])]
    found += splitter.flush()

    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert [line.content for _, line in found] == [line.removesuffix(b"\r") for line in expected]
    assert [data[offset:].split(b"\n")[0] for offset, _ in found] == expected


def test_a_line_without_end_is_cut_and_counted_and_the_next_one_is_whole() -> None:
    splitter = LineSplitter()
    found = splitter.feed(b"x" * LINE_LIMIT_BYTES) + splitter.feed(b"y" * 1000) + splitter.feed(b"\nnext\n")

    (_, long), (offset, following) = found
    assert (long.content, long.total_bytes) == (b"x" * LINE_LIMIT_BYTES, LINE_LIMIT_BYTES + 1000)
    assert (offset, following.content) == (LINE_LIMIT_BYTES + 1001, b"next")


class TestPipe:
    @pytest.fixture
    def pipe(self, interruption: Interruption) -> Iterator[tuple[PipeSource, int]]:
        reading, writing = os.pipe()
        yield PipeSource(reading, interruption), writing
        os.close(reading)

    def test_a_quiet_pipe_gives_nothing_and_has_not_ended(self, pipe: tuple[PipeSource, int]) -> None:
        source, writing = pipe
        assert source.read(wait_seconds=0) == []
        assert not source.ended
        os.close(writing)

    def test_a_line_comes_out_when_it_is_complete(self, pipe: tuple[PipeSource, int]) -> None:
        source, writing = pipe
        os.write(writing, b"begun, ")
        assert source.read(wait_seconds=1) == []
        os.write(writing, b"ended\nnext")
        assert texts(source.read(wait_seconds=1)) == [b"begun, ended"]
        os.close(writing)
        assert texts(source.read(wait_seconds=1)) == [b"next"]
        assert source.ended

    def test_what_stands_in_the_pipe_when_reading_stops_is_not_lost(self, pipe: tuple[PipeSource, int]) -> None:
        source, writing = pipe
        os.write(writing, b"".join(b"line %d\n" % number for number in range(3000)) + b"the last")

        assert texts(source.finish()) == [b"line %d" % number for number in range(3000)] + [b"the last"]
        os.close(writing)

    def test_a_writer_that_never_stops_cannot_hold_up_the_end(self, pipe: tuple[PipeSource, int]) -> None:
        source, writing = pipe
        os.write(writing, b"the first\n")

        def write_for_ever() -> None:
            try:
                while True:
                    os.write(writing, b"more and more\n" * 1000)
            except BrokenPipeError:
                os.close(writing)

        threading.Thread(target=write_for_ever, daemon=True).start()
        assert texts(source.finish())[0] == b"the first"


class TestFile:
    def test_a_file_is_read_to_its_end_with_a_last_line_that_is_not_ended(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"one\r\ntwo\n\nthree")
        assert texts(read_all(opened())) == [b"one", b"two", b"", b"three"]

    def test_bytes_that_are_no_text_take_nothing_else_with_them(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"before\n\xff\xfe\x00\x80\nafter\n")
        assert texts(read_all(opened())) == [b"before", b"\xff\xfe\x00\x80", b"after"]

    def test_a_file_larger_than_a_read_is_read_whole(self, log: Path, opened: Opener) -> None:
        lines = [b"%d %s" % (number, b"x" * (number % 3000)) for number in range(800)]
        log.write_bytes(b"\n".join(lines) + b"\n")
        assert texts(read_all(opened())) == lines

    def test_a_missing_file_is_an_error_unless_it_is_followed(self, log: Path, opened: Opener) -> None:
        with pytest.raises(FileNotFoundError):
            opened()
        source = opened(follow=True)
        assert "not there yet" in source.trouble
        log.write_bytes(b"came later\n")
        assert texts(read_until(source, 1)) == [b"came later"]
        assert source.trouble == ""

    def test_each_run_gives_the_lines_the_same_places_also_under_another_name(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"same\nsame\nother\n")
        first = [line.place for line in read_all(opened())]
        append(log, b"more\n")
        rotated = log.with_suffix(".1")
        log.rename(rotated)
        rotated.rename(log)

        assert len(set(first)) == 3
        assert [line.place for line in read_all(opened())][:3] == first

    def test_places_do_not_depend_on_where_reading_began(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"one\ntwo\n")
        source = opened(follow=True, from_end=True)
        append(log, b"three\n")
        (followed,) = read_until(source, 1)
        assert followed == read_all(opened())[2]


class TestFollowing:
    def test_from_the_end_only_what_is_added_comes(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"old\n")
        source = opened(follow=True, from_end=True)
        append(log, b"new\n")
        assert texts(read_until(source, 1)) == [b"new"]

    def test_from_the_end_a_line_that_is_being_written_comes_whole(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"old\nbegun, ")
        source = opened(follow=True, from_end=True)
        append(log, b"ended\n")
        assert texts(read_until(source, 1)) == [b"begun, ended"]

    def test_a_line_is_waited_for_until_it_is_complete(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"begun, ")
        source = opened(follow=True)
        assert source.read(wait_seconds=0) == []
        append(log, b"ended\n")
        assert texts(read_until(source, 1)) == [b"begun, ended"]

    def test_a_renamed_file_is_read_to_its_end_before_the_new_one(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"1\n")
        source = opened(follow=True)
        lines = read_until(source, 1)
        old = log.rename(log.with_suffix(".1"))
        append(old, b"2\n")
        log.write_bytes(b"4\n")
        source.notice()
        # A writer that has not noticed the rotation yet.
        append(old, b"3, not ended")
        lines += read_until(source, 3)
        assert texts(lines) == [b"1", b"2", b"3, not ended", b"4"]

    def test_an_empty_new_file_does_not_take_the_reader_from_a_writer_that_still_uses_the_old_one(
        self, log: Path, opened: Opener
    ) -> None:
        log.write_bytes(b"1\n")
        source = opened(follow=True)
        lines = read_until(source, 1)
        old = log.rename(log.with_suffix(".1"))
        log.touch()
        # Longer than a writer with several processes is given once the new file has bytes.
        assert source.read(wait_seconds=1.5) == []
        append(old, b"2\n")
        lines += read_until(source, 1)
        append(log, b"3\n")
        lines += read_until(source, 1)
        assert texts(lines) == [b"1", b"2", b"3"]

    def test_files_that_rotate_away_between_two_reads_are_read_afterwards(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"1\n")
        source = opened(follow=True)
        for number in (2, 3):
            log.rename(log.with_suffix(f".{number}"))
            log.write_bytes(b"%d\n" % number)
            source.notice()
        # Compressed and removed, as the oldest of them will be one day.
        for number in (2, 3):
            log.with_suffix(f".{number}").unlink()
        assert texts(read_until(source, 3)) == [b"1", b"2", b"3"]

    def test_a_truncated_file_is_read_again_from_its_start(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"1\n2\n")
        source = opened(follow=True)
        lines = read_until(source, 2)
        os.truncate(log, 0)
        append(log, b"3\n")
        lines += read_until(source, 1)
        assert texts(lines) == [b"1", b"2", b"3"]

    def test_a_truncated_file_that_has_outgrown_the_old_place_is_noticed(self, log: Path, opened: Opener) -> None:
        log.write_bytes(b"1\n")
        source = opened(follow=True)
        lines = read_until(source, 1)
        os.truncate(log, 0)
        append(log, b"2, longer than what was there\n")
        lines += read_until(source, 1)
        assert texts(lines) == [b"1", b"2, longer than what was there"]

    def test_a_hole_left_by_a_writer_that_ignores_truncation_loses_no_line(self, log: Path, opened: Opener) -> None:
        with log.open("wb", buffering=0) as writer:
            writer.write(b"1\n")
            source = opened(follow=True)
            lines = read_until(source, 1)
            os.truncate(log, 0)
            writer.write(b"2\n")
            lines += read_until(source, 1)
        assert [content.strip(b"\0") for content in texts(lines)] == [b"1", b"2"]

    @pytest.mark.parametrize("first", [b"same first line", b"x" * (FIRST_LINE_BYTES + 10)])
    def test_equal_lines_at_equal_places_after_a_truncation_are_other_lines(
        self, log: Path, opened: Opener, first: bytes
    ) -> None:
        log.write_bytes(first + b"\nsame\n")
        source = opened(follow=True)
        before = read_until(source, 2)
        os.truncate(log, 0)
        source.read(wait_seconds=0)
        append(log, first + b"\nsame\n")
        after = read_until(source, 2)
        assert texts(before) == texts(after)
        assert len({line.place for line in before + after}) == 4

    def test_a_wish_to_finish_ends_the_waiting(self, log: Path, opened: Opener, interruption: Interruption) -> None:
        log.write_bytes(b"")
        source = opened(follow=True)
        interruption.requested = True
        # The time limit of the test is shorter than this.
        assert source.read(wait_seconds=1000) == []
