"""Entries of systemd's journal, read by `journalctl` from the cursor on at which the last run ended. No Django.

`--all` is needed: without it, journalctl writes null in place of each long field.
"""

import collections
import contextlib
import dataclasses
import shutil
import subprocess  # nosec B404
from collections.abc import Sequence

import orjson

from vx11_client.feeding.feed_source import PipeSource
from vx11_client.files.places import Places
from vx11_client.lines.line import Line
from vx11_client.stop_signal import Interruption

ORIGIN = "journal"
OUTPUT = ("--output=json", "--all", "--no-pager", "--quiet")
# Cursors of entries that the server has not confirmed: more than a batch and what is read at once.
CURSORS_LIMIT = 100_000
END_SECONDS = 5.0


class NoJournal(OSError):
    """journalctl is not there, or refuses to start; the text says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(0, reason, "journalctl")


class JournalSource:
    """Lines of `journalctl`, one entry each. Raises NoJournal.

    Without a cursor in `places`, or when `goes_on` is False, it begins with the first entry, or with `from_end` behind
    the last one. Close it to end the child process.
    """

    def __init__(
        self,
        units: Sequence[str],
        interruption: Interruption,
        *,
        follow: bool,
        from_end: bool,
        places: Places,
        goes_on: bool = True,
    ) -> None:
        program = shutil.which("journalctl")
        if program is None:
            raise NoJournal("it is not installed; send its output from elsewhere: journalctl -o json --all")
        self._places = places
        selection = [f"--unit={unit}" for unit in units]
        cursor = places.cursor if goes_on else ""
        if from_end and not cursor:
            cursor = _newest_cursor([program, *OUTPUT, *selection, "--lines=1"])
            places.put_cursor(cursor)
        start = [f"--after-cursor={cursor}"] if cursor else []
        following = ["--follow", "--no-tail"] if follow else []
        # In a session of its own: Ctrl-C is for us, and what the child has written is still read.
        self._child = subprocess.Popen(  # noqa: S603 - fixed arguments, no shell  # nosec B603
            [program, *OUTPUT, *selection, *start, *following],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._pipe = PipeSource(_descriptor(self._child), interruption)
        self._count = 0
        self._cursors: collections.deque[tuple[int, str]] = collections.deque(maxlen=CURSORS_LIMIT)

    @property
    def ended(self) -> bool:
        return self._pipe.ended

    @property
    def trouble(self) -> str:
        code = self._child.poll() if self._pipe.ended else None
        return f"journalctl ended with exit code {code}" if code else ""

    def read(self, *, wait_seconds: float) -> list[Line]:
        return [self._numbered(line) for line in self._pipe.read(wait_seconds=wait_seconds)]

    def finish(self) -> list[Line]:
        with contextlib.suppress(ProcessLookupError):
            self._child.terminate()
        return [self._numbered(line) for line in self._pipe.finish()]

    def notice(self) -> None:
        """The journal waits by itself."""

    def settled(self, line: Line, position: int) -> None:
        """Keep the cursor of the last entry before this position."""
        cursor = ""
        while self._cursors and self._cursors[0][0] < position:
            cursor = self._cursors.popleft()[1]
        if cursor:
            self._places.put_cursor(cursor)

    def remarks(self) -> list[str]:
        return []

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.terminate()
        try:
            self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _numbered(self, line: Line) -> Line:
        number, self._count = self._count, self._count + 1
        if cursor := cursor_of(line):
            self._cursors.append((number, cursor))
        return dataclasses.replace(line, origin=ORIGIN, start=number, end=number + 1)


def _descriptor(child: subprocess.Popen[bytes]) -> int:
    if child.stdout is None:
        raise NoJournal("its output cannot be read")
    return child.stdout.fileno()


def cursor_of(line: Line) -> str:
    """The cursor of an entry; empty when the line is none, or was cut before it."""
    try:
        found = orjson.loads(line.content)
    except ValueError:
        return ""
    cursor = found.get("__CURSOR") if isinstance(found, dict) else None
    return cursor if isinstance(cursor, str) else ""


def _newest_cursor(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603 - as above  # nosec B603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoJournal(f"it does not answer: {error}") from None
    if done.returncode:
        raise NoJournal(done.stderr.decode("utf-8", errors="replace").strip() or f"exit code {done.returncode}")
    lines = done.stdout.splitlines()
    return cursor_of(Line(lines[-1], len(lines[-1]))) if lines else ""
