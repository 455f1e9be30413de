"""manage.py run: all that a first start needs, and the server."""

import io
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from gateway.checks.startup import OF_SETTINGS
from vx11_site.data import first_start
from vx11_site.management.commands import serve


class Command(BaseCommand):
    help = "Make the database or bring it up to date; make a first user and tokens, and print them once; serve."
    requires_system_checks = OF_SETTINGS

    def add_arguments(self, parser: ArgumentParser) -> None:
        serve.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        problem = first_start.address_problem(options["host"], options["port"]) or first_start.database_problem()
        if problem:
            raise CommandError(problem)
        # Sixty lines that say nothing, if all goes well; its errors are raised.
        call_command("migrate", interactive=False, verbosity=0, stdout=io.StringIO())
        call_command("welcome", stdout=self.stdout)
        self.stdout.flush()
        connections.close_all()
        serve.serve(host=options["host"], port=options["port"])
