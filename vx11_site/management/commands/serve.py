"""manage.py serve: the server."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from vx11_site.data import pending_migrations
from vx11_site.server.daphne import serve


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
