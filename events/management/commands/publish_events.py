"""`manage.py publish_events`: sends log lines or NDJSON to a running server as events."""

import contextlib
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from events.management.feed_options import (
    add_reading_arguments,
    add_source_arguments,
    check_source,
    matching,
    number,
    opened,
)
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
from gateway.filters import SEVERITIES
from vx11_client.feeding.feed import Feed
from vx11_client.feeding.feed_mapping import DEFAULT_EVENT_TYPE, FeedMapping
from vx11_client.feeding.feed_progress import FeedProgress
from vx11_client.feeding.feed_sender import FeedSender
from vx11_client.formats.format_reader import FormatReader
from vx11_client.http_answers import ServerRefused
from vx11_client.lines.records import RecordJoiner
from vx11_client.stop_signal import Interruption
from vx11_client.terminal_text import shown
from vx11_client.wire_limits import BATCH_LIMIT_EVENTS
from vx11_client.wire_names import MODULE_FORM, TYPE_FORM

TOKEN_VARIABLE = "VX11_SERVICE_TOKEN"  # noqa: S105 - the name of a variable
EXIT_LEFT_OUT = 1
EXIT_AT_ONCE = 130
LINGER_LIMIT_MS = 60_000

EPILOG = f"""\
examples:
  manage.py publish_events --journal --follow --module host
  manage.py publish_events --file /var/log/nginx/error.log --follow --module nginx --guess-severity
  manage.py publish_events --file '/var/log/*.log' /srv/app/logs --follow --guess-severity --timezone Europe/Madrid
  my-service 2>&1 | manage.py publish_events --module my_service --event-type my_service.log
  manage.py publish_events --file yesterday.ndjson last-week.log.gz

A line that is a JSON object with event_type and summary is an event as it stands. Any other JSON object becomes the
payload of an event; its summary, severity and time are taken from the fields of the usual loggers (also of journald),
also when a container has put a prefix before it. Every other line is text, whose time is read from its start. Lines
that belong together (stack traces, pieces of a long line) become one event. docs/feeding.md has the rules.

Each event has an id, so that trying again doubles nothing: while the server is away the command waits, and goes on
where it was. The lines of a file have the same ids in each run: the same file can be sent again within 24 hours. With
--follow, it also remembers how far it came, and goes on there after a restart, also if the log was rotated meanwhile.

The first Ctrl-C or SIGTERM ends the reading and sends what was read; a second one ends at once.

exit codes:
  0    everything that was read was sent
  1    as 0, but the server refused some events, which were reported and left out
  {EXIT_USAGE}    wrong use of the command, or the input cannot be read
  {EXIT_CREDENTIAL}    the token is not valid, or may not publish this
  {EXIT_REFUSED}    the address is not that of a server that takes events
  {EXIT_AT_ONCE}  ended at once by a second signal; some events may not have been sent
"""


class Command(TerminalCommand):
    help = "Send log lines or NDJSON from standard input or a file to a running server as events."
    epilog = EPILOG

    def add_arguments(self, parser: CommandParser) -> None:
        add_server_arguments(parser, token_variable=TOKEN_VARIABLE)
        add_source_arguments(parser)
        event = parser.add_argument_group("what it becomes, where the line itself does not say")
        event.add_argument("--module", type=matching(MODULE_FORM), help="module of the events; without it, the token's")
        event.add_argument("--severity", choices=SEVERITIES, help="severity of the events; without it, info")
        event.add_argument(
            "--event-type",
            type=matching(TYPE_FORM),
            default=DEFAULT_EVENT_TYPE,
            help="type of the events (%(default)s)",
        )
        add_reading_arguments(event)
        sending = parser.add_argument_group("how it is sent")
        sending.add_argument(
            "--batch-size",
            type=number(1, BATCH_LIMIT_EVENTS),
            default=BATCH_LIMIT_EVENTS,
            metavar="N",
            help="events in one request at most (%(default)s)",
        )
        sending.add_argument(
            "--linger-ms",
            type=number(0, LINGER_LIMIT_MS),
            default=200,
            metavar="MS",
            help="how long a batch waits for more lines (%(default)s)",
        )
        sending.add_argument("--quiet", action="store_true", help="only what was left out, and the summary")

    def handle(self, **options: Any) -> None:
        check_source(options)
        keep_requests_out_of_the_log()
        url, secret = server_url(options["url"]), token(options["token_file"], variable=TOKEN_VARIABLE)
        # Not self.stderr: that one colours all it writes as an error, and ends each write with a new line.
        progress = FeedProgress(sys.stderr, name="publish_events", quiet=options["quiet"])
        with contextlib.closing(Interruption()) as interruption, interruption.listening():
            try:
                self._carry(url, secret, progress, interruption, options)
            except ServerRefused as refused:
                code = EXIT_CREDENTIAL if refused.credential else EXIT_REFUSED
                raise CommandError(f"{url} refused the events: {refused}", returncode=code) from None
            except OSError as error:
                raise CommandError(
                    f"{shown(str(error.filename or 'the input'))} cannot be read: {error.strerror}",
                    returncode=EXIT_USAGE,
                ) from None
            except KeyboardInterrupt:
                raise CommandError(
                    "ended at once; some events may not have been sent", returncode=EXIT_AT_ONCE
                ) from None
            finally:
                progress.summary()
        if progress.left_out_count:
            raise SystemExit(EXIT_LEFT_OUT)

    def _carry(
        self, url: str, secret: str, progress: FeedProgress, interruption: Interruption, options: dict[str, Any]
    ) -> None:
        with opened(options, interruption, url=url, remark=progress.remark) as (source, places):

            def watch() -> None:
                source.notice()
                if interruption.requested:
                    progress.finishing()

            sender = FeedSender(url=url, token=secret, report=progress, wait=interruption.sleep, look_after=watch)
            with contextlib.closing(sender):
                Feed(
                    source=source,
                    mapping=_mapping(options),
                    formats=FormatReader(csv=options["csv"]),
                    joiner=RecordJoiner(rule=options["multiline"]),
                    places=places,
                    sender=sender,
                    progress=progress,
                    interruption=interruption,
                    batch_events=options["batch_size"],
                    linger_seconds=options["linger_ms"] / 1000,
                ).run()


def _mapping(options: dict[str, Any]) -> FeedMapping:
    return FeedMapping(
        event_type=options["event_type"],
        module=options["module"],
        severity=options["severity"],
        guess_severity=options["guess_severity"],
        timezone=options["timezone"],
        levels=options["levels"],
    )
