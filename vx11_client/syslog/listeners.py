"""Where a receiver listens: addresses, sockets and certificates, each checked before the first record. No Django."""

import contextlib
import dataclasses
import os
import socket
import ssl
import stat
from collections.abc import Sequence
from pathlib import Path

from vx11_client.errors import InvalidSettings
from vx11_client.spool.records import Transport
from vx11_client.terminal_text import shown

LOCAL_HOST = "127.0.0.1"
BACKLOG = 256


@dataclasses.dataclass(frozen=True)
class Address:
    """A transport, and where it listens. An empty host means every address of the machine."""

    transport: Transport
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"{self.transport.name.lower()} {host}:{self.port}"


def address_of(text: str, transport: Transport) -> Address:
    """`PORT` (of this machine alone), `HOST:PORT`, `[IPV6]:PORT`, `*:PORT`. Raises InvalidSettings."""
    host, sign, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidSettings(f"{shown(text)!r}: an IPv6 address stands in brackets, as in [::1]:6514")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise InvalidSettings(
            f"{shown(text)!r} is no address to listen at: use PORT or HOST:PORT, with a port up to 65535"
        )
    if sign and not host:
        raise InvalidSettings(f"{shown(text)!r}: name a host before the colon; * is every address of this machine")
    return Address(transport, "" if host == "*" else host or LOCAL_HOST, int(port))


def opened(address: Address) -> list[socket.socket]:
    """Bound sockets: one, or two for every address of IPv4 and IPv6. Raises InvalidSettings with one plain sentence."""
    kind = socket.SOCK_DGRAM if address.transport is Transport.UDP else socket.SOCK_STREAM
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        port = address.port
        try:
            found = socket.getaddrinfo(address.host or None, port, type=kind, flags=socket.AI_PASSIVE)
            for family, _, _, _, place in sorted(set(found)) if not address.host else found[:1]:
                # A port that the system chose for the first is that of the second.
                sock = _bound(family, kind, (place[0], port, *place[2:]))
                stack.callback(sock.close)
                sockets.append(sock)
                port = sock.getsockname()[1]
        except OSError as error:
            raise InvalidSettings(f"{address} cannot be used: {_reason(error, address)}") from None
        stack.pop_all()
        return sockets


def _bound(family: int, kind: int, place: Sequence[object]) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)  # noqa: FBT003 - its only form
        sock.bind(tuple(place))
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _reason(error: OSError, address: Address) -> str:
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError) and address.port < 1024:
        return f"{reason}: ports below 1024 need the right CAP_NET_BIND_SERVICE, or choose a port above"
    return reason


def tls_context(certificate: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    """TLS 1.2 and later. With `authority`, senders need a certificate that it signed. Raises InvalidSettings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name, path in (("--certificate", certificate), ("--key", key), ("--client-authority", authority)):
        if path is not None:
            _check_readable(name, path)
    try:
        # A key with a pass phrase would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise InvalidSettings(
            f"--certificate {shown(str(certificate))} and --key {shown(str(key))} cannot be used ({reason}): "
            "they must be PEM files that belong together, the key without a pass phrase"
        ) from None
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except ssl.SSLError:
            raise InvalidSettings(
                f"--client-authority {shown(str(authority))} holds no certificate in PEM form"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb"):
            is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise InvalidSettings(f"{name} {shown(str(path))} cannot be read: {error.strerror}") from None
    if not is_file:
        raise InvalidSettings(f"{name} {shown(str(path))} is no file")
