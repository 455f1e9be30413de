"""What the program reports of its work to a tracer, written down."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gateway import tracing


class Recorder:
    """An implementation of gateway.tracing.Tracer. `traced` is False: no request is."""

    def __init__(self, *, traced: bool = True) -> None:
        self.traced = traced
        # What was reported, in its order: the method and its arguments.
        self.calls: list[tuple[Any, ...]] = []

    @contextmanager
    def span(self, name: str, correlation_id: str, *, parent: str = "") -> Iterator[None]:
        self.calls.append(("span", name, correlation_id))
        yield

    def commit(self, carried: Iterable[tracing.Span | None]) -> "Recorder | None":
        self.calls.append(("commit", list(carried)))
        return self if self.traced else None

    def done(self, epoch: str, *, first_seq: int, last_seq: int, size_bytes: int) -> None:
        self.calls.append(("done", epoch, first_seq, last_seq, size_bytes))

    def wrote(
        self, epoch: str, *, first_seq: int, last_seq: int, streams: int, size_bytes: int, seconds: float
    ) -> None:
        self.calls.append(("wrote", epoch, first_seq, last_seq, streams, size_bytes, seconds))

    def traceparent(self, epoch: str, last_seq: int) -> str:
        return f"{epoch}-{last_seq}" if self.traced else ""

    def received(self, epoch: str, last_seq: int, traceparent: str) -> None:
        self.calls.append(("received", epoch, last_seq, traceparent))
