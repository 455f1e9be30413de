"""Finds what a log has become: renamed, copied or compressed files beside it. No Django, no network."""

import contextlib
import re
from pathlib import Path

from vx11_client.files.archives import SUFFIXES, ArchiveFile, UnreadableArchive, is_archive
from vx11_client.files.open_file import OpenFile, ReadableFile
from vx11_client.files.places import Generations, Place

# A folder with more rotated files of one log is not searched further.
CANDIDATES_LIMIT = 200

# What rotation adds to a name: a number, a date, a time, and how it was compressed.
_ADDED = re.compile(r"[._-]?\d[\dTZ._:-]{0,40}(?:\.gz|\.zst)?", re.ASCII)


def is_rotated_name(name: str, log_name: str) -> bool:
    """Whether a file of this name may have been the log: `app.log.1`, `app.log-20260104.gz`, `app-2026-01-04.log`."""
    if name.startswith(log_name) and _ADDED.fullmatch(name[len(log_name) :]):
        return True
    stem, dot, suffix = log_name.rpartition(".")
    plain = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
    if not dot or not plain.startswith(stem) or not plain.endswith(f".{suffix}"):
        return False
    return _ADDED.fullmatch(plain[len(stem) : -len(suffix) - 1]) is not None


def opened_at(path: Path, place: Place, origin: str, generations: Generations) -> ReadableFile | None:
    """The file that holds what was read up to the place, ready to go on there: itself or else a copy; None if gone."""
    candidates = _candidates(path)
    # Of a file of which nothing was read, no copy differs from another file.
    for same_file in (True, False) if place.position else (True,):
        for candidate in candidates:
            with contextlib.suppress(OSError):
                if found := _opened(candidate, place, origin, generations, same_file=same_file):
                    return found
    return None


def opened_after(path: Path, first: ReadableFile, origin: str, generations: Generations) -> list[ReadableFile]:
    """The files that the log was after `first` and is no more, oldest first."""
    candidates = _candidates(path)
    times = {candidate: candidate.stat().st_mtime_ns for candidate in candidates if candidate.exists()}
    inode_of = {candidate: candidate.stat().st_ino for candidate in times}
    since = next((times[candidate] for candidate in times if inode_of[candidate] == first.identity.inode), None)
    if since is None:
        return []
    later = [name for name in times if times[name] >= since and inode_of[name] != first.identity.inode]
    found: list[ReadableFile] = []
    for candidate in sorted(later, key=lambda name: times[name]):
        with contextlib.suppress(OSError):
            if is_archive(candidate):
                found.append(ArchiveFile(candidate, origin, generations))
            else:
                found.append(OpenFile(candidate, origin, generations, is_complete=True))
    return found


def _candidates(path: Path) -> list[Path]:
    """Rotated files of the log, the newest first."""
    try:
        names = [item for item in path.parent.iterdir() if is_rotated_name(item.name, path.name) and item.is_file()]
        names.sort(key=lambda item: item.stat().st_mtime_ns, reverse=True)
    except OSError:
        return []
    return names[:CANDIDATES_LIMIT]


def _opened(
    candidate: Path, place: Place, origin: str, generations: Generations, *, same_file: bool
) -> ReadableFile | None:
    if is_archive(candidate):
        if same_file:
            return None
        archive = ArchiveFile(candidate, origin, generations)
        try:
            if archive.go_on(place):
                return archive
        except UnreadableArchive:
            pass
        archive.close()
        return None
    file = OpenFile(candidate, origin, generations, is_complete=not same_file)
    if file.holds(place, same_file=same_file):
        file.go_on(place)
        return file
    file.close()
    return None
