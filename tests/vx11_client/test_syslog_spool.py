"""The spool: what was appended is read once in order, by this run or the next, whatever ended the first one."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT
from vx11_client.spool import disk_queue as spool_module
from vx11_client.spool.disk_queue import Spool, SpoolInUse, Stored
from vx11_client.spool.records import SyslogRecord, Transport, packed, unpacked
from vx11_client.spool.segments import HEADER_BYTES, segment_name


def record(number: int, *, size: int = 0) -> SyslogRecord:
    content = b"%d" % number + b"x" * size
    return SyslogRecord(content, len(content), 1_700_000_000_000_000 + number, "10.0.0.1", Transport.TCP)


def numbers(stored: list[Stored]) -> list[int]:
    return [int(one.record.content.rstrip(b"x")) for one in stored]


def read(spool: Spool, limit: int = 1000) -> list[Stored]:
    return spool.read(limit_records=limit, wait_seconds=0)


def read_all(spool: Spool) -> list[Stored]:
    found: list[Stored] = []
    while batch := read(spool):
        found += batch
    return found


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


def test_a_record_comes_back_as_it_was() -> None:
    records = [
        SyslogRecord(b"", 0, 0, "", Transport.OWN),
        SyslogRecord(b"\0\n\xff" * 1000, 9999, 2**63, "fe80::1%eth0", Transport.UDP),
        SyslogRecord(b"x", 2**40, 1, "p" * 300, Transport.TLS),
    ]
    data = b"".join(map(packed, records))
    found = [one for _, _, one in unpacked(data)]
    assert found[:2] == records[:2]
    assert (found[2].total_bytes, found[2].peer) == (2**32 - 1, "p" * 255)


def test_whatever_is_changed_in_a_record_it_and_what_follows_are_none() -> None:
    data = packed(record(1)) + packed(record(2))
    first_end = len(packed(record(1)))
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1
        assert len(list(unpacked(bytes(broken)))) == (0 if at < first_end else 1), at
        assert len(list(unpacked(data[:at]))) == (0 if at < first_end else 1), at


def test_records_are_read_once_and_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert read(spool) == []
    spool.append([record(1), record(2)])
    spool.append([record(3)])
    assert numbers(read(spool, limit=2)) == [1, 2]
    assert spool.has_unread
    assert numbers(read(spool)) == [3]
    assert (read(spool), spool.has_unread, spool.waiting_count) == ([], False, 3)
    spool.close()


def test_what_was_not_settled_is_read_by_the_next_run_with_the_same_ids(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.append([record(number) for number in range(5)])
    stored = read(first)
    first.settle(stored[:2])
    assert first.waiting_count == 3
    first.close()

    second = Spool(tmp_path)
    assert second.waiting_count == 3
    second.append([record(5)])
    again = read_all(second)
    assert numbers(again) == [2, 3, 4, 5]
    assert [one.event_id for one in again[:3]] == [one.event_id for one in stored[2:]]
    second.settle(again[:3])
    second.settle(again[3:])
    second.close()
    assert segments(tmp_path) == []


def test_what_is_settled_after_the_end_is_read_again(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.append([record(1)])
    stored = read(first)
    first.close()
    first.settle(stored)
    second = Spool(tmp_path)
    assert numbers(read(second)) == [1]
    second.close()


def test_ids_are_never_those_of_other_records_also_after_the_folder_was_copied(tmp_path: Path) -> None:
    ids: list[str] = []
    for run in range(3):
        spool = Spool(tmp_path / str(run % 2))
        spool.append([record(1), record(2)])
        stored = read(spool)
        ids += [one.event_id for one in stored]
        spool.settle(stored)
        spool.close()
    assert len(set(ids)) == 6
    assert all(len(one) <= 64 for one in ids)


def test_ids_rise_so_that_an_index_of_them_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_LIMIT_BYTES", 200)
    spool = Spool(tmp_path)
    for number in range(20):
        spool.append([record(number)])
    ids = [one.event_id for one in read_all(spool)]
    assert ids == sorted(ids)
    assert len(segments(tmp_path)) > 3
    spool.close()


def test_a_name_follows_the_last_one_also_when_the_clock_goes_back() -> None:
    first = segment_name(after="", now=2000.0)
    assert segment_name(after=first, now=1000.0) > first
    assert segment_name(after="", now=2000.0) != first


def test_segments_that_were_settled_are_deleted_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_LIMIT_BYTES", 100)
    spool = Spool(tmp_path)
    for number in range(4):
        spool.append([record(number, size=100)])
    assert len(segments(tmp_path)) == 4
    spool.settle(read(spool))
    assert len(segments(tmp_path)) == 3
    for _ in range(3):
        spool.settle(read(spool))
    # The one that is written to stays.
    assert len(segments(tmp_path)) == 1
    spool.append([record(9)])
    assert len(segments(tmp_path)) == 1
    assert numbers(read(spool)) == [9]
    spool.close()


def test_it_is_full_at_its_limit_and_has_room_again_when_something_is_settled(tmp_path: Path) -> None:
    size = len(packed(record(1, size=100)))
    spool = Spool(tmp_path, limit_bytes=3 * size)
    spool.append([record(1, size=100)] * 2)
    found = [spool.is_full]
    spool.append([record(1, size=100)])
    found.append(spool.is_full)
    spool.settle(read(spool, limit=1))
    assert [*found, spool.is_full] == [False, True, False]
    assert spool.waiting_bytes == 2 * size
    spool.close()


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_record_that_was_not_written_whole_is_left_out_and_said(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path)
    spool.append([record(1), record(2)])
    spool.close()
    [path] = segments(tmp_path)
    os.truncate(path, path.stat().st_size - cut)

    again = Spool(tmp_path)
    assert again.waiting_count == 1
    [remark] = again.take_remarks()
    assert "were not written whole" in remark
    assert again.take_remarks() == []
    stored = read_all(again)
    assert numbers(stored) == [1]
    again.settle(stored)
    again.close()
    # For a person to look at.
    assert [path.suffix for path in tmp_path.iterdir() if path.name != "lock"] == [".damaged"]


def test_bytes_that_change_on_the_disk_do_not_stop_what_comes_behind_them(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([record(1), record(2)])
    [path] = segments(tmp_path)
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES + len(packed(record(1))) + 30)
        file.write(b"\xff\xff")
    assert numbers(read(spool)) == [1]
    assert read(spool) == []
    assert "damaged" in spool.take_remarks()[0]
    spool.append([record(3)])
    assert numbers(read(spool)) == [3]
    spool.close()


def test_a_place_that_makes_no_sense_is_not_believed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([record(1)])
    spool.close()
    [path] = segments(tmp_path)
    for place in (0, 2**63):
        with path.open("r+b") as file:
            file.seek(8)
            file.write(place.to_bytes(8, "big"))
        again = Spool(tmp_path)
        assert numbers(read_all(again)) == [1]
        again.close()


def test_files_that_are_no_segments_are_left_alone(tmp_path: Path) -> None:
    others = {"zz.spool": b"VX11SPL1" + bytes(8), "01-02.spool": b"something else, and long", "03-04.spool": b""}
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    spool = Spool(tmp_path)
    assert len(spool.take_remarks()) == 3
    spool.append([record(1)])
    assert numbers(read_all(spool)) == [1]
    spool.close()
    assert len(segments(tmp_path)) == 4


class FullDisk:
    """In place of fdatasync: a disk that takes nothing for a while."""

    def __init__(self) -> None:
        self.is_full = False
        self.synced = 0

    def __call__(self, descriptor: int) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.synced += 1
        os.fdatasync(descriptor)


def test_what_the_disk_did_not_take_is_not_in_the_spool(tmp_path: Path) -> None:
    disk = FullDisk()
    spool = Spool(tmp_path, sync=disk)
    disk.is_full = True
    with pytest.raises(OSError, match="No space"):
        spool.append([record(1)])
    assert (segments(tmp_path), spool.waiting_count) == ([], 0)
    disk.is_full = False
    spool.append([record(1)])
    disk.is_full = True
    with pytest.raises(OSError, match="No space"):
        spool.append([record(2, size=1000)])
    disk.is_full = False
    spool.append([record(3)])
    assert numbers(read_all(spool)) == [1, 3]
    spool.close()
    again = Spool(tmp_path)
    # Nothing of the one that failed is left behind them.
    assert again.take_remarks() == []
    assert numbers(read_all(again)) == [1, 3]
    again.close()


def test_every_append_is_synced_before_it_returns(tmp_path: Path) -> None:
    disk = FullDisk()
    spool = Spool(tmp_path, sync=disk)
    spool.append([record(1)])
    before = disk.synced
    spool.append([record(2), record(3)])
    assert disk.synced == before + 1
    spool.close()


def test_one_folder_has_one_receiver(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolInUse):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()
    assert tmp_path.joinpath("lock").stat().st_mode & 0o077 == 0


KILLED = """if True:
    import os, pathlib, signal, sys
    from vx11_client.spool.records import SyslogRecord, Transport
    from vx11_client.spool.disk_queue import Spool
    spool = Spool(pathlib.Path(sys.argv[1]))
    for number in range(100):
        content = b"%d" % number
        spool.append([SyslogRecord(content, len(content), number, "", Transport.TCP)])
    spool.settle(spool.read(limit_records=40, wait_seconds=0))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_leaves_all_that_it_has_taken(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    spool = Spool(tmp_path)
    assert spool.take_remarks() == []
    assert numbers(read_all(spool)) == list(range(40, 100))
    spool.close()
