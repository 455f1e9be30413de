"""A front end that an installation brings along: a built single-page application, as it lies in VX11_UI_DIR.

Anybody may load its files, as anybody may load the sign-in page; what it shows it asks the API for. They are found anew
for each request, so that a new build needs no restart, and read piece by piece without being held open: readers may be
slow, and open files are what connections are made of.
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
# Digests that are kept; the other files are read through once more for theirs.
DIGESTS_LIMIT = 1024
# What it may load is the front end's own affair, but it acts with the operator's session, so nobody may frame it.
POLICY = "frame-ancestors 'none'"

# A name with a digest in it, as bundlers write them (index-4f9a1c2b.js), never has another content. Eight characters
# with a digit and a letter among them; what is taken for none is only asked for again.
_HASHED = re.compile(r"[.-](?=[\w-]{0,63}\d)(?=[\w-]{0,63}[A-Za-z])[\w-]{8,64}\.[a-z0-9.]+", re.ASCII)
FOR_EVER = "public, max-age=31536000, immutable"
# Kept, and asked for every time whether it still is the same.
ASK_FIRST = "no-cache"

_media_types = MediaTypes()
Result = TypeVar("Result")
# Threads of its own: those of the event loop may all be waiting for a name server.
READING_THREADS = 4
_readers = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="front-end")
# What tells one content of a file from another without reading it.
Version = tuple[int, int, int, int]
GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class FileChanged(Exception):
    """The file was replaced while it was being sent, so the rest would not fit what was sent."""


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
    """Answers what is below PREFIX, when there is a front end; all else goes on."""

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
    """The file of this name below the folder with the digest of its content, or the page that makes sense of the name.

    None: there is neither, or it is nobody's business: hidden, or outside of the folder by way of a link.
    """
    if not name:
        return _open(folder, INDEX)
    if len(name) > PATH_LIMIT_CHARACTERS or any(map(_is_odd, name.rstrip("/").split("/"))):
        return None
    # An application reads addresses like this one by itself: they are its pages, and no files.
    is_address = may_be_page and "." not in name.rstrip("/").rpartition("/")[2]
    return _open(folder, name) or (_open(folder, INDEX) if is_address else None)


def _open(folder: Path, name: str) -> tuple[File, str] | None:
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        status = path.stat()
        # Opening a pipe would wait for somebody who writes.
        if hidden or name.endswith("/") or not stat.S_ISREG(status.st_mode):
            return None
        file = File(path, _version(status))
        return file, _digest(file)
    except (OSError, ValueError, RuntimeError, FileChanged):
        # Not there, not to be read, not below the folder, links that lead in a circle, or replaced at this moment.
        return None


@functools.lru_cache(maxsize=DIGESTS_LIMIT)
def _digest(file: File) -> str:
    """By content: builds set all times alike, and two of them have pages of the same length."""
    digest = hashlib.sha256()
    for start in range(0, file.size_bytes, PIECE_BYTES):
        digest.update(file.read(start))
    return digest.hexdigest()[:32]


def _version(status: os.stat_result) -> Version:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _is_odd(segment: str) -> bool:
    """No name of a file that is served: empty, hidden, a way up, or with what is no letter."""
    return not segment or segment.startswith(".") or "\\" in segment or not segment.isprintable()


def _wants_page(request: HttpRequest) -> bool:
    """Browsers ask so for what they are going to show, and scripts for data do not."""
    return "text/html" in request.headers.get("Accept", "")


def _answer(request: HttpRequest, file: File, digest: str) -> HttpResponseBase:
    headers = {
        "Content-Type": _content_type(file.path.name),
        "Content-Length": str(file.size_bytes),
        "Cache-Control": FOR_EVER if _HASHED.search(file.path.name) else ASK_FIRST,
        "ETag": f'"{digest}"',
        "Vary": "Accept",
    }
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(headers=headers)
    else:
        response = StreamingHttpResponse(_pieces(file), headers=headers)
    # Also with 304: a browser puts its headers in place of those that it has kept.
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
