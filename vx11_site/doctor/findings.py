"""Findings: what one look came upon, how bad it is, and how to repair it. Nothing here looks at anything."""

import dataclasses
import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.redaction import redact
from vx11_client.terminal_text import shown


class Level(enum.StrEnum):
    """How bad it is: a FAIL keeps something from working or from being safe, a WARN may do so one day."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclasses.dataclass(frozen=True)
class Finding:
    """`text` says what was found, `repair` what to do about it; only what is OK needs none."""

    level: Level
    text: str
    repair: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.OK and not self.repair:
            raise ValueError(f"nobody is told how to repair this: {self.text}")


@dataclasses.dataclass(frozen=True)
class Area:
    """What is looked at, by which function, and what to do when that gets no answer."""

    name: str
    probe: Callable[[], Iterable[Finding]]
    repair: str


Diagnosis = Sequence[tuple[str, Finding]]


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def warn(text: str, repair: str) -> Finding:
    return Finding(Level.WARN, text, repair)


def fail(text: str, repair: str) -> Finding:
    return Finding(Level.FAIL, text, repair)


def describe_error(error: Exception) -> str:
    """Kind and text of an error, in one line. What a library adds about its own objects helps nobody."""
    text = " ".join(str(error).partition(" : <redis.")[0].split())
    return f"{type(error).__name__}: {text}"


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """For machines. "ok" is what the exit code says: nothing has failed."""
    return {
        "ok": not has_failed(diagnosis),
        "findings": [
            {"area": area, "level": finding.level, "found": masked(finding.text), "repair": masked(finding.repair)}
            for area, finding in diagnosis
        ],
    }


def as_lines(diagnosis: Diagnosis, paint: Callable[[Level, str], str]) -> Iterable[str]:
    """For people: level, area and what was found in columns, and the way to repair it in a line of its own."""
    width = max((len(area) for area, _ in diagnosis), default=0)
    for area, finding in diagnosis:
        yield f"{paint(finding.level, f'{finding.level:4}')}  {area:{width}}  {masked(finding.text)}"
        if finding.repair:
            yield f"{'':4}  {'':{width}}  -> {masked(finding.repair)}"


def has_failed(diagnosis: Diagnosis) -> bool:
    return any(finding.level is Level.FAIL for _, finding in diagnosis)


def masked(text: str) -> str:
    """The text without any secret, on one line, and without what would drive a terminal.

    What a library says of its error may quote an address, or what a server on the other side wrote.
    """
    return shown(redact(text))
