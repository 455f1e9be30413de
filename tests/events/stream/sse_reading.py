"""Streams read by a parser that is not ours."""

import codecs
from collections.abc import Iterable

from httpx2 import ServerSentEvent
from httpx2._sse import _SSEParser


def read(stream: bytes, cuts: Iterable[int] = ()) -> list[ServerSentEvent]:
    """The events of a stream whose bytes arrive in pieces, cut at these places.

    A block without data (a retry) is no event by the standard; this parser gives it all the same.
    """
    text, parser = codecs.getincrementaldecoder("utf-8")(), _SSEParser()
    found: list[ServerSentEvent] = []
    edges = [0, *sorted({min(cut, len(stream)) for cut in cuts}), len(stream)]
    for start, end in zip(edges, edges[1:], strict=False):
        if piece := text.decode(stream[start:end]):
            found += [event for event in parser.decode(piece) if event.data]
    return found
