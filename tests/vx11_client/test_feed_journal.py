"""The journal, read by journalctl from the last cursor on: a script in its place, as not every machine has one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until
from vx11_client.feeding.feed_journal import JournalSource, NoJournal, cursor_of
from vx11_client.feeding.feed_mapping import FeedMapping
from vx11_client.files.places import Places
from vx11_client.lines.line import Line
from vx11_client.stop_signal import Interruption

# Prints the entries behind --after-cursor, notes its arguments, and with --follow waits for the end.
SCRIPT = """#!/bin/sh
echo "$@" >> "$0.arguments"
after=0
for word in "$@"; do case "$word" in --after-cursor=c*) after=${word#--after-cursor=c};; --lines=1) after=2;; esac; done
for number in 1 2 3; do
  [ $number -gt $after ] || continue
  echo '{"__CURSOR":"c'$number'","__REALTIME_TIMESTAMP":"1767490468123456","MESSAGE":"m'$number'"}'
done
case "$*" in *--follow*) exec sleep 60;; esac
exit 0
"""


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "journalctl"
    program.write_text(SCRIPT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    interruption = Interruption()
    yield interruption
    interruption.close()


def read(source: JournalSource, count: int) -> list[Line]:
    lines: list[Line] = []

    def enough() -> bool:
        lines.extend(source.read(wait_seconds=0.05))
        return len(lines) >= count

    wait_until(enough, f"{count} entries")
    return lines


def messages(lines: list[Line]) -> list[object]:
    return [(FeedMapping().event(line) or {})["summary"] for line in lines]


def test_each_run_goes_on_behind_the_last_entry_that_was_confirmed(
    journalctl: Path, interruption: Interruption
) -> None:
    places = Places()
    first = JournalSource((), interruption, follow=True, from_end=False, places=places)
    lines = read(first, 3)
    first.settled(lines[1], lines[1].end)
    first.close()
    assert places.cursor == "c2"

    second = JournalSource(("a.service",), interruption, follow=True, from_end=False, places=places)
    assert messages(read(second, 1)) == ["m3"]
    second.close()
    arguments = Path(f"{journalctl}.arguments").read_text()
    assert "--output=json --all" in arguments
    assert "--unit=a.service --after-cursor=c2 --follow" in arguments


def test_from_the_end_the_cursor_is_kept_before_any_entry_comes(journalctl: Path, interruption: Interruption) -> None:
    places = Places()
    source = JournalSource((), interruption, follow=True, from_end=True, places=places)
    source.close()
    assert places.cursor == "c3"


def test_without_follow_it_ends(journalctl: Path, interruption: Interruption) -> None:
    source = JournalSource((), interruption, follow=False, from_end=False, places=Places())
    assert messages(read(source, 3)) == ["m1", "m2", "m3"]
    assert source.read(wait_seconds=1) == []
    assert (source.ended, source.trouble) == (True, "")
    source.close()


def test_a_journalctl_that_fails_is_reported(journalctl: Path, interruption: Interruption) -> None:
    journalctl.write_text("#!/bin/sh\necho no permission >&2\nexit 1\n")
    with pytest.raises(NoJournal) as caught:
        JournalSource((), interruption, follow=True, from_end=True, places=Places())
    assert caught.value.strerror == "no permission"
    source = JournalSource((), interruption, follow=True, from_end=False, places=Places())
    wait_until(lambda: source.read(wait_seconds=0.05) == [] and source.ended, "the end")
    wait_until(lambda: "exit code 1" in source.trouble, "the exit code")
    source.close()


def test_a_machine_without_journalctl_is_an_error(interruption: Interruption, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoJournal):
        JournalSource((), interruption, follow=False, from_end=False, places=Places())


def test_the_id_of_an_entry_is_made_of_its_cursor() -> None:
    def event_id(cursor: str, message: str) -> object:
        line = f'{{"__CURSOR":"{cursor}","__REALTIME_TIMESTAMP":"1767490468123456","MESSAGE":"{message}"}}'.encode()
        return (FeedMapping(module="any").event(Line(line, len(line))) or {})["event_id"]

    assert event_id("s=1;i=2", "a") == event_id("s=1;i=2", "b") != event_id("s=1;i=3", "a")


@pytest.mark.parametrize("content", [b"", b"text", b"[]", b'{"__CURSOR": 7}'])
def test_a_line_without_cursor_has_none(content: bytes) -> None:
    assert cursor_of(Line(content, len(content))) == ""
