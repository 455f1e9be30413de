"""Places: a run goes on where the last one ended, whatever happened to the file meanwhile."""

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until
from vx11_client.files.followed_file import FileSource
from vx11_client.files.places import Places, PlacesInUse
from vx11_client.files.rotated_files import is_rotated_name
from vx11_client.lines.line import Line
from vx11_client.stop_signal import Interruption

Run = Callable[..., list[Line]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "state" / "places.json"


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    interruption = Interruption()
    yield interruption
    interruption.close()


@pytest.fixture
def run(log: Path, kept: Path, interruption: Interruption) -> Run:
    """One run that follows the log until so many lines have come, and all of them are confirmed but the last ones."""

    def run_once(count: int, *, from_end: bool = False, unconfirmed: int = 0) -> list[Line]:
        places = Places(kept)
        source = FileSource(log, interruption, follow=True, from_end=from_end, places=places, goes_on=True)
        lines: list[Line] = []

        def enough() -> bool:
            lines.extend(source.read(wait_seconds=0.05))
            return len(lines) >= count

        try:
            wait_until(enough, f"{count} lines")
            for line in lines[: len(lines) - unconfirmed]:
                source.settled(line, line.end)
            run_once.remarks = source.remarks()  # type: ignore[attr-defined]
        finally:
            source.close()
            places.close()
        return lines

    return run_once


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def texts(lines: list[Line]) -> list[bytes]:
    return [line.content for line in lines]


def test_a_run_goes_on_behind_the_last_line_that_was_confirmed(log: Path, run: Run) -> None:
    log.write_bytes(b"1\n2\n3\n")
    first = run(3, unconfirmed=1)
    append(log, b"4\n")

    again = run(2)
    assert texts(again) == [b"3", b"4"]
    # The same line has the same name, so the server recognises it.
    assert again[0].place == first[2].place


def test_a_run_that_read_nothing_is_a_beginning_too(log: Path, run: Run) -> None:
    log.write_bytes(b"old\n")
    assert run(0, from_end=True) == []
    append(log, b"new\n")
    assert texts(run(1, from_end=True)) == [b"new"]


def test_a_file_that_was_not_there_is_read_from_its_start_by_the_next_run(log: Path, run: Run) -> None:
    assert run(0, from_end=True) == []
    log.write_bytes(b"1\n")
    assert texts(run(1, from_end=True)) == [b"1"]


def test_a_line_that_was_half_written_comes_whole(log: Path, run: Run) -> None:
    log.write_bytes(b"1\nbegun, ")
    assert texts(run(1)) == [b"1"]
    append(log, b"ended\n")
    assert texts(run(1)) == [b"begun, ended"]


def test_between_two_runs_the_file_may_be_renamed_and_made_anew_more_than_once(log: Path, run: Run) -> None:
    log.write_bytes(b"1\n")
    run(1)
    append(log, b"2\n")
    os.utime(log, (1, 1))
    log.rename(log.with_name("service.log.2"))
    log.write_bytes(b"3\n")
    os.utime(log, (2, 2))
    log.rename(log.with_name("service.log.1"))
    log.write_bytes(b"4\n")

    assert texts(run(3)) == [b"2", b"3", b"4"]
    append(log, b"5\n")
    assert texts(run(1)) == [b"5"]


def test_between_two_runs_the_file_may_be_copied_and_truncated(log: Path, run: Run) -> None:
    log.write_bytes(b"1\n")
    run(1)
    append(log, b"2\n")
    shutil.copy(log, log.with_name("service.log.1"))
    os.truncate(log, 0)
    append(log, b"3, longer than what was there\n")

    assert texts(run(2)) == [b"2", b"3, longer than what was there"]
    append(log, b"4\n")
    assert texts(run(1)) == [b"4"]


def test_between_two_runs_the_old_file_may_be_compressed(log: Path, run: Run) -> None:
    log.write_bytes(b"1\n")
    run(1)
    append(log, b"2\n")
    log.with_name("service.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    log.write_bytes(b"3\n")

    assert texts(run(2)) == [b"2", b"3"]


def test_lines_that_are_gone_are_reported(log: Path, run: Run) -> None:
    log.write_bytes(b"1\n")
    run(1)
    log.rename(log.with_name("elsewhere"))
    log.write_bytes(b"2\n")

    assert texts(run(1)) == [b"2"]
    assert "lines may be missing" in run.remarks[0]  # type: ignore[attr-defined]


def test_another_file_of_the_same_inode_and_first_line_is_another_one(log: Path, run: Run) -> None:
    log.write_bytes(b"started\nsame\n")
    first = run(2)
    os.truncate(log, 0)
    append(log, b"started\nsame\n3\n")
    # What was read stands there again, so it counts as read.
    assert texts(run(1)) == [b"3"]
    os.truncate(log, 0)
    append(log, b"started\nsame\n")
    again = run(2)
    assert not {line.place for line in first} & {line.place for line in again}


def test_while_it_is_followed_what_was_cut_off_is_read_from_its_copy(log: Path, interruption: Interruption) -> None:
    log.write_bytes(b"1\nbegun, ")
    source = FileSource(log, interruption, follow=True)
    lines: list[Line] = []

    def read(count: int) -> bool:
        lines.extend(source.read(wait_seconds=0.05))
        return len(lines) >= count

    wait_until(lambda: read(1), "the first line")
    append(log, b"ended\n2\n")
    shutil.copy(log, log.with_name("service.log.1"))
    os.truncate(log, 0)
    append(log, b"3, longer than all that was there before it\n")
    wait_until(lambda: read(4), "the others")
    source.close()
    assert texts(lines) == [b"1", b"begun, ended", b"2", b"3, longer than all that was there before it"]


def test_a_line_that_was_sent_without_its_end_has_the_same_name_when_it_has_one(
    log: Path, kept: Path, interruption: Interruption
) -> None:
    def read_once() -> list[Line]:
        places = Places(kept, names_only=True)
        source = FileSource(log, interruption, follow=False, places=places)
        lines: list[Line] = []
        while not source.ended:
            lines += source.read(wait_seconds=0.05)
        source.close()
        places.close()
        return lines

    for start in (b"", b"1\n"):
        log.write_bytes(start + b"hal")
        half = read_once()[-1]
        append(log, b"f\nnext\n")
        whole, following = read_once()[-2:]
        assert (half.content, whole.content) == (b"hal", b"half")
        assert half.place == whole.place != following.place


def test_utf16_goes_on_in_the_middle(log: Path, run: Run) -> None:
    log.write_bytes("größe 1\n".encode("utf-16"))
    assert texts(run(1)) == ["\ufeffgröße 1".encode()]
    append(log, "größe \u0a0a 2\n".encode("utf-16-le"))
    assert texts(run(1)) == ["größe \u0a0a 2".encode()]


def test_equal_names_need_equal_content(log: Path, interruption: Interruption) -> None:
    """A file that was made anew may have the inode, the first line and the offsets of the old one."""

    def read_once() -> list[Line]:
        source = FileSource(log, interruption, follow=False)
        lines = source.read(wait_seconds=0.05)
        source.close()
        return lines

    log.write_bytes(b"building\nok 1\n")
    before = read_once()
    with log.open("r+b") as file:
        file.write(b"building\nok 2\n")
    after = read_once()
    assert before[0].place == after[0].place
    assert before[1].place != after[1].place


def test_only_one_process_keeps_its_places_in_a_file(kept: Path) -> None:
    first = Places(kept)
    with pytest.raises(PlacesInUse):
        Places(kept)
    first.close()
    Places(kept).close()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"files": {"a": {"x": 1}}, "cursor": ""}', "\0"])
def test_places_that_cannot_be_read_are_made_anew_and_that_is_reported(kept: Path, content: str) -> None:
    kept.parent.mkdir()
    kept.write_text(content)
    places = Places(kept)
    assert "made anew" in places.trouble
    places.put_cursor("s=1")
    places.close()
    assert json.loads(kept.read_text())["cursor"] == "s=1"


@pytest.mark.parametrize(
    ("name", "is_rotated"),
    [
        ("app.log.1", True),
        ("app.log.12.gz", True),
        ("app.log-20260104", True),
        ("app.log-2026-01-04T01:34.zst", True),
        ("app-2026-01-04.log", True),
        ("app.1.log.gz", True),
        ("app.log", False),
        ("app.log.bak", False),
        ("app.logger", False),
        ("app-error.log", False),
        ("other.log.1", False),
    ],
)
def test_what_rotation_leaves_is_known_by_its_name(name: str, *, is_rotated: bool) -> None:
    assert is_rotated_name(name, "app.log") is is_rotated
