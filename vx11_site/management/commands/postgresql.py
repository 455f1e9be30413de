"""manage.py postgresql: runs one of PostgreSQL's own tools with the database of the settings."""

import argparse
import os
import tempfile
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from vx11_site.config.postgres import SERVICE

TOOLS = ("pg_dump", "pg_isready", "pg_restore", "psql", "vacuumdb")


class Command(BaseCommand):
    help = (
        "Run one of PostgreSQL's own tools on the database of VX11_DATABASE_URL (or _FILE), with all options of the "
        "URL, also TLS and certificates. The password is neither in the list of processes nor in a file with a name."
    )
    # These tools must work when other parts of the installation do not.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("tool", choices=TOOLS)
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="As the tool takes them; not the database.")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.POSTGRES is None:
            raise CommandError("The database is SQLite: manage.py backup and manage.py restore are for that.")
        # The file has no name; the tool inherits its descriptor, and the file ends with the tool.
        with tempfile.TemporaryFile() as file:
            file.write(settings.POSTGRES.service_file().encode())
            file.flush()
            os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - it takes no keyword
            environment = {**os.environ, "PGSERVICEFILE": f"/dev/fd/{file.fileno()}"}
            command = [options["tool"], f"--dbname=service={SERVICE}", *options["arguments"]]
            try:
                # The command is one of TOOLS.
                os.execvpe(command[0], command, environment)  # noqa: S606  # nosec B606
            except FileNotFoundError:
                raise CommandError(f"{command[0]} is not here. It comes with postgresql-client.") from None
