"""manage.py serve: the server."""

import ipaddress
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from django.core.management.base import BaseCommand, CommandError

from vx11_site.data import first_start, pending_migrations
from vx11_site.server.daphne import SERVER_NAME, OperatorServer

PORT_LIMIT = 65_535


class Command(BaseCommand):
    help = "Serve the API, the event stream, the console and the admin with Daphne."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        why_not = first_start.address_problem(options["host"], options["port"]) or pending_migrations.refusal()
        if why_not:
            raise CommandError(why_not)
        serve(host=options["host"], port=options["port"])


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="Address to listen on.")
    parser.add_argument("--port", default=os.environ.get("PORT", "8000"), type=_port, help="Port to listen on.")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > PORT_LIMIT:
        raise ArgumentTypeError(f"a port is a number up to {PORT_LIMIT}")
    return int(text)


def address_to_open(host: str, port: int) -> str:
    """The console's address for a browser on this machine: none opens the address that means all of them."""
    named = host
    if is_every_address(host):
        named = "::1" if ":" in host else "127.0.0.1"
    return f"http://{f'[{named}]' if ':' in named else named}:{port}/operator/"


def is_every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def serve(*, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    from vx11_site.asgi import application  # imported here, because the import claims the lock of the single process

    def print_ready() -> None:
        sys.stdout.write(f"VX11 Operator serves at {address_to_open(host, port)} (Ctrl-C ends it)\n")
        if is_every_address(host):
            sys.stdout.write("Other machines reach it by the names in VX11_ALLOWED_HOSTS only.\n")
        sys.stdout.flush()

    server = OperatorServer(
        application=application,
        endpoints=build_endpoint_description_strings(host=host, port=port),
        ready_callable=print_ready,
        server_name=SERVER_NAME,
    )
    server.run()
    if server.abort_start:
        # Daphne has logged why; the exit code tells a supervisor that this was no normal end.
        sys.exit(1)
