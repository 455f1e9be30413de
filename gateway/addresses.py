"""Addresses of callers: what is a valid one, which networks hold it, which caller it counts as. Pure: no I/O."""

import functools
import ipaddress
from collections.abc import Sequence

# One customer usually gets an IPv6 network of this size.
IPV6_PREFIX_BITS = 64
# Addresses whose group is cached.
ADDRESSES_KEPT = 1024
# "unix" is a Unix socket, over which a caller has no address.
Network = ipaddress.IPv4Network | ipaddress.IPv6Network | str


@functools.lru_cache(maxsize=ADDRESSES_KEPT)
def address_group(address: str) -> str:
    """The caller that limits count for this address: in IPv6 a whole network, as one customer has billions of
    addresses.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX_BITS), strict=False))


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    # A zone (fe80::1%eth0) may be any text of any length, and means nothing on another machine.
    return "%" not in text


def is_within(text: str, networks: Sequence[Network]) -> bool:
    if not text:
        return "unix" in networks
    if not is_address(text):
        return False
    address = ipaddress.ip_address(text)
    # A socket for both families reports IPv4 clients as mapped IPv6 addresses.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(not isinstance(network, str) and address in network for network in networks)
