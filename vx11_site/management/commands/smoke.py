"""manage.py smoke: tries the functions of a running server from outside, as its clients would."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from django.core.management.base import CommandError, CommandParser

from events.management.server_access import (
    EXIT_USAGE,
    TerminalCommand,
    add_server_arguments,
    keep_requests_out_of_the_log,
    server_url,
    token,
)
from vx11_client.http_answers import ServerRefused
from vx11_site.doctor.findings import Finding, Level, fail, masked
from vx11_site.smoke.failures import refusal, silence
from vx11_site.smoke.server import Server, Tokens
from vx11_site.smoke.trials import TRIALS, Trial

PRINCIPAL_VARIABLE = "VX11_PRINCIPAL_TOKEN"
SERVICE_VARIABLE = "VX11_SERVICE_TOKEN"
NAME_WIDTH = max(len(trial.name) for trial in TRIALS)

EPILOG = f"""\
examples:
  manage.py smoke
  manage.py smoke --url https://operator.example.org --token-file principal --service-token-file service
  manage.py smoke --full --json

Publishing is tried with a service token only: it adds two events of the type smoke.test to the log. A certificate of
one's own: SSL_CERT_FILE.

exit codes:
  0    all that was tried works; read the WARNs
  1    something failed: its line says where to read on
  {EXIT_USAGE}    wrong use of the command
"""


class Command(TerminalCommand):
    help = "Try a running server from outside: health, tickets, streams, publishing, resume, status. Takes a second."
    epilog = EPILOG

    def add_arguments(self, parser: CommandParser) -> None:
        add_server_arguments(parser, token_variable=PRINCIPAL_VARIABLE)
        parser.add_argument(
            "--service-token-file",
            type=Path,
            metavar="FILE",
            help=f"the same for the service token that publishes; without it, {SERVICE_VARIABLE}, or it is not tried",
        )
        parser.add_argument("--full", action="store_true", help="wait for heartbeats and an expiry too: 65 s more")
        parser.add_argument("--json", action="store_true", help="for machines: one JSON object")

    def handle(self, **options: Any) -> None:
        keep_requests_out_of_the_log()
        tokens = Tokens(token(options["token_file"], variable=PRINCIPAL_VARIABLE), _service(options))
        found: list[tuple[str, Finding]] = []
        with Server(server_url(options["url"]), tokens) as server:
            for name, finding in _try_all(server, full=options["full"]):
                found.append((name, finding))
                if not options["json"]:
                    self._show(name, finding)
        failed = any(finding.level is Level.FAIL for _, finding in found)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not failed, "findings": [_as_json(*one) for one in found]}, indent=2))
        if failed:
            raise SystemExit(1)

    def _show(self, name: str, finding: Finding) -> None:
        paint = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        self.stdout.write(f"{paint[finding.level](f'{finding.level:4}')}  {name:{NAME_WIDTH}}  {masked(finding.text)}")
        if finding.repair:
            self.stdout.write(f"{'':4}  {'':{NAME_WIDTH}}  -> {masked(finding.repair)}")
        # Each line at once, also into a pipe: some trials take a minute.
        self.stdout.flush()


def _try_all(server: Server, *, full: bool) -> Iterator[tuple[str, Finding]]:
    for trial in TRIALS:
        if trial.is_slow and not full:
            continue
        unreachable = False
        for finding in _try(server, trial):
            unreachable = unreachable or (trial is TRIALS[0] and finding.level is Level.FAIL)
            yield trial.name, finding
        if unreachable:
            return


def _try(server: Server, trial: Trial) -> Iterator[Finding]:
    try:
        yield from trial.run(server)
    except ServerRefused as refused:
        yield refusal(refused, trial.repair)
    except (httpx2.HTTPError, TimeoutError) as error:
        yield silence(error, trial.repair)
    except (ValueError, KeyError, TypeError) as error:
        yield fail(f"not an answer of this program ({type(error).__name__}: {error})", trial.repair)


def _service(options: dict[str, Any]) -> str:
    try:
        return token(options["service_token_file"], variable=SERVICE_VARIABLE)
    except CommandError:
        if options["service_token_file"] is not None:
            raise
        return ""


def _as_json(name: str, finding: Finding) -> dict[str, str]:
    return {"trial": name, "level": finding.level, "found": masked(finding.text), "repair": masked(finding.repair)}
