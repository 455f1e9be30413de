"""A record as it was received, and its form on disk. Pure."""

import dataclasses
import enum
import struct
import zlib
from collections.abc import Iterator

# Check sum of all that follows, length of the content; time of receipt in microseconds, length that the record had when
# it was received, transport, length of the peer's address.
_HEAD = struct.Struct(">IIQIBB")
_CHECKED_FROM = 4
# The largest content: more is damage. Limits of lines are far below.
CONTENT_LIMIT_BYTES = 256 * 1024
PEER_LIMIT_BYTES = 255


class Transport(enum.IntEnum):
    """How a record came. `OWN` is the receiver's own: what it has to say about records that are missing."""

    OWN = 0
    TCP = 1
    TLS = 2
    UDP = 3


_TRANSPORTS = frozenset(Transport)


@dataclasses.dataclass(frozen=True, slots=True)
class SyslogRecord:
    """`content` may be a part of what came, which had `total_bytes`. `peer` is the sender's address."""

    content: bytes
    total_bytes: int
    received_us: int
    peer: str
    transport: Transport


def packed(record: SyslogRecord) -> bytes:
    peer = record.peer.encode("utf-8", errors="replace")[:PEER_LIMIT_BYTES]
    total_bytes = min(record.total_bytes, 0xFFFF_FFFF)
    numbers = (len(record.content), record.received_us, total_bytes, record.transport, len(peer))
    checked = b"".join((_HEAD.pack(0, *numbers)[_CHECKED_FROM:], peer, record.content))
    return struct.pack(">I", zlib.crc32(checked)) + checked


def unpacked(data: bytes) -> Iterator[tuple[int, int, SyslogRecord]]:
    """Start, end and content of each record, up to the first that is not whole."""
    at = 0
    while at + _HEAD.size <= len(data):
        checksum, content_bytes, received_us, total_bytes, transport, peer_bytes = _HEAD.unpack_from(data, at)
        begin = at + _HEAD.size + peer_bytes
        end = begin + content_bytes
        if content_bytes > CONTENT_LIMIT_BYTES or end > len(data):
            return
        if zlib.crc32(data[at + _CHECKED_FROM : end]) != checksum or transport not in _TRANSPORTS:
            return
        peer = data[begin - peer_bytes : begin].decode("utf-8", errors="replace")
        yield at, end, SyslogRecord(data[begin:end], total_bytes, received_us, peer, Transport(transport))
        at = end
