"""Options of receive_syslog, and the limits and certificates that they mean."""

import argparse
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from events.management.feed_options import matching, number, zone
from events.management.server_access import EXIT_USAGE
from vx11_client.errors import InvalidSettings
from vx11_client.spool.records import Transport
from vx11_client.syslog.limits import Limits
from vx11_client.syslog.listeners import Address, address_of, tls_context
from vx11_client.syslog.mapping import EVENT_TYPE
from vx11_client.wire_names import MODULE_FORM, TYPE_FORM

KIB = 1024
DEFAULTS = Limits()


def add_syslog_arguments(parser: CommandParser) -> None:
    listening = parser.add_argument_group("where it listens; one of these at least, each may be repeated")
    for transport in (Transport.TCP, Transport.TLS, Transport.UDP):
        listening.add_argument(
            f"--{transport.name.lower()}",
            dest="listen",
            action="append",
            type=_address(transport),
            metavar="[HOST:]PORT",
            help=f"{transport.name}; without a host, for programs of this machine only",
        )
    tls = parser.add_argument_group("for --tls")
    tls.add_argument("--certificate", type=Path, metavar="FILE", help="certificate of this receiver and its chain, PEM")
    tls.add_argument("--key", type=Path, metavar="FILE", help="its key, PEM, without a pass phrase")
    tls.add_argument(
        "--client-authority",
        type=Path,
        metavar="FILE",
        help="senders need a certificate that this authority has signed",
    )
    event = parser.add_argument_group("what records become")
    event.add_argument("--module", type=matching(MODULE_FORM), help="module of the events; without it, the token's")
    event.add_argument(
        "--event-type", type=matching(TYPE_FORM), default=EVENT_TYPE, help="type of the events (%(default)s)"
    )
    event.add_argument(
        "--timezone",
        type=zone,
        metavar="ZONE",
        help="zone of times that name none (RFC 3164), such as Europe/Madrid; without it, the zone of this machine",
    )
    _add_limits(parser)
    parser.add_argument("--check", action="store_true", help="try addresses, certificates, spool and gateway, and end")


def _add_limits(parser: CommandParser) -> None:
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--spool", type=Path, metavar="FOLDER", help="where records are kept until they are published (data folder)"
    )
    for name, low, high, default, text in (
        ("spool-mib", 1, 1024 * KIB, DEFAULTS.spool_bytes // KIB**2, "size of the spool; then senders wait"),
        ("max-connections", 1, 100_000, DEFAULTS.connections, "connections; more are refused"),
        ("max-per-address", 1, 100_000, DEFAULTS.connections_per_address, "connections of one address"),
        ("max-line", 480, 64 * KIB, DEFAULTS.line_bytes, "bytes of a record; longer ones are cut"),
        (
            "max-rate",
            1,
            1_000_000,
            DEFAULTS.records_per_second,
            "records a second; more wait, those of UDP are dropped",
        ),
        ("idle-seconds", 1, 7 * 86400, int(DEFAULTS.idle_seconds), "a connection without data is closed after this"),
        ("stop-seconds", 0, 3600, int(DEFAULTS.stop_seconds), "how long the end waits for the gateway"),
    ):
        limits.add_argument(
            f"--{name}", type=number(low, high), default=default, metavar="N", help=f"{text} (%(default)s)"
        )


def check_syslog(options: dict[str, Any]) -> None:
    """Raises CommandError for options that do not go together."""
    if not options["listen"]:
        raise CommandError("name an address to listen at: --tcp, --tls or --udp", returncode=EXIT_USAGE)
    has_tls = any(address.transport is Transport.TLS for address in options["listen"])
    if has_tls and not (options["certificate"] and options["key"]):
        raise CommandError("--tls needs --certificate and --key", returncode=EXIT_USAGE)
    if not has_tls and (options["certificate"] or options["key"] or options["client_authority"]):
        raise CommandError("--certificate, --key and --client-authority need --tls", returncode=EXIT_USAGE)


def tls_of(options: dict[str, Any]) -> ssl.SSLContext | None:
    """Raises InvalidSettings."""
    if not options["certificate"]:
        return None
    return tls_context(options["certificate"], options["key"], options["client_authority"])


def limits_of(options: dict[str, Any]) -> Limits:
    return Limits(
        connections=options["max_connections"],
        connections_per_address=options["max_per_address"],
        line_bytes=options["max_line"],
        idle_seconds=float(options["idle_seconds"]),
        records_per_second=options["max_rate"],
        spool_bytes=options["spool_mib"] * KIB**2,
        stop_seconds=float(options["stop_seconds"]),
    )


def _address(transport: Transport) -> Callable[[str], Address]:
    def address(text: str) -> Address:
        try:
            return address_of(text, transport)
        except InvalidSettings as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None

    return address
