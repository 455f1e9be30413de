"""Several files at once, compressed ones too."""

import gzip
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until
from vx11_client.files.archives import UnreadableArchive
from vx11_client.files.file_set import FileSet, NothingFound
from vx11_client.lines.line import Line
from vx11_client.stop_signal import Interruption

Opener = Callable[..., FileSet]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    monkeypatch.chdir(tmp_path)
    interruption = Interruption()
    sets: list[FileSet] = []

    def open_set(*paths: str, follow: bool = False, from_end: bool = False) -> FileSet:
        sets.append(FileSet(paths, interruption, follow=follow, from_end=from_end))
        return sets[-1]

    yield open_set
    for files in sets:
        files.close()
    interruption.close()


def read_all(files: FileSet) -> list[Line]:
    lines: list[Line] = []
    while not files.ended:
        lines += files.read(wait_seconds=0.05)
    return lines


def read_until(files: FileSet, count: int) -> set[bytes]:
    lines: list[Line] = []

    def enough() -> bool:
        lines.extend(files.read(wait_seconds=0.05))
        return len(lines) >= count

    wait_until(enough, f"{count} lines")
    return {line.content for line in lines}


def texts(lines: list[Line]) -> list[bytes]:
    return [line.content for line in lines]


def test_files_are_read_one_after_the_other_and_each_once(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "b.log").write_bytes(b"b1\nb2")
    (tmp_path / "a.log").write_bytes(b"a1\n")
    assert texts(read_all(opened("b.log", "*.log"))) == [b"b1", b"b2", b"a1"]


def test_a_folder_means_its_files_of_text(tmp_path: Path, opened: Opener) -> None:
    logs = tmp_path / "logs"
    (logs / "below").mkdir(parents=True)
    (logs / "a.log").write_bytes(b"a\n")
    (logs / "b.log").write_bytes("b\n".encode("utf-16"))
    (logs / "c.log.1.gz").write_bytes(gzip.compress(b"c\n"))
    (logs / "wtmp").write_bytes(b"\x07\0\0\0binary\n")
    (logs / ".hidden").write_bytes(b"hidden\n")
    (logs / "below" / "d.log").write_bytes(b"d\n")
    lines = read_all(opened("logs"))
    assert [line.content.removeprefix(b"\xef\xbb\xbf") for line in lines] == [b"a", b"b", b"c"]
    assert len({line.origin for line in lines}) == 3


@pytest.mark.parametrize("path", ["*.log", "empty"])
def test_a_path_that_names_no_file_is_an_error(tmp_path: Path, opened: Opener, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingFound):
        opened(path)


def test_a_path_that_is_not_there_is_an_error_before_anything_is_read(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "a.log").write_bytes(b"a\n")
    with pytest.raises(FileNotFoundError):
        opened("a.log", "b.log")


def test_files_that_come_later_are_read_from_their_start_and_rotation_makes_none(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vx11_client.files.file_set.RESCAN_SECONDS", 0.0)
    (tmp_path / "a.log").write_bytes(b"old\n")
    files = opened("*.log*", follow=True, from_end=True)
    (tmp_path / "b.log").write_bytes(b"b1\n")
    assert read_until(files, 1) == {b"b1"}
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    (tmp_path / "a.log").write_bytes(b"a2\n")
    with (tmp_path / "b.log").open("ab") as file:
        file.write(b"b2\n")
    assert read_until(files, 2) == {b"a2", b"b2"}
    assert files.read(wait_seconds=0.3) == []


def test_a_file_that_is_always_written_holds_up_no_other(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "a.log").write_bytes(b"busy\n" * 200_000)
    (tmp_path / "b.log").write_bytes(b"b\n")
    files = opened("a.log", "b.log", follow=True)
    found = [files.read(wait_seconds=0.05) for _ in range(2)]
    assert texts(found[1]) == [b"b"]


def test_a_compressed_file_is_read_as_what_it_holds_whatever_its_name(tmp_path: Path, opened: Opener) -> None:
    lines = [b"%d %s" % (number, b"x" * (number % 700)) for number in range(3000)]
    (tmp_path / "a.old").write_bytes(gzip.compress(b"\n".join(lines)))
    found = read_all(opened("a.old"))
    assert texts(found) == lines
    assert len({line.place for line in found}) == len(lines)


def test_a_compressed_file_that_is_followed_ends(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1\n"))
    assert texts(read_all(opened("a.gz", follow=True))) == [b"1"]


def test_a_broken_compressed_file_is_an_error_that_says_so(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1\n" * 1000)[:-20])
    with pytest.raises(UnreadableArchive, match="broken"):
        read_all(opened("a.gz"))


def test_zstandard_is_read_or_refused_with_what_to_do(tmp_path: Path, opened: Opener) -> None:
    # One frame with one raw block, as the format describes it.
    (tmp_path / "a.zst").write_bytes(b"\x28\xb5\x2f\xfd\x20\x02\x11\x00\x001\n")
    if any(importlib.util.find_spec(name) for name in ("zstandard", "compression")):
        assert texts(read_all(opened("a.zst"))) == [b"1"]
    else:
        with pytest.raises(UnreadableArchive, match="pip install zstandard"):
            read_all(opened("a.zst"))


def test_a_bomb_is_read_in_pieces(tmp_path: Path, opened: Opener) -> None:
    """Of 64 MiB in a small file: one line, of which the start is kept."""
    with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(b"x" * 1024 * 1024)
    (line,) = read_all(opened("a.gz"))
    assert line.total_bytes == 64 * 1024 * 1024
    assert len(line.content) < 1024 * 1024
