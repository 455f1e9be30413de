"""The files of our own pages, sent without Django's ordinary chain: the console asks for fifty of them at once.

WhiteNoise knows them (https://whitenoise.readthedocs.io): which there are, their types and validators. Its own
middleware is synchronous, which costs each file several thread hops and a session it does not look at.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from gateway.http.errors import ApiError
from gateway.http.middleware import EdgeMiddleware
from gateway.http.rest import LeanHandler

METHODS = ("GET", "HEAD")
# Threads of their own: those of the event loop may all be waiting for a name server.
READING_THREADS = 2


class StaticHandler(LeanHandler):
    """Answers what `has` says it has."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        super().load_middleware(is_async)
        self._files: dict[str, StaticFile] = WhiteNoiseMiddleware().files
        self._readers = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="static-files")
        self._middleware_chain = EdgeMiddleware(self._answer)

    def has(self, path: str) -> bool:
        return path in self._files

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        """Raises ApiError."""
        assert isinstance(request, ASGIRequest)  # noqa: S101 - create_request() makes no other
        if request.method not in METHODS:
            raise ApiError("method_not_allowed", headers={"Allow": ", ".join(METHODS)})
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, request)

    def _read(self, request: ASGIRequest) -> HttpResponse:
        try:
            file = self._files[request.scope["path"]]
            found = file.get_response(request.method, _as_asked(request.META, file.etag))
        except FileNotFoundError:
            # Gone since the start, as while an update is laid over what runs.
            raise ApiError("not_found") from None
        # Whole, as the connection holds what is not sent yet anyway; the largest is Swagger UI with 1.5 MB.
        content = b""
        if found.file is not None:
            with found.file:
                content = found.file.read()
        response = HttpResponse(content, status=int(found.status))
        # WhiteNoise names what it sends; a 304 has no type.
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response


def _as_asked(fields: dict[str, Any], etag: str) -> dict[str, Any]:
    """Those that WhiteNoise reads, as it reads them: of If-None-Match, it compares the whole with the one ETag.

    Parts are not given: WhiteNoise refuses those of one byte and overlooks If-Range, and these files are small.
    """
    asked = {name: value for name, value in fields.items() if name != "HTTP_RANGE"}
    known = {tag.removeprefix("W/") for tag in parse_etags(asked.get("HTTP_IF_NONE_MATCH", ""))}
    if known & {"*", etag}:
        asked["HTTP_IF_NONE_MATCH"] = etag
    return asked
