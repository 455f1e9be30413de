"""manage.py doctor: what is wrong with this installation, and how to repair it."""

import json
import logging
import os
import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from vx11_site.doctor.areas import AREAS
from vx11_site.doctor.examination import examine
from vx11_site.doctor.findings import Level, Report, as_json, as_lines, has_failed


class Command(BaseCommand):
    help = (
        "Check settings, database, Redis, clock, limits, log and chores, and print what is wrong and how to repair it. "
        "Run it as the user of the server: in an empty data folder it makes the secret key. It changes nothing else, "
        "works when something is away, and shows no secret. Exit code 1 if anything FAILs."
    )
    # The report includes the system checks; a failed one must not keep the command from running.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="For machines: one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        # Libraries log dependencies that are away; the report has one line for each of them.
        logging.disable(logging.CRITICAL)
        try:
            report, hangs = examine(AREAS)
        finally:
            logging.disable(logging.NOTSET)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(report), indent=2))
        else:
            self._write(report)
        code = 1 if has_failed(report) else 0
        if hangs:
            # A thread that still hangs must not keep the process from ending.
            sys.stdout.flush()
            os._exit(code)
        if code:
            sys.exit(code)

    def _write(self, report: Report) -> None:
        colours = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        for line in as_lines(report, lambda level, text: colours[level](text)):
            self.stdout.write(line)
        counts = Counter(finding.level for _, finding in report)
        self.stdout.write(f"\n{counts[Level.OK]} OK, {counts[Level.WARN]} WARN, {counts[Level.FAIL]} FAIL")
