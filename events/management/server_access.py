"""Where the server is and which token opens it, for commands that talk to a running server over HTTP."""

import argparse
import logging
import os
from pathlib import Path
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

from vx11_client.terminal_text import shown

DEFAULT_URL = "http://127.0.0.1:8000"
EXIT_USAGE = 2
EXIT_CREDENTIAL = 3
EXIT_REFUSED = 4


class CommandHelpFormatter(argparse.RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Django's order of options, and descriptions with their line ends kept: examples have several lines."""


class TerminalCommand(BaseCommand):
    """A command that talks to a running server: it checks no system here, and shows its examples as they stand."""

    requires_system_checks = []
    epilog = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # No abbreviations: `--token abc` must not be read as a file name, and shown when there is no such file.
        form = {"formatter_class": CommandHelpFormatter, "epilog": self.epilog, "allow_abbrev": False}
        return super().create_parser(prog_name, subcommand, **form, **kwargs)


def add_server_arguments(parser: CommandParser, *, token_variable: str) -> None:
    parser.add_argument(
        "--url",
        default=os.environ.get("VX11_URL", "").strip() or DEFAULT_URL,
        help="address of the server, with the path in front of /operator/ if it has one "
        f"(default: VX11_URL, or {DEFAULT_URL})",
    )
    # No option takes the token itself: the command line of a process can be read by everybody on the machine.
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"file that holds the token; without it, {token_variable} or the file named by {token_variable}_FILE",
    )


def keep_requests_out_of_the_log() -> None:
    """httpx logs each URL, and that of a stream holds its ticket; httpcore logs headers."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def server_url(text: str) -> str:
    """Raises CommandError when `text` is no address over HTTP, or holds a password."""
    try:
        url = httpx.URL(text)
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise CommandError(f"--url: {shown(str(error))}", returncode=EXIT_USAGE) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise CommandError("--url must begin with http:// or https:// and name a host", returncode=EXIT_USAGE)
    if url.userinfo or url.query or url.fragment:
        raise CommandError("--url must hold no user name, query or fragment", returncode=EXIT_USAGE)
    return text.rstrip("/")


def token(token_file: Path | None, *, variable: str) -> str:
    """The first token of the file or the variable. Raises CommandError, which never shows what was found."""
    path = token_file
    if path is None and not os.environ.get(variable, "").strip() and os.environ.get(f"{variable}_FILE"):
        path = Path(os.environ[f"{variable}_FILE"])
    try:
        text = os.environ.get(variable, "") if path is None else path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{shown(str(path))} cannot be read: {error.strerror}", returncode=EXIT_USAGE) from None
    except UnicodeDecodeError:
        raise CommandError(f"{shown(str(path))} does not hold a token", returncode=EXIT_USAGE) from None
    found = next((item.strip() for item in text.split(",") if item.strip()), "")
    if not found:
        raise CommandError(f"no token: set {variable}, or name a file with --token-file", returncode=EXIT_USAGE)
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise CommandError("the token holds characters that no token has", returncode=EXIT_USAGE)
    return found
