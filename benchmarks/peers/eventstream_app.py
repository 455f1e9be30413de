"""django-eventstream as its documentation sets it up, with Redis between processes.

An application of its own, run by Daphne or uvicorn in `.venv-bench`; the environment names the Redis.
"""

import os

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django_eventstream"],
    EVENTSTREAM_REDIS={"host": "127.0.0.1", "port": int(os.environ["BENCH_REDIS_PORT"])},
)
django.setup()

import django_eventstream  # type: ignore[import-not-found]  # noqa: E402 - needs the settings; is in .venv-bench alone
from django.core.asgi import get_asgi_application  # noqa: E402 - needs the settings
from django.http import HttpRequest, HttpResponse  # noqa: E402 - the same
from django.urls import include, path  # noqa: E402 - the same

CHANNEL = "bench"


def publish(request: HttpRequest) -> HttpResponse:
    django_eventstream.send_event(CHANNEL, "message", request.body.decode())
    return HttpResponse()


urlpatterns = [
    path("events", include(django_eventstream.urls), {"channels": [CHANNEL]}),
    path("publish", publish),
]
application = get_asgi_application()
