"""Traces: which work belongs together, from a publisher's request over the commit to the write to streams.

The program reports its work through this interface, and vx11_site/logs/traces.py implements it. Without VX11_TRACES_URL
`tracer` is None and OpenTelemetry is not imported. Spans hold counts, sizes, durations and the correlation id: never a
credential, a query, or the content of an event.
"""

import contextlib
import importlib.util
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

# Installed by requirements-tracing.txt.
PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
MISSING = "VX11_TRACES_URL is set, and the packages that send traces are not installed."
ADVICE = "Run: .venv/bin/python -m pip install --require-hashes -r requirements-tracing.lock"


class Span(Protocol):
    """Current work that is traced."""

    def note(self, **attributes: int | str) -> None: ...


class Commit(Protocol):
    """A transaction that may append events of traced requests."""

    def done(self, epoch: str, *, first_seq: int, last_seq: int, size_bytes: int) -> None:
        """The transaction was committed. Not called after a rollback."""


class Tracer(Protocol):
    """No method waits or raises."""

    def span(self, name: str, correlation_id: str, *, parent: str) -> AbstractContextManager[Span | None]:
        """A span for the work of this block; `parent` is a traceparent header or empty. None if it is not traced."""

    def commit(self, carried: Iterable[Span | None]) -> Commit | None:
        """A commit that begins now, for these requests. None if none of them is traced."""

    def wrote(
        self, epoch: str, *, first_seq: int, last_seq: int, streams: int, size_bytes: int, seconds: float
    ) -> None:
        """These events were just written to live streams; it took so long."""

    def traceparent(self, epoch: str, last_seq: int) -> str:
        """The traceparent of the commit that ended with this seq, for another process; empty if it is not traced."""

    def received(self, epoch: str, last_seq: int, traceparent: str) -> None:
        """Another process sent this traceparent for its commit that ended with this seq."""


# Set once, before anything is served.
tracer: Tracer | None = None
_NOTHING: AbstractContextManager[Span | None] = contextlib.nullcontext()


def span(name: str, correlation_id: str, *, parent: str = "") -> AbstractContextManager[Span | None]:
    """A span for the work of this block; None if it is not traced."""
    return _NOTHING if tracer is None else tracer.span(name, correlation_id, parent=parent)


def can_be_sent() -> bool:
    """Whether the packages that send traces are installed."""
    try:
        return all(importlib.util.find_spec(name) for name in PACKAGES)
    except ModuleNotFoundError:
        # The parent package is missing too.
        return False
