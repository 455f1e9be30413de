"""Open streams without a connection, for tests of what keeps streams."""

import uuid
from typing import Any

from events.log.cursors import Head
from events.stream.hub import Hub
from events.stream.relay import Relay
from events.stream.stream import Stream, StreamOpening
from gateway.filters import Selection
from gateway.http.authentication import Caller
from gateway.identity.principals import Principal
from tests.events.stream.listening_client import ListeningClient

READER = Principal("p-1", "principal", "reader", frozenset({"events:read"}))
MADRE = Selection(modules=frozenset({"madre"}))


def new_stream(principal: Principal = READER, *, relay: Relay | None = None, **fields: Any) -> Stream:
    relay = relay or Relay(Hub())
    relay.hub.reset(Head("k7f3", 7, 1))
    values = {"ticket_id": "t-1", "selection": MADRE, "caller": Caller("192.0.2.1", "c-1"), "follow": True, **fields}
    stream = Stream(StreamOpening(principal=principal, **values), relay, ListeningClient())
    stream.stream_id = str(uuid.uuid4())
    return stream
