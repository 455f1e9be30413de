"""This project, as `manage.py serve` starts it."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import marks
from benchmarks.peers.peer import Peer
from benchmarks.server import Target
from benchmarks.server import serving as serving_target
from benchmarks.wire import request

NAME = "VX11 Operator"
STREAM_PATH = "/operator/api/events/stream"
PUBLISH_PATH = "/operator/api/events"


def missing() -> str:
    return ""


@contextmanager
def serving() -> Iterator[Peer]:
    with serving_target() as target:
        yield peer(target)


def peer(target: Target, *, queries: tuple[str, ...] = ("",), payload: object = None) -> Peer:
    """Streams take the queries in turn, and the principals too."""
    event = {
        "event_type": "bench.load",
        "summary": marks.PLACE.decode(),
        "correlation_id": "bench",
        "payload": payload or {},
    }
    return Peer(
        name=NAME,
        port=target.port,
        pids=(target.pid,),
        openings=tuple(
            request("GET", STREAM_PATH + query, token=token) for token in target.principal_tokens for query in queries
        ),
        live=b"event: caught-up",
        publish=request("POST", PUBLISH_PATH, token=target.service_token, body=event),
        published=(201,),
    )
