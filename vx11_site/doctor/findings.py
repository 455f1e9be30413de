"""Findings: what a probe found, how bad it is, and how to repair it; and the report as lines and JSON. No probes
here.
"""

import dataclasses
import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.redaction import redact
from vx11_client.terminal_text import shown


class Level(enum.StrEnum):
    """How bad it is: with a FAIL something does not work or is not safe; a WARN may become a FAIL."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclasses.dataclass(frozen=True)
class Finding:
    """`text` is what was found, `repair` what to do about it; only an OK needs none."""

    level: Level
    text: str
    repair: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.OK and not self.repair:
            raise ValueError(f"a finding without a repair: {self.text}")


@dataclasses.dataclass(frozen=True)
class Area:
    """A part of the installation: its probe, and the repair for when the probe gets no answer."""

    name: str
    probe: Callable[[], Iterable[Finding]]
    repair: str


Report = Sequence[tuple[str, Finding]]


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def warn(text: str, repair: str) -> Finding:
    return Finding(Level.WARN, text, repair)


def fail(text: str, repair: str) -> Finding:
    return Finding(Level.FAIL, text, repair)


def describe_error(error: Exception) -> str:
    """Class and text of an error in one line, without what redis-py adds about its own objects."""
    text = " ".join(str(error).partition(" : <redis.")[0].split())
    return f"{type(error).__name__}: {text}"


def as_json(report: Report) -> dict[str, Any]:
    """For machines. "ok" corresponds to the exit code: nothing has failed."""
    return {
        "ok": not has_failed(report),
        "findings": [
            {"area": area, "level": finding.level, "found": masked(finding.text), "repair": masked(finding.repair)}
            for area, finding in report
        ],
    }


def as_lines(report: Report, paint: Callable[[Level, str], str]) -> Iterable[str]:
    """For people: level, area and text in columns, and the repair in a line of its own."""
    width = max((len(area) for area, _ in report), default=0)
    for area, finding in report:
        yield f"{paint(finding.level, f'{finding.level:4}')}  {area:{width}}  {masked(finding.text)}"
        if finding.repair:
            yield f"{'':4}  {'':{width}}  -> {masked(finding.repair)}"


def has_failed(report: Report) -> bool:
    return any(finding.level is Level.FAIL for _, finding in report)


def masked(text: str) -> str:
    """The text without secrets, on one line, and without control characters that would act on a terminal.

    The text of a library's error may quote a URL, or what another server sent.
    """
    return shown(redact(text))
