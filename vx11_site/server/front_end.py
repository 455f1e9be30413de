"""Serves the front end of an installation: a built single-page application in the folder VX11_UI_DIR.

Its files are public, as the sign-in page is; it gets its data from the API. Files are looked up for each request, so
that a new build needs no restart. They are read in pieces without being held open: readers may be slow, and open files
share their limit with connections.
"""

import asyncio
import dataclasses
import functools
import hashlib
import os
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from whitenoise.media_types import MediaTypes

from gateway.http.errors import ApiError, correlation_id_of, respond

PREFIX = "/operator/ui/"
INDEX = "index.html"
PATH_LIMIT_CHARACTERS = 1024
PIECE_BYTES = 64 * 1024
# Digests in the cache; for other files they are computed again.
DIGESTS_LIMIT = 1024
# The front end may load what it needs, but it acts with the operator's session, so no page may frame it.
POLICY = "frame-ancestors 'none'"

# A file with a digest in its name, as bundlers write them (index-4f9a1c2b.js), never changes. Eight characters with a
# digit and a letter among them; a name that is not recognised costs only a conditional request.
_HASHED = re.compile(r"[.-](?=[\w-]{0,63}\d)(?=[\w-]{0,63}[A-Za-z])[\w-]{8,64}\.[a-z0-9.]+", re.ASCII)
FOR_EVER = "public, max-age=31536000, immutable"
# Cached, but with a conditional request before each use.
REVALIDATE = "no-cache"

_media_types = MediaTypes()
Result = TypeVar("Result")
# Separate threads: those of the event loop may all be waiting for a name server.
READING_THREADS = 4
_readers = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="front-end")
# Size, times and inode: they show a change of a file without reading it.
Version = tuple[int, int, int, int]
GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class FileChanged(Exception):
    """The file was replaced while it was being sent, so the rest would not fit the part before."""


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    path: Path
    version: Version

    @property
    def size_bytes(self) -> int:
        return self.version[0]

    def read(self, start: int) -> bytes:
        """One piece. Raises OSError, FileChanged."""
        with self.path.open("rb") as file:
            if _version(os.fstat(file.fileno())) != self.version:
                raise FileChanged(self.path.name)
            file.seek(start)
            return file.read(PIECE_BYTES)


class FrontEndMiddleware:
    """Answers requests below PREFIX if there is a front end; passes on all others."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        folder: Path | None = settings.UI_DIR
        if folder is None or not f"{request.path}/".startswith(PREFIX):
            return await self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return _refuse(request, ApiError("method_not_allowed", headers={"Allow": "GET, HEAD"}))
        if request.path == PREFIX.rstrip("/"):
            return HttpResponseRedirect(PREFIX)
        name = request.path.removeprefix(PREFIX)
        found = await _in_thread(functools.partial(find, folder, name, may_be_page=_wants_page(request)))
        return _refuse(request, ApiError("not_found")) if found is None else _answer(request, *found)


def find(folder: Path, name: str, *, may_be_page: bool) -> tuple[File, str] | None:
    """The file of this name with the digest of its content; or index.html, if the name may be a page of the
    application.

    None if there is neither, or if the file is hidden, or outside of the folder through a link.
    """
    if not name:
        return _open(folder, INDEX)
    if len(name) > PATH_LIMIT_CHARACTERS or any(map(_is_odd, name.rstrip("/").split("/"))):
        return None
    # The application handles such an address itself: it is one of its pages, and no file.
    is_address = may_be_page and "." not in name.rstrip("/").rpartition("/")[2]
    return _open(folder, name) or (_open(folder, INDEX) if is_address else None)


def _open(folder: Path, name: str) -> tuple[File, str] | None:
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        status = path.stat()
        # Only regular files: opening a pipe would wait for a writer.
        if hidden or name.endswith("/") or not stat.S_ISREG(status.st_mode):
            return None
        file = File(path, _version(status))
        return file, _digest(file)
    except (OSError, ValueError, RuntimeError, FileChanged):
        # Missing, unreadable, outside of the folder, a loop of links, or being replaced.
        return None


@functools.lru_cache(maxsize=DIGESTS_LIMIT)
def _digest(file: File) -> str:
    """Of the content: a build may set all times alike, and pages of two builds may have the same length."""
    digest = hashlib.sha256()
    for start in range(0, file.size_bytes, PIECE_BYTES):
        digest.update(file.read(start))
    return digest.hexdigest()[:32]


def _version(status: os.stat_result) -> Version:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _is_odd(segment: str) -> bool:
    """Whether a part of a path is never served: empty, hidden, a step up, or not printable."""
    return not segment or segment.startswith(".") or "\\" in segment or not segment.isprintable()


def _wants_page(request: HttpRequest) -> bool:
    """Whether it is a navigation: browsers then accept HTML, and scripts that load data do not."""
    return "text/html" in request.headers.get("Accept", "")


def _answer(request: HttpRequest, file: File, digest: str) -> HttpResponseBase:
    headers = {
        "Content-Type": _content_type(file.path.name),
        "Content-Length": str(file.size_bytes),
        "Cache-Control": FOR_EVER if _HASHED.search(file.path.name) else REVALIDATE,
        "ETag": f'"{digest}"',
        "Vary": "Accept",
    }
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(headers=headers)
    else:
        response = StreamingHttpResponse(_pieces(file), headers=headers)
    # Also with 304, because a browser replaces its cached headers by those of the 304.
    same = get_conditional_response(request, etag=headers["ETag"], response=response)  # type: ignore[arg-type]  # takes any
    answer = same or response
    answer["Content-Security-Policy"] = POLICY
    return answer


def _content_type(name: str) -> str:
    media_type: str = _media_types.get_type(name)
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


async def _pieces(file: File) -> AsyncIterator[bytes]:
    for start in range(0, file.size_bytes, PIECE_BYTES):
        yield await _in_thread(functools.partial(file.read, start))


async def _in_thread(read: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_readers, read)


def _refuse(request: HttpRequest, refusal: ApiError) -> HttpResponse:
    return respond(refusal, correlation_id_of(request))
