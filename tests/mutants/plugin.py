"""A plugin of pytest: runs a room's tests once as they are, and then for one mutant after the other, each in a fork.

The process that collects the tests runs none. A fork has imported everything, replaces the code of one function and
runs those tests that called it, the quickest first, until one fails. What a fork leaves running is killed.
"""

import ctypes
import dataclasses
import faulthandler
import gc
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NoReturn

import pytest

from tests.mutants.mutations import Mutant, mutants_of
from tests.mutants.rooms import ROOMS, ROOT, Room

PR_SET_CHILD_SUBREAPER = 36
# A test that takes so much longer than without the mutant hangs.
SLOWER_FACTOR, SLOWER_SECONDS = 4, 5.0
BASELINE_LIMIT_SECONDS = 900.0
# Some cannot stand being profiled.
GOOD_TESTS_SHARE = 0.95
# Beside the room's own tests, as many others that call the function are run as take so long together.
FOREIGN_TESTS_SECONDS = 20.0
# Fixtures that start servers of ours.
STACKS = {"stack", "own_stack", "shared_stack"}

# A function as its code object names it: file and first line.
Place = tuple[str, int]


@dataclasses.dataclass
class Known:
    """Of one test, run as it is."""

    seconds: float = 0.0
    failed: bool = False
    called: list[Place] = dataclasses.field(default_factory=list)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutate", help="the room whose files are changed")
    parser.addoption("--mutate-seconds", type=float, default=240.0)
    parser.addoption("--mutate-seed", type=int, default=0)
    parser.addoption("--mutate-results", type=Path, help="a file that gets one line of JSON for each mutant")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Runner(config), "mutants")


class Runner:
    """Instead of pytest's own loop over the tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._room: Room = next(room for room in ROOMS if room.name == config.getoption("--mutate"))
        self._seconds: float = config.getoption("--mutate-seconds")
        self._random = random.Random(config.getoption("--mutate-seed"))
        self._results: Path = config.getoption("--mutate-results")
        self._failed = False
        self._functions: list[FunctionType] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        assert not session.testsfailed, "the tests cannot be collected"
        libc = ctypes.CDLL(None)
        assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        items = [item for item in session.items if not STACKS & set(getattr(item, "fixturenames", ()))]
        known = self._baseline(session, items)
        gc.collect()
        # Below, they are no longer among the objects that the collector tells of.
        self._functions = _functions_in(str(ROOT / self._room.name))
        gc.freeze()
        # After the run without mutants: it makes the databases that all others copy.
        until = time.monotonic() + self._seconds
        mutants = [
            one for path in self._room.files() for one in mutants_of(str(path), path.read_text(encoding="utf-8"))
        ]
        self._random.shuffle(mutants)
        with self._results.open("w", encoding="utf-8") as file:
            for mutant in mutants:
                if time.monotonic() >= until:
                    break
                outcome, why = self._try(
                    session, mutant, [item for item in items if _speaks_for(known, item, mutant)], known
                )
                line = {"outcome": outcome, "why": why, "path": str(Path(mutant.path).relative_to(ROOT))}
                fields = {"line": mutant.line, "kind": mutant.kind, "function": mutant.function, "diff": mutant.diff()}
                print(json.dumps({**line, **fields, "of": len(mutants)}), file=file, flush=True)
        return True

    # --- As it is ---

    def _baseline(self, session: pytest.Session, items: list[pytest.Item]) -> dict[str, Known]:
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.close(reading)
            _in_fork(lambda: self._run_all(session, items, writing))
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
        _end(child, BASELINE_LIMIT_SECONDS)
        known = {name: Known(**fields) for name, fields in json.loads(text).items()}
        for one in known.values():
            one.called = [(path, line) for path, line in one.called]
        # A test that fails as it is would kill every mutant.
        good = {name: one for name, one in known.items() if not one.failed}
        assert len(good) > len(known) * GOOD_TESTS_SHARE, "too many tests fail without any mutant"
        return good

    def _run_all(self, session: pytest.Session, items: list[pytest.Item], writing: int) -> int:
        folder = str(ROOT / self._room.name)
        called: set[Place] = set()

        def note(frame: FrameType, event: str, _: Any) -> None:
            code = frame.f_code
            if event == "call" and code.co_filename.startswith(folder):
                called.add((code.co_filename, code.co_firstlineno))

        sys.setprofile(note)
        threading.setprofile(note)
        known = {}
        for item, following in _with_next(items):
            called.clear()
            self._failed, started = False, time.monotonic()
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            seconds = time.monotonic() - started
            known[item.nodeid] = dataclasses.asdict(Known(seconds, self._failed, list(called)))
        with os.fdopen(writing, "w", encoding="utf-8") as pipe:
            json.dump(known, pipe)
        session._setupstate.teardown_exact(None)
        return 0

    # --- With a mutant ---

    def _try(
        self, session: pytest.Session, mutant: Mutant, items: list[pytest.Item], known: dict[str, Known]
    ) -> tuple[str, str]:
        """What became of the mutant, and by which test."""
        if not items:
            return "survived", "no test calls it"
        try:
            code = compile(mutant.after, mutant.path, "exec")
        except SyntaxError as error:
            return "invalid", str(error)
        items = self._affordable(items, known)
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.close(reading)
            _in_fork(lambda: self._run_until_one_fails(session, code, mutant, items, known, writing))
        os.close(writing)
        limit_seconds = sum(SLOWER_FACTOR * known[item.nodeid].seconds + 1 for item in items) + SLOWER_SECONDS
        status = _end(child, limit_seconds)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            last = pipe.read().splitlines()[-1:] or ["before the first test"]
        if status == 0:
            return "survived", f"{len(items)} tests"
        return ("invalid", "its function cannot be replaced") if status == 3 else ("killed", last[0])

    def _affordable(self, items: list[pytest.Item], known: dict[str, Known]) -> list[pytest.Item]:
        """The room's own tests first, the quickest first; of all others as many as there is time for."""
        own = f"{self._room.own_tests}/"
        items = sorted(items, key=lambda item: known[item.nodeid].seconds)
        ours = [item for item in items if item.nodeid.startswith(own)]
        others = [item for item in items if not item.nodeid.startswith(own)]
        until = itertools.accumulate(known[item.nodeid].seconds for item in others)
        return ours + [one for one, seconds in zip(others, until, strict=True) if seconds <= FOREIGN_TESTS_SECONDS]

    def _run_until_one_fails(
        self, session: pytest.Session, code: CodeType, mutant: Mutant, items: list[pytest.Item],
        known: dict[str, Known], writing: int,
    ) -> int:  # fmt: skip
        if not _replace(self._functions, code, mutant):
            return 3
        self._failed = False
        for item, following in _with_next(items):
            os.write(writing, f"{item.nodeid}\n".encode())
            limit_seconds = SLOWER_FACTOR * known[item.nodeid].seconds + SLOWER_SECONDS
            faulthandler.dump_traceback_later(limit_seconds, exit=True, file=2)
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return 1
        return 0


def _with_next(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=True)


def _speaks_for(known: dict[str, Known], item: pytest.Item, mutant: Mutant) -> bool:
    return item.nodeid in known and (mutant.path, mutant.inner) in known[item.nodeid].called


def _functions_in(folder: str) -> list[FunctionType]:
    """Those that were made of files there, wherever they are kept by now."""
    functions = [one for one in gc.get_objects() if isinstance(one, FunctionType)]
    return [one for one in functions if one.__code__.co_filename.startswith(folder)]


def _replace(functions: list[FunctionType], module: CodeType, mutant: Mutant) -> bool:
    """Give all functions that were made of this piece of the file their new code; whether there are any."""
    new = {(code.co_qualname, code.co_firstlineno): code for code in _codes(module)}
    lines = {mutant.inner, mutant.outer}
    replaced = 0
    for function in functions:
        old = function.__code__
        if old.co_filename != mutant.path or old.co_firstlineno not in lines:
            continue
        code = new.get((old.co_qualname, old.co_firstlineno))
        if code is None or code.co_freevars != old.co_freevars:
            return False
        function.__code__ = code
        replaced += 1
    return replaced > 0


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _in_fork(run: Callable[[], int]) -> NoReturn:
    """Ends this process with what `run` returns, and without what its parent wants done at its end."""
    status = 2
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 1)
        status = run()
    except BaseException:  # noqa: BLE001 - a fork never goes on where its parent does
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def _end(child: int, limit_seconds: float, *, kept: frozenset[int] | set[int] = frozenset()) -> int:
    """The exit status of a fork, or 9 when it had to be killed; then ends what it has left running.

    `kept` are children of this process that are not the fork's.
    """
    until, status = time.monotonic() + limit_seconds, 9
    while time.monotonic() < until:
        ended, raw = os.waitpid(child, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(raw)
            break
        time.sleep(0.01)
    while left := set(_children()) - kept:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    return status


def _children() -> list[int]:
    """As a process that inherits the children of its children, this one has all that a fork left."""
    return [int(pid) for pid in Path("/proc/thread-self/children").read_text(encoding="ascii").split()]
