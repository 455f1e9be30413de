"""Traces: which work belongs together, from a publisher's request over the commit to the write to streams.

This is what the program says about its work; without VX11_TRACES_URL nobody listens, `tracer` is None, and
OpenTelemetry is not even imported. What listens is vx11_site/logs/traces.py. Spans hold counts, sizes, durations and
the correlation id: never a credential, a query, or anything of what an event says.
"""

import contextlib
import importlib.util
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

# What requirements-tracing.txt brings.
PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
MISSING = "VX11_TRACES_URL is set, and the packages that send traces are not installed."
ADVICE = "Run: .venv/bin/python -m pip install --require-hashes -r requirements-tracing.lock"


class Span(Protocol):
    """Work that goes on, and is among those that are looked at."""

    def note(self, **attributes: int | str) -> None: ...


class Commit(Protocol):
    """A transaction that may append events of requests that are looked at."""

    def done(self, epoch: str, *, first_seq: int, last_seq: int, size_bytes: int) -> None:
        """It has been committed. Never called if it was not."""


class Tracer(Protocol):
    """Nothing here waits, and nothing here raises."""

    def span(self, name: str, correlation_id: str, *, parent: str) -> AbstractContextManager[Span | None]:
        """The work of this block; `parent` is a traceparent header or empty. None if it is not looked at."""

    def commit(self, carried: Iterable[Span | None]) -> Commit | None:
        """Begins now, and carries the work of these requests. None if none of them is looked at."""

    def wrote(
        self, epoch: str, *, first_seq: int, last_seq: int, streams: int, size_bytes: int, seconds: float
    ) -> None:
        """These events were just written to live streams; it took so long."""

    def traceparent(self, epoch: str, last_seq: int) -> str:
        """Names the commit that ended with this seq to another process; empty if there is nothing to name."""

    def received(self, epoch: str, last_seq: int, traceparent: str) -> None:
        """What another process said of its commit that ended with this seq."""


# Set once, before anything is served.
tracer: Tracer | None = None
_NOTHING: AbstractContextManager[Span | None] = contextlib.nullcontext()


def span(name: str, correlation_id: str, *, parent: str = "") -> AbstractContextManager[Span | None]:
    """The work of this block. Its span is None when nobody looks at it."""
    return _NOTHING if tracer is None else tracer.span(name, correlation_id, parent=parent)


def can_be_sent() -> bool:
    """Whether the packages are there that send traces."""
    try:
        return all(importlib.util.find_spec(name) for name in PACKAGES)
    except ModuleNotFoundError:
        # Not even what they are in.
        return False
