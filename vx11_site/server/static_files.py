"""The static files of our pages, sent without Django's ordinary middleware: the console requests fifty of them at once.

WhiteNoise (https://whitenoise.readthedocs.io) provides the list of files, their types and validators. Its own
middleware is synchronous, which costs several thread hops and a session for each file.

At addresses with a digest our scripts and styles have no comments (vx11_site/minified.py), and are compressed.
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from gateway.http.errors import ApiError
from gateway.http.middleware import EdgeMiddleware
from gateway.http.rest import LeanHandler
from vx11_site import minified

METHODS = ("GET", "HEAD")
_TYPES = {".js": 'text/javascript; charset="utf-8"', ".css": 'text/css; charset="utf-8"'}
# The digest of all files in an address of a page. Another release's page may ask for its own one during an update.
_DIGEST = re.compile(r"(?<=^/static/)v-[0-9a-f]{12}/")
# A year, the longest that browsers keep anything.
# As Django's own middleware recognises it.
GZIP = re.compile(r"\bgzip\b")
SOON = f"max-age={settings.WHITENOISE_MAX_AGE}, public"
KEPT = "max-age=31536000, public, immutable"
# Separate threads: those of the event loop may all be waiting for a name server.
READING_THREADS = 2


class StaticHandler(LeanHandler):
    """Answers requests for the paths of which `has` is true."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        super().load_middleware(is_async)
        self._files: dict[str, StaticFile] = WhiteNoiseMiddleware().files
        self._minified = {
            f"{settings.WHITENOISE_STATIC_PREFIX}{name}": file
            for name, file in minified.read(settings.STATICFILES_DIRS[0]).items()
        }
        self._readers = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="static-files")
        self._middleware_chain = EdgeMiddleware(self._answer)

    def has(self, path: str) -> bool:
        return _plain(path) in self._files

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        """Raises ApiError."""
        assert isinstance(request, ASGIRequest)  # noqa: S101 - create_request() makes no other
        if request.method not in METHODS:
            raise ApiError("method_not_allowed", headers={"Allow": ", ".join(METHODS)})
        path = request.scope["path"]
        if path != _plain(path) and (file := self._minified.get(_plain(path))) is not None:
            return _kept(_sent(request, file, _TYPES[PurePosixPath(path).suffix]), path)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, request)

    def _read(self, request: ASGIRequest) -> HttpResponse:
        try:
            path = request.scope["path"]
            file = self._files[_plain(path)]
            found = file.get_response(request.method, _fields_for_whitenoise(request.META, file.etag))
        except FileNotFoundError:
            # Deleted since the start, for instance by an update of the running installation.
            raise ApiError("not_found") from None
        # Read as a whole, because the connection buffers it anyway; the largest is Swagger UI with 1.5 MB.
        content = b""
        if found.file is not None:
            with found.file:
                content = found.file.read()
        response = HttpResponse(content, status=int(found.status))
        # WhiteNoise sets the type; a 304 has none.
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return _kept(response, path)


def _sent(request: HttpRequest, file: minified.Minified, media_type: str) -> HttpResponse:
    zipped = GZIP.search(request.headers.get("Accept-Encoding", "")) is not None
    content = file.zipped if zipped else file.content
    # Weak: it stands for the plain bytes and the compressed ones.
    fields = {"Cache-Control": SOON, "ETag": file.etag, "Vary": "Accept-Encoding", "Content-Length": str(len(content))}
    if zipped:
        fields["Content-Encoding"] = "gzip"
    response = HttpResponse(b"" if request.method == "HEAD" else content, content_type=media_type, headers=fields)
    answer = get_conditional_response(request, etag=file.etag, response=response)
    assert isinstance(answer, HttpResponse)  # noqa: S101 - the given one, or one without a body
    return answer


def _kept(response: HttpResponse, path: str) -> HttpResponse:
    # With another digest it is the file of another release: asked for again soon.
    if path.startswith(settings.STATIC_URL) and _plain(path) != path:
        response["Cache-Control"] = KEPT
    return response


def _plain(path: str) -> str:
    return _DIGEST.sub("", path, count=1)


def _fields_for_whitenoise(fields: dict[str, Any], etag: str) -> dict[str, Any]:
    """The request's headers in the form that WhiteNoise supports: for If-None-Match, exactly one ETag.

    Ranges are not supported: WhiteNoise refuses those of one byte and ignores If-Range, and these files are small.
    """
    supported = {name: value for name, value in fields.items() if name != "HTTP_RANGE"}
    cached = {tag.removeprefix("W/") for tag in parse_etags(supported.get("HTTP_IF_NONE_MATCH", ""))}
    if cached & {"*", etag}:
        supported["HTTP_IF_NONE_MATCH"] = etag
    return supported
