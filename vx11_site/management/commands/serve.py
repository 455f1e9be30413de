"""manage.py serve: the server."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from django.core.management.base import BaseCommand, CommandError

from vx11_site.data import pending_migrations
from vx11_site.server.daphne import SERVER_NAME, OperatorServer


class Command(BaseCommand):
    help = "Serve the API, the event stream, the console and the admin with Daphne."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="Address to listen on.")
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"), type=int, help="Port to listen on.")

    def handle(self, *args: Any, **options: Any) -> None:
        why_not = pending_migrations.refusal()
        if why_not:
            raise CommandError(why_not)
        serve(host=options["host"], port=options["port"])


def serve(*, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    from vx11_site.asgi import application  # imported here, because the import claims the lock of the single process

    def print_ready() -> None:
        sys.stdout.write(f"VX11 Operator serves at http://{host}:{port}/operator/ (Ctrl-C ends it)\n")
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
