"""`manage.py tail_events`: follows the events of a running server from a terminal or into a pipe."""

import argparse
import asyncio
import contextlib
import io
import os
import signal
import sys
from collections.abc import AsyncGenerator
from types import FrameType
from typing import Any, TextIO

from django.core.management.base import CommandError, CommandParser

from events.management.server_access import (
    EXIT_CREDENTIAL,
    EXIT_REFUSED,
    EXIT_USAGE,
    TerminalCommand,
    add_server_arguments,
    keep_requests_out_of_the_log,
    server_url,
    token,
)
from vx11_client.http_answers import ServerRefused
from vx11_client.reading.event_printer import EventPrinter, OutputClosed
from vx11_client.reading.stream_reader import Item, StreamEnded, StreamReader
from vx11_client.terminal_text import shown

TOKEN_VARIABLE = "VX11_PRINCIPAL_TOKEN"  # noqa: S105 - the name of a variable
# One page of GET /operator/api/events.
LAST_LIMIT_EVENTS = 500
EXIT_ENDED = 5

EPILOG = f"""\
examples:
  manage.py tail_events --last 20
  manage.py tail_events --severity error,critical --module nginx
  manage.py tail_events --query 'module:nginx payload.status>=500 -"health check"'
  manage.py tail_events --json | jq -r .summary
  manage.py tail_events --json --last 500 --no-follow > newest.ndjson
  manage.py tail_events --json --since k7f3-1042

Events go to standard output, what is said about the connection to standard error. The command reconnects by itself and
goes on where it was; if events in between are no longer there, it says so. Characters that a terminal would obey or
not show are written as escapes.

exit codes:
  0    stopped by Ctrl-C or SIGTERM, --no-follow has come to the end, or the reader of the output has gone
  {EXIT_USAGE}    wrong use of the command
  {EXIT_CREDENTIAL}    the token is not valid, or may not read this
  {EXIT_REFUSED}    the server refuses the cursor or a filter, or the address is not that of such a server
  {EXIT_ENDED}    the server ended the stream for good: the token was revoked or has expired, or an administrator did it
"""


class Command(TerminalCommand):
    help = "Follow the events of a running server; reconnects, and misses and repeats nothing."
    epilog = EPILOG

    def add_arguments(self, parser: CommandParser) -> None:
        add_server_arguments(parser, token_variable=TOKEN_VARIABLE)
        wanted = parser.add_argument_group("which events (each may be repeated, or hold a comma list)")
        for name in ("severity", "module", "event-type", "correlation-id"):
            wanted.add_argument(f"--{name}", action="append", default=[], metavar="VALUE")
        wanted.add_argument("--query", metavar="TEXT", default="", help="as in docs/query.md: 'severity>=warn refused'")
        start = parser.add_argument_group("from where; without these, from now").add_mutually_exclusive_group()
        start.add_argument(
            "--since", metavar="CURSOR", default="", help="after this cursor, as events and messages have it"
        )
        start.add_argument(
            "--last", type=_count, metavar="N", default=0, help=f"the newest N first, at most {LAST_LIMIT_EVENTS}"
        )
        parser.add_argument("--no-follow", action="store_true", help="end with what is there; needs --since or --last")
        parser.add_argument("--json", action="store_true", help="one JSON object per line, as the server sent it")

    def handle(self, **options: Any) -> None:
        if options["no_follow"] and not (options["since"] or options["last"]):
            raise CommandError("--no-follow needs --since or --last: without one it starts now", returncode=EXIT_USAGE)
        keep_requests_out_of_the_log()
        url, secret = server_url(options["url"]), token(options["token_file"], variable=TOKEN_VARIABLE)
        _make_writable(sys.stdout, as_json=options["json"])
        printer = EventPrinter(sys.stdout, sys.stderr, as_json=options["json"], in_colour=_wants_colour(options))
        try:
            asyncio.run(_tail(url, secret, printer, options))
        except (OutputClosed, KeyboardInterrupt):
            # Python would try to write what it still holds at exit, and fail.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except ServerRefused as refused:
            code = EXIT_CREDENTIAL if refused.credential else EXIT_REFUSED
            if refused.mistake is not None:
                text = f"--query has a mistake:\n{refused.mistake.underlined(options['query'])}"
                raise CommandError(text, returncode=EXIT_USAGE) from None
            raise CommandError(f"{url} refused: {refused}", returncode=code) from None
        except StreamEnded as ended:
            raise CommandError(shown(str(ended)), returncode=EXIT_ENDED) from None


async def _tail(url: str, secret: str, printer: EventPrinter, options: dict[str, Any]) -> None:
    reader = StreamReader(url=url, token=secret, filters=_filters(options), cursor=options["since"])
    reading = asyncio.ensure_future(_read(reader, printer, last=options["last"], follow=not options["no_follow"]))
    loop = asyncio.get_running_loop()

    def stop(_number: int, _frame: FrameType | None) -> None:
        printer.stop()
        loop.call_soon_threadsafe(reading.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    await reader.close()


def _filters(options: dict[str, Any]) -> dict[str, list[str]]:
    names = ("severity", "module", "event_type", "correlation_id")
    return {name: options[name] for name in names} | ({"q": [options["query"]]} if options["query"] else {})


async def _read(reader: StreamReader, printer: EventPrinter, *, last: int, follow: bool) -> None:
    if last:
        await _show(reader.newest(last), printer)
    if follow or not last:
        await _show(reader.follow(to_the_end=not follow), printer)


async def _show(items: AsyncGenerator[Item, None], printer: EventPrinter) -> None:
    # A printer that cannot go on must not leave the connection to the garbage collector.
    async with contextlib.aclosing(items):
        async for item in items:
            printer.show(item)


def _make_writable(out: TextIO, *, as_json: bool) -> None:
    """In every locale, JSON is UTF-8, and a terminal that lacks a character gets its escape."""
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(encoding="utf-8" if as_json else None, errors="strict" if as_json else "backslashreplace")


def _wants_colour(options: dict[str, Any]) -> bool:
    if options["no_color"] or options["json"]:
        return False
    return bool(options["force_color"]) or (sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LAST_LIMIT_EVENTS:
        raise argparse.ArgumentTypeError(f"use a whole number from 1 to {LAST_LIMIT_EVENTS}")
    return int(text)
