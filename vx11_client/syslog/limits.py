"""The limits of a receiver, each with its reason. Pure."""

import dataclasses

from vx11_client.spool.disk_queue import SPOOL_LIMIT_BYTES
from vx11_client.syslog.framing import LINE_LIMIT_BYTES

# Records that were read and are not in the spool yet. One more piece of one connection may come on top.
MEMORY_LIMIT_RECORDS = 10_000
# What is read of one connection at once, before its records are in the spool.
READ_LIMIT_BYTES = 64 * 1024
# From the first byte of a record to its last: a sender that drips holds a connection no longer.
RECORD_LIMIT_SECONDS = 60.0
# A handshake of TLS that takes longer fails.
HANDSHAKE_LIMIT_SECONDS = 10.0
# Datagrams that are read before connections have their turn again.
DATAGRAMS_PER_TURN = 256
# What a system keeps of datagrams while this program does something else; the system may give less.
DATAGRAM_BUFFER_BYTES = 4 * 1024 * 1024
# Connections that are accepted, or refused, before others have their turn again.
ACCEPTS_PER_TURN = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What an operator may choose."""

    # Each holds a descriptor and up to a record and a piece in memory.
    connections: int = 1000
    # One machine that goes wrong must not take them all.
    connections_per_address: int = 200
    line_bytes: int = LINE_LIMIT_BYTES
    # Senders connect again when they have something to send.
    idle_seconds: float = 3600.0
    # A flood must not fill the log: more wait (TCP), or are dropped (UDP).
    records_per_second: int = 20_000
    # About 300,000 records of usual length.
    spool_bytes: int = SPOOL_LIMIT_BYTES
    # How long the end waits for the gateway; what is left stays in the spool.
    stop_seconds: float = 10.0
