"""No delivery reaches our own network: what a thread connects to is checked when it connects.

That is the place which cannot be gone round: after all look-ups of names and after every redirect, the address to which
the socket goes is the one that is checked. Threads that deliver are guarded; all others connect as ever.
"""

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from watches.delivery import connections

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses of IPv4 that stand in one of IPv6: a gateway would lead to them.
_HOLD_IPV4 = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
# Once the anycast address of gateways from IPv6; no longer in use (RFC 7526).
_RELAYS = ipaddress.ip_network("192.88.99.0/24")


class AddressRefused(OSError):
    """The target is in a network that deliveries must not reach."""


class _Guarded(threading.local):
    """What was refused in this thread; None while it is not guarded."""

    refusals: list[str] | None = None


_guarded = _Guarded()
_installing = threading.Lock()


@contextlib.contextmanager
def guarded() -> Iterator[list[str]]:
    """Within it, this thread connects only to public addresses, and to those of VX11_DELIVERY_NETWORKS.

    The list says what was refused: libraries report that as any other failure to connect.
    """
    _install()
    before, refusals = _guarded.refusals, list[str]()
    _guarded.refusals = refusals
    try:
        yield refusals
    finally:
        _guarded.refusals = before


def uses_environment() -> bool:
    """Whether the environment may lead what connects in this thread: a proxy hides from the guard where it leads."""
    return _guarded.refusals is None or settings.DELIVERY_PROXIES


def check(host: str) -> None:
    """Raises AddressRefused unless it is an address that a delivery may go to."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # A name would be looked up behind our back.
        raise AddressRefused("a name in place of an address") from None
    if not is_allowed(address):
        raise AddressRefused(f"{address} is not a public address; VX11_DELIVERY_NETWORKS allows others")


def is_allowed(address: Address) -> bool:
    address = _within(address)
    if any(address.version == network.version and address in network for network in settings.DELIVERY_NETWORKS):
        return True
    if address.version == _RELAYS.version and address in _RELAYS:
        return False
    return address.is_global and not address.is_multicast and not getattr(address, "is_site_local", False)


def _within(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return ipaddress.IPv4Address(address.packed[-4:]) if any(address in network for network in _HOLD_IPV4) else address


def _install() -> None:
    """Once in the process: connecting asks whether its thread is guarded."""
    with _installing:
        if getattr(socket.socket.connect, "asks_guard", False):
            return
        for name in ("connect", "connect_ex"):
            setattr(socket.socket, name, _asking(getattr(socket.socket, name)))


def _asking(real: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if _guarded.refusals is not None:
            try:
                if self.family not in (socket.AF_INET, socket.AF_INET6):
                    raise AddressRefused("a socket of this machine")
                check(str(address[0]))
            except AddressRefused as refused:
                _guarded.refusals.append(str(refused))
                raise
            connections.note(self)
        return real(self, address)

    connect.asks_guard = True  # type: ignore[attr-defined]  # a mark on a function has no type of its own
    return connect
