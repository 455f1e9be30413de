"""manage.py doctor: what is wrong with this installation, and how to repair it."""

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from events.management.server_access import add_server_arguments, server_url, token
from ledger import clock
from vx11_site.doctor.areas import AREAS
from vx11_site.doctor.examination import examine
from vx11_site.doctor.findings import Finding, Level, Report, as_json, as_lines, describe_error, fail, has_failed, ok
from vx11_site.smoke import baseline
from vx11_site.smoke.server import Server, Tokens

PRINCIPAL_VARIABLE = "VX11_PRINCIPAL_TOKEN"


class Command(BaseCommand):
    help = (
        "Check settings, database, Redis, clock, limits, log and chores, and print what is wrong and how to repair it. "
        "Run it as the user of the server: in an empty data folder it makes the secret key. It changes nothing else, "
        "works when something is away, and shows no secret. Exit code 1 if anything FAILs."
    )
    # The report includes the system checks; a failed one must not keep the command from running.
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # As TerminalCommand: `--token abc` must not be read as the name of a file.
        return super().create_parser(prog_name, subcommand, allow_abbrev=False, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="For machines: one JSON object.")
        parser.add_argument(
            "--baseline",
            type=Path,
            metavar="FILE",
            help="Measure a running server too (VX11_URL, VX11_PRINCIPAL_TOKEN), and compare its figures with their "
            "targets and with those in FILE. Without that file, it is written; remove it to begin anew.",
        )
        add_server_arguments(parser, token_variable=PRINCIPAL_VARIABLE)

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        server = self._server_of(options) if options["baseline"] else None
        # Libraries log dependencies that are away; the report has one line for each of them.
        logging.disable(logging.CRITICAL)
        try:
            report, hangs = examine(AREAS)
            if server is not None:
                report = [*report, *((baseline.AREA, one) for one in _scorecard(server, options["baseline"]))]
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

    def _server_of(self, options: dict[str, Any]) -> Server:
        """Raises CommandError without an address or a token."""
        secret = token(options["token_file"], variable=PRINCIPAL_VARIABLE)
        return Server(server_url(options["url"]), Tokens(secret))

    def _write(self, report: Report) -> None:
        colours = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        for line in as_lines(report, lambda level, text: colours[level](text)):
            self.stdout.write(line)
        counts = Counter(finding.level for _, finding in report)
        self.stdout.write(f"\n{counts[Level.OK]} OK, {counts[Level.WARN]} WARN, {counts[Level.FAIL]} FAIL")


def _scorecard(server: Server, path: Path) -> Iterator[Finding]:
    """The server's figures; the file is written if there is none."""
    try:
        before = baseline.read(path)
    except baseline.UnfitBaseline:
        yield fail(f"{path} holds no figures of this version", "Remove it: then it is written anew.")
        return
    except OSError as error:
        yield fail(f"{path}: {describe_error(error)}", "Name a file that this user can read.")
        return
    try:
        with server:
            figures = baseline.measure(server)
    except baseline.FAULTS as error:
        yield fail(f"{server.url} cannot be measured: {describe_error(error)}", "See: manage.py smoke")
        return
    yield from baseline.scorecard(figures, before or {})
    if before is not None:
        return
    try:
        baseline.write(path, figures, url=server.url, now=clock.now())
        yield ok(f"written to {path}: later runs compare with it")
    except OSError as error:
        yield fail(f"{path}: {describe_error(error)}", "Name a file in a folder that this user can write.")
