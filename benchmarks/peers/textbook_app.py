"""Channels by the book: a consumer for each connection that joins a group, over a Redis channel layer.

An application of its own, run by Daphne in `.venv-bench`; the environment names the Redis.
"""

import os
from typing import Any

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [os.environ["BENCH_REDIS_URL"]]},
        }
    },
)
django.setup()

from channels.generic.http import AsyncHttpConsumer  # noqa: E402 - needs the settings
from channels.layers import get_channel_layer  # noqa: E402 - the same
from channels.routing import URLRouter  # noqa: E402 - the same
from django.core.asgi import get_asgi_application  # noqa: E402 - the same
from django.http import HttpRequest, HttpResponse  # noqa: E402 - the same
from django.urls import path, re_path  # noqa: E402 - the same

GROUP = "bench"


class Stream(AsyncHttpConsumer):  # type: ignore[misc]  # channels ships no types
    async def http_request(self, message: dict[str, Any]) -> None:
        """Not AsyncHttpConsumer's, which ends the answer as soon as handle() has returned."""
        await self.handle(message.get("body", b""))

    async def handle(self, body: bytes) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.send_headers(headers=[(b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-store")])
        await self.send_body(b": live\n\n", more_body=True)

    async def event(self, message: dict[str, Any]) -> None:
        """Called for each event that was sent to the group."""
        await self.send_body(f"data: {message['text']}\n\n".encode(), more_body=True)

    async def disconnect(self) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)


async def publish(request: HttpRequest) -> HttpResponse:
    await get_channel_layer().group_send(GROUP, {"type": "event", "text": request.body.decode()})
    return HttpResponse()


urlpatterns = [path("publish", publish)]
# The stubs know views, not applications.
routes = [path("events", Stream.as_asgi()), re_path("", get_asgi_application())]  # type: ignore[arg-type]
application = URLRouter(routes)
