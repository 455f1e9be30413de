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
from vx11_site.doctor.findings import Diagnosis, Level, as_json, as_lines, has_failed


class Command(BaseCommand):
    help = (
        "Look at settings, database, Redis, clock, limits, log and chores, and say what is wrong and how to repair it. "
        "Run it as the user who serves: in an empty data folder it makes the secret key. Changes nothing else, works "
        "when something is away, and shows no secret. Exit code 1 if anything FAILs."
    )
    # What they find is told among the rest, and must not keep the rest from being told.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="For machines: one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        # What libraries log about something that is away is told here in one line each.
        logging.disable(logging.CRITICAL)
        try:
            diagnosis, hangs = examine(AREAS)
        finally:
            logging.disable(logging.NOTSET)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(diagnosis), indent=2))
        else:
            self._write(diagnosis)
        code = 1 if has_failed(diagnosis) else 0
        if hangs:
            # Whatever waits for an answer that never comes must not keep this from ending.
            sys.stdout.flush()
            os._exit(code)
        if code:
            sys.exit(code)

    def _write(self, diagnosis: Diagnosis) -> None:
        colours = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        for line in as_lines(diagnosis, lambda level, text: colours[level](text)):
            self.stdout.write(line)
        counts = Counter(finding.level for _, finding in diagnosis)
        self.stdout.write(f"\n{counts[Level.OK]} OK, {counts[Level.WARN]} WARN, {counts[Level.FAIL]} FAIL")
