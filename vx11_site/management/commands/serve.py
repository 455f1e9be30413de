"""manage.py serve: the server."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from ledger.faults import DATABASE_FAULTS
from vx11_site.server import serve


class Command(BaseCommand):
    help = "Serve the API, the event stream, the console and the admin with Daphne."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="Address to listen on.")
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"), type=int, help="Port to listen on.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            executor = MigrationExecutor(connections["default"])
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DATABASE_FAULTS as error:
            raise CommandError(f"The database cannot be asked: {error}") from None
        if missing:
            raise CommandError("The database is not up to date. Run: manage.py migrate")
        connections.close_all()
        serve(host=options["host"], port=options["port"])
