"""A connection that speaks HTTP byte by byte: half requests, several at once, answers read late or never."""

import codecs
import dataclasses
import http.client
import io
import select
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

from httpx2._sse import _SSEParser

from tests.client import API, TIMEOUT_SECONDS, Frame, RawAnswer

STREAM = f"{API}/events/stream"
# What one look at a connection takes from it.
PIECE_BYTES = 16 * 1024


@dataclasses.dataclass(frozen=True)
class Answer(RawAnswer):
    @property
    def status_code(self) -> int:
        return self.status


class _Kept(io.BufferedReader):
    """http.client closes what it has read an answer from; here another answer may follow."""

    def close(self) -> None:
        return


class _Source:
    """What http.client asks of a socket."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def makefile(self, mode: str) -> io.BufferedReader:
        return self._file


class Wire:
    """One TCP connection to a server. A small receive buffer makes a reader that stops felt soon at the other end."""

    def __init__(self, url: str, *, receive_buffer_bytes: int | None = None) -> None:
        address = urlsplit(url)
        self.socket = socket.socket()
        self.socket.settimeout(TIMEOUT_SECONDS)
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        try:
            self.socket.connect((address.hostname or "", address.port or 80))
        except OSError:
            self.socket.close()
            raise
        self._file = _Kept(cast(io.RawIOBase, socket.SocketIO(self.socket, "r")), buffer_size=PIECE_BYTES)

    def send(self, data: bytes | str) -> bool:
        """Whether the server took it all."""
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def response(self, *, method: str = "GET") -> http.client.HTTPResponse:
        """The next answer as far as its headers."""
        response = http.client.HTTPResponse(cast(socket.socket, _Source(self._file)), method=method)
        response.begin()
        return response

    def answer(self, *, method: str = "GET") -> Answer:
        """The next answer, whole."""
        response = self.response(method=method)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def take(self, size: int) -> bytes:
        """So many bytes; fewer at the end."""
        try:
            return self._file.read(size)
        except ConnectionResetError:
            return b""

    def rest(self) -> bytes:
        """Everything until the server closes; a reset is an end too."""
        try:
            return self._file.read()
        except ConnectionResetError:
            return b""

    def is_closed(self) -> bool:
        """Whether the server has closed; what it may have said before is thrown away."""
        try:
            while self.has_answer():
                if not self.socket.recv(PIECE_BYTES):
                    return True
        except ConnectionResetError:
            return True
        return False

    def has_answer(self) -> bool:
        """Whether something can be read, or the end."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WireStream(Wire):
    """A stream that is read only when asked to. Opened with a principal token in a header."""

    def __init__(
        self, url: str, token: str, query: str = "", *, version: str = "1.1", receive_buffer_bytes: int | None = None
    ) -> None:
        super().__init__(url, receive_buffer_bytes=receive_buffer_bytes)
        self.send(request("GET", f"{STREAM}?{query}", {"X-VX11-Token": token}, version=version))
        self.opened = self.response()
        self._text = codecs.getincrementaldecoder("utf-8")()
        self._events = _SSEParser()

    def frames(self, most_bytes: int = PIECE_BYTES) -> list[Frame] | None:
        """What comes next: perhaps only half a frame, thus none. None after the answer's last chunk.

        Raises http.client.IncompleteRead when the connection ends before that.
        """
        piece = self.opened.read1(most_bytes)
        if not piece:
            return None
        return [Frame.parse(event) for event in self._events.decode(self._text.decode(piece))]

    def read_until(self, condition: Callable[[Frame], bool], what: str, *, seconds: float = 20) -> list[Frame]:
        """All frames up to the first that fulfils the condition, and those that came with it."""
        found: list[Frame] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            frames = self.frames()
            assert frames is not None, f"the stream ended before {what}"
            found += frames
            if any(map(condition, frames)):
                return found
        raise AssertionError(f"not within {seconds} s: {what}")

    def read_events(self, count: int, *, seconds: float = 20) -> list[dict[str, Any]]:
        """This many operator events."""
        found: list[dict[str, Any]] = []

        def is_last(frame: Frame) -> bool:
            if frame.is_event:
                found.append(frame.data)
            return len(found) >= count

        self.read_until(is_last, f"event {count}", seconds=seconds)
        return found

    def caught_up(self) -> Self:
        """Reads as far as the stream is live."""
        self.read_until(lambda frame: frame.name == "caught-up", "caught-up")
        return self

    def read_to_end(self) -> list[Frame]:
        """All that comes, up to an answer that is whole."""
        found: list[Frame] = []
        while (frames := self.frames()) is not None:
            found += frames
        return found


def request(
    method: str,
    path: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    version: str = "1.1",
) -> bytes:
    """One request as it goes over the wire; nothing is added but Host."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """The pieces as chunks of a chunked body, without the last one."""
    return (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
