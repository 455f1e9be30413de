"""Paths that a consumer answers instead of a view."""

from events.stream.consumer import EventStreamConsumer

STREAM_PATHS = frozenset(("/operator/api/events/stream", "/operator/api/v1/events/stream"))
stream_application = EventStreamConsumer.as_asgi()
