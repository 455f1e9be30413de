"""Options for the address and the token of a running server, for commands that are clients of it."""

import argparse
import logging
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

from vx11_client import server_access
from vx11_client.errors import InvalidSettings

EXIT_USAGE = 2
EXIT_CREDENTIAL = 3
EXIT_REFUSED = 4


class CommandHelpFormatter(argparse.RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Django's order of options, and descriptions with their line ends kept: examples have several lines."""


class TerminalCommand(BaseCommand):
    """A command that talks to a running server. It runs no system checks, and its help keeps the lines of examples."""

    requires_system_checks = []
    epilog = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # No abbreviations: `--token abc` must not be read as a file name, and shown when there is no such file.
        form = {"formatter_class": CommandHelpFormatter, "epilog": self.epilog, "allow_abbrev": False}
        return super().create_parser(prog_name, subcommand, **form, **kwargs)


def add_server_arguments(parser: CommandParser, *, token_variable: str) -> None:
    parser.add_argument(
        "--url",
        default=server_access.url_from_environment(),
        help="address of the server, with the path in front of /operator/ if it has one "
        f"(default: VX11_URL, or {server_access.DEFAULT_URL})",
    )
    # No option takes the token itself: every user of the machine can read the command line of a process.
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"file that holds the token; without it, {token_variable} or the file named by {token_variable}_FILE",
    )


def keep_requests_out_of_the_log() -> None:
    """httpx2 logs each URL, and that of a stream holds its ticket; httpcore2 logs headers."""
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def server_url(text: str) -> str:
    """Raises CommandError when `text` is no address over HTTP, or holds a password."""
    try:
        return server_access.server_url(text, name="--url")
    except InvalidSettings as problem:
        raise CommandError(str(problem), returncode=EXIT_USAGE) from None


def token(token_file: Path | None, *, variable: str) -> str:
    """The first token of the file or the variable. Raises CommandError, which never shows what was found."""
    try:
        return server_access.token_from_environment(variable, file=token_file)
    except server_access.NoToken:
        raise CommandError(
            f"no token: set {variable}, or name a file with --token-file", returncode=EXIT_USAGE
        ) from None
    except InvalidSettings as problem:
        raise CommandError(str(problem), returncode=EXIT_USAGE) from None
