"""Content-Encoding of request bodies: unpacked up to a limit, at which unpacking is broken off. Pure: no I/O.

300 KB of gzip can hold 300 MB. So the unpacker is asked for one byte more than may come, and what is behind it is never
made. A compressed body may hold as much as one that is not: its sender gains time on the network, and no other limit.
"""

import dataclasses
import zlib
from collections.abc import Callable
from typing import Protocol

from backports import zstd

from gateway.http.errors import ApiError

# What senders use. All of them can do gzip, and those that ship much offer zstd.
CODINGS = ("gzip", "zstd")
# A sender packs its body once. More members or frames behind each other are possible in both formats, and each of them
# costs a new unpacker and a copy of what is behind it.
MEMBERS_LIMIT = 8
# What a frame of zstd may make its reader hold, as a power of two: 8 MiB, as RFC 8878 recommends to readers.
WINDOW_LOG_LIMIT = 23
CANNOT_BE_UNPACKED = "The body cannot be unpacked: it is damaged, cut off, or not what Content-Encoding says."


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /, max_length: int = ...) -> bytes: ...


def _gzip() -> _Unpacker:
    # 16 more than the largest window: with the header and the checksum of gzip.
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _zstd() -> _Unpacker:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_LIMIT})


_UNPACKERS: dict[str, Callable[[], _Unpacker]] = {"gzip": _gzip, "zstd": _zstd}


@dataclasses.dataclass(slots=True)
class PackedBody:
    """A body as it came. `size_bytes` is what reading it took so far: its length, or what was unpacked of it."""

    content: bytes
    coding: str
    limit_bytes: int
    size_bytes: int = 0

    def __post_init__(self) -> None:
        self.coding = self.coding.strip(" \t").lower()
        self.size_bytes = len(self.content)

    @property
    def is_packed(self) -> bool:
        return self.coding not in ("", "identity")

    def unpacked(self) -> bytes:
        """The body itself. Raises ApiError: unsupported_media_type, bad_request, payload_too_large."""
        if not self.is_packed:
            return self.content
        if self.coding not in _UNPACKERS:
            title = f"Content-Encoding may be {' or '.join(CODINGS)}, and once."
            raise ApiError("unsupported_media_type", title=title)
        parts: list[bytes] = []
        left, packed = self.limit_bytes, self.content
        for _ in range(MEMBERS_LIMIT):
            part, packed = self._member(packed, left + 1)
            self.size_bytes += len(part)
            left -= len(part)
            if left < 0:
                raise ApiError(
                    "payload_too_large", title=f"Unpacked, the body is larger than {self.limit_bytes} bytes."
                )
            parts.append(part)
            if not packed:
                return b"".join(parts)
        raise ApiError("bad_request", title=CANNOT_BE_UNPACKED)

    def _member(self, packed: bytes, limit_bytes: int) -> tuple[bytes, bytes]:
        """One member or frame, at most so much of it, and what is behind it."""
        unpacker = _UNPACKERS[self.coding]()
        try:
            part = unpacker.decompress(packed, limit_bytes)
        except (zlib.error, zstd.ZstdError):
            raise ApiError("bad_request", title=CANNOT_BE_UNPACKED) from None
        if len(part) < limit_bytes and not unpacker.eof:
            raise ApiError("bad_request", title=CANNOT_BE_UNPACKED)
        return part, unpacker.unused_data
