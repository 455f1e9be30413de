"""Publish events to a VX11 Operator server and follow them, from any Python program. No Django.

| name | question that it answers |
|---|---|
| `Publisher`, `AsyncPublisher` | how do I publish events so that none is lost and none is there twice? |
| `follow`, `afollow` | how do I read events as they are written, and go on where I was? |
| `VX11Handler` | how does what my program logs become events? |
| `FeedMapping` | what does a line of a log become? |

An event is a mapping with the fields of `POST /operator/api/events` (docs/api.md): `event_type` and `summary` are
required; `severity`, `module`, `payload`, `correlation_id`, `occurred_at` and `event_id` are not. What is read has
`seq` and `created_at` as well. `ClientError` is the base of all exceptions; module `errors` shows their tree. Times are
in seconds, sizes in bytes. docs/python.md has examples.

Nothing is imported before its name is used: programs that need only a small module (`terminal_text`, `exact_json`) do
not load httpx2. The package needs nothing of this project's other packages, and they may import it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vx11_client.backoff import Backoff
    from vx11_client.errors import (
        ClientError,
        EventsRefused,
        InvalidEvent,
        InvalidSettings,
        NotDelivered,
        Published,
        PublisherClosed,
        QueueFull,
        Refused,
    )
    from vx11_client.feeding.feed_mapping import FeedMapping
    from vx11_client.feeding.log_handler import VX11Handler
    from vx11_client.http_answers import ServerRefused
    from vx11_client.lines.line import Line
    from vx11_client.publishing.async_publisher import AsyncPublisher
    from vx11_client.publishing.publisher import Publisher
    from vx11_client.reading.following import afollow, follow
    from vx11_client.reading.stream_reader import (
        CaughtUp,
        Connected,
        Heartbeat,
        Item,
        Received,
        Reconnecting,
        StreamEnded,
        StreamReset,
    )
    from vx11_client.server_access import token_from_environment, url_from_environment

__all__ = [
    "AsyncPublisher", "Backoff", "CaughtUp", "ClientError", "Connected", "EventsRefused", "FeedMapping", "Heartbeat",
    "InvalidEvent", "InvalidSettings", "Item", "Line", "NotDelivered", "Published", "Publisher", "PublisherClosed",
    "QueueFull", "Received", "Reconnecting", "Refused", "ServerRefused", "StreamEnded", "StreamReset", "VX11Handler",
    "afollow", "follow", "token_from_environment", "url_from_environment",
]  # fmt: skip

_MODULES = {
    "publishing.async_publisher": ("AsyncPublisher",),
    "backoff": ("Backoff",),
    "errors": (
        "ClientError", "EventsRefused", "InvalidEvent", "InvalidSettings", "NotDelivered", "Published",
        "PublisherClosed", "QueueFull", "Refused",
    ),
    "feeding.feed_mapping": ("FeedMapping",),
    "lines.line": ("Line",),
    "reading.following": ("afollow", "follow"),
    "http_answers": ("ServerRefused",),
    "feeding.log_handler": ("VX11Handler",),
    "publishing.publisher": ("Publisher",),
    "server_access": ("token_from_environment", "url_from_environment"),
    "reading.stream_reader": (
        "CaughtUp", "Connected", "Heartbeat", "Item", "Received", "Reconnecting", "StreamEnded", "StreamReset",
    ),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Imports the module of a public name when the name is first used (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
