"""Streams read by a parser that is not ours."""

import codecs
from collections.abc import Iterable

from httpx_sse import ServerSentEvent
from httpx_sse._decoders import SSEDecoder, SSELineDecoder


def read(stream: bytes, cuts: Iterable[int] = ()) -> list[ServerSentEvent]:
    """The events of a stream whose bytes arrive in pieces, cut at these places.

    A block without data (a retry) is no event by the standard; this parser gives it all the same.
    """
    text, lines, decoder = codecs.getincrementaldecoder("utf-8")(), SSELineDecoder(), SSEDecoder()
    found: list[ServerSentEvent] = []
    edges = [0, *sorted({min(cut, len(stream)) for cut in cuts}), len(stream)]
    for start, end in zip(edges, edges[1:], strict=False):
        if piece := text.decode(stream[start:end]):
            decoded = [decoder.decode(line) for line in lines.decode(piece)]
            found += [event for event in decoded if event is not None and event.data]
    return found
