"""No pattern of the program takes more than linear time, whatever text it meets."""

import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from gateway.redaction import redact
from tests.apps import APPS
from tests.servers import ROOT

# 1x, 2x, 4x. What is quadratic takes ten milliseconds and more for the last.
LENGTHS = (500, 1_000, 2_000)
# Four times the text may cost four times as much; what is quadratic costs sixteen times as much.
LOOKS = 4
WORST_RATIO = 9.0
# Less cannot be measured, and is no harm.
UNSEEN_SECONDS = 0.002
# What hostile text is made of, beside the letters of the pattern itself.
ALPHABET = 'a0%-=/?: \t"\x1b'
JAVASCRIPT_LITERAL = re.compile(r"(?:=|\() ?/((?:[^/\\\n*]|\\.)(?:[^/\\\n]|\\.)*)/([gimsu]*)[.,;)]")
JAVASCRIPT_FILES = sorted(path for path in (ROOT / "static").rglob("*.js"))


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every compiled pattern of every module, by where it stands."""
    seen: set[int] = set()
    for package in map(importlib.import_module, APPS):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations." in found.name or found.name.endswith(("__main__", ".asgi", ".traces")):
                continue
            module = importlib.import_module(found.name)
            for name, value in sorted(vars(module).items()):
                if isinstance(value, re.Pattern) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{found.name}.{name}", value


def javascript_patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Those of the console and the client, which backtrack as Python's do."""
    for path in JAVASCRIPT_FILES:
        for number, found in enumerate(JAVASCRIPT_LITERAL.finditer(path.read_text(encoding="utf-8"))):
            flags = re.IGNORECASE if "i" in found[2] else 0
            # Python names no classes of Unicode; which letters they hold makes no difference here.
            yield f"{path.name} {number}", re.compile(re.sub(r"\\p\{\w+\}", " -0", found[1]), flags)


def hostile(pattern: str) -> Iterator[str]:
    """Short texts which, repeated, make patterns try again and again: its own letters and words, alone and in pairs."""
    letters = sorted({*ALPHABET, *re.findall(r"[ -~]", re.sub(r"\\.|[\[\](){}|*+?^$]", "", pattern))})
    words = sorted(set(re.findall(r"[A-Za-z_]{2,}[=:]?|://|%2?5?|\x1b.", re.sub(r"\\[a-zA-Z]", "", pattern))))[:12]
    yield from letters
    yield from words
    yield from ("".join(pair) for pair in itertools.permutations("a%-=/?", 2))
    yield from (word + letter for word in words for letter in "a-=")


def seconds(run: Callable[[str], object], text: str, *, tries: int) -> float:
    """CPU of this thread, the least of some tries."""
    minimum = float("inf")
    for _ in range(tries):
        started = time.thread_time()
        run(text)
        minimum = min(minimum, time.thread_time() - started)
    return minimum


def assert_linear(run: Callable[[str], object], units: Iterable[str]) -> None:
    """Run with each text at 1x, 2x and 4x. Looks closer where the longest one took some time."""
    for unit in units:
        for beginning, ending in (("", "\0"), ("", "=x@"), ("?", "\0"), ("token=", " ")):
            one, two, four = (beginning + (unit * (length // len(unit) + 1))[:length] + ending for length in LENGTHS)
            if seconds(run, four, tries=1) < UNSEEN_SECONDS:
                continue
            # What is not linear is so each time; what other programs cost comes and goes.
            for _ in range(LOOKS):
                costs = [seconds(run, text, tries=5) for text in (one, two, four)]
                if costs[2] < max(UNSEEN_SECONDS, WORST_RATIO * costs[0]):
                    break
            else:
                raise AssertionError(f"not linear: {(beginning, unit, ending, costs)}")


def runs_of(pattern: re.Pattern[Any]) -> list[Callable[[str], object]]:
    """All the ways in which a pattern may be asked."""

    nothing: Any = b"" if isinstance(pattern.pattern, bytes) else ""

    def told(ask: Callable[[Any], object]) -> Callable[[str], object]:
        return (lambda text: ask(text.encode())) if nothing == b"" else ask

    return [told(ask) for ask in (pattern.fullmatch, lambda text: pattern.sub(nothing, text))]


PYTHON = dict(patterns())
JAVASCRIPT = dict(javascript_patterns())


@pytest.mark.parametrize("name", [*PYTHON, *JAVASCRIPT])
def test_n01_no_pattern_takes_more_than_linear_time(name: str) -> None:
    pattern = (PYTHON | JAVASCRIPT)[name]
    text = pattern.pattern.decode() if isinstance(pattern.pattern, bytes) else str(pattern.pattern)
    for run in runs_of(pattern):
        assert_linear(run, hostile(text))


def test_the_patterns_are_found() -> None:
    assert {"gateway.tokens._UUID", "gateway.redaction._TICKET"} <= PYTHON.keys()
    # By whichever module that has it is found first.
    assert any(name.endswith(".CURSOR_FORM") for name in PYTHON)
    assert len(JAVASCRIPT) > 5


def test_the_measure_finds_what_is_not_linear() -> None:
    with pytest.raises(AssertionError):
        assert_linear(re.compile(r"[^ ]*%=").search, ["%"])


def test_n01_redaction_takes_linear_time() -> None:
    words = ("?%", "%25", "%2", "&%", "token=", "vx11p_", "550e8400-e29b-", "/%2525", "?a=%", "authorization", " %41")
    assert_linear(redact, [*hostile(""), *words])
