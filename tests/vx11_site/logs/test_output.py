"""Where log lines go: a line never costs a request, whatever becomes of the file or pipe that takes it."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from vx11_site.logs.output import BACKLOG_LIMIT_BYTES, LAST_LINES_MS, LogOutput

# Far more than a pipe and the backlog take.
MANY_LINES = 20_000
# What nobody would call waiting, on a busy machine.
AT_ONCE_SECONDS = 5


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


def dropped_lines() -> float:
    return REGISTRY.get_sample_value("vx11_log_lines_dropped_total") or 0.0


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("test", logging.INFO, __file__, 1, message, args, None)


def read_all(reading: int) -> bytes:
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_NONBLOCK)
    parts = []
    try:
        while part := os.read(reading, 65536):
            parts.append(part)
    except BlockingIOError:
        pass
    return b"".join(parts)


def test_a_line_is_there_at_once(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    LogOutput(writing).handle(record("here %s", "I am"))
    assert os.read(reading, 100) == b"here I am\n"


def test_a_pipe_that_nobody_reads_holds_nobody_up_and_what_is_lost_is_counted(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    output = LogOutput(writing)
    before, started = dropped_lines(), time.monotonic()
    for number in range(MANY_LINES):
        output.handle(record("%06d %s", number, "x" * 100))
    assert time.monotonic() - started < AT_ONCE_SECONDS
    dropped = dropped_lines() - before
    assert dropped > 0

    kept = read_all(reading)
    # What waited comes with the next lines, as somebody reads.
    while not kept.endswith(b"\nlast\n"):
        output.handle(record("last"))
        kept += read_all(reading)
    numbers = [int(line[:6]) for line in kept.splitlines() if line != b"last"]
    # The oldest are kept, whole and in order; what came while there was no room is not there.
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == MANY_LINES - dropped
    assert len(kept) >= BACKLOG_LIMIT_BYTES


def test_a_long_line_comes_whole(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    LogOutput(writing).handle(record("%s", "y" * 30_000))
    assert read_all(reading) == b"y" * 30_000 + b"\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_costs_the_line_and_nothing_else() -> None:
    before = dropped_lines()
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        LogOutput(descriptor).handle(record("x"))
    finally:
        os.close(descriptor)
    assert dropped_lines() == before + 1


def test_a_descriptor_that_is_closed_costs_the_line_and_nothing_else(pipe: tuple[int, int]) -> None:
    before = dropped_lines()
    os.close(pipe[1])
    LogOutput(pipe[1]).handle(record("x"))
    assert dropped_lines() == before + 1


def test_a_reader_who_has_gone_costs_the_line_and_nothing_else(pipe: tuple[int, int]) -> None:
    before = dropped_lines()
    os.close(pipe[0])
    LogOutput(pipe[1]).handle(record("x"))
    assert dropped_lines() == before + 1


def test_a_line_with_the_wrong_arguments_costs_the_line_and_nothing_else(pipe: tuple[int, int]) -> None:
    before = dropped_lines()
    LogOutput(pipe[1]).handle(record("%d", "not a number"))
    assert dropped_lines() == before + 1


def test_a_descriptor_that_somebody_made_nonblocking_is_used_as_it_is(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
    output = LogOutput(writing)
    for _ in range(MANY_LINES // 10):
        output.handle(record("%s", "x" * 100))
    assert read_all(reading).startswith(b"x" * 100)


def test_the_end_of_a_process_waits_for_its_last_lines_but_not_for_long(pipe: tuple[int, int]) -> None:
    output = LogOutput(pipe[1])
    for _ in range(MANY_LINES // 10):
        output.handle(record("%s", "x" * 100))
    started = time.monotonic()
    output.flush()
    assert LAST_LINES_MS / 1000 <= time.monotonic() - started < AT_ONCE_SECONDS
