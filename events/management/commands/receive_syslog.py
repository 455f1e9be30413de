"""`manage.py receive_syslog`: receives syslog over TCP, TLS and UDP, and publishes it to a running server."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from events.management.server_access import (
    EXIT_CREDENTIAL,
    EXIT_REFUSED,
    EXIT_USAGE,
    TerminalCommand,
    keep_requests_out_of_the_log,
    server_url,
    token,
)
from events.management.syslog_options import add_syslog_arguments, check_syslog, limits_of, tls_of
from vx11_client import server_access
from vx11_client.errors import InvalidSettings
from vx11_client.feeding.feed_sender import FeedSender, SenderReport
from vx11_client.http_answers import ServerRefused
from vx11_client.publishing.delivery import EVENTS_PATH, client_options
from vx11_client.spool.disk_queue import Spool, SpoolInUse
from vx11_client.syslog import listeners
from vx11_client.syslog.forwarder import Forwarder
from vx11_client.syslog.mapping import SyslogMapping
from vx11_client.syslog.receiver import Receiver
from vx11_client.syslog.tally import Tally
from vx11_client.terminal_text import shown

TOKEN_VARIABLE = "VX11_SERVICE_TOKEN"  # noqa: S105 - the name of a variable

EPILOG = f"""\
examples:
  manage.py receive_syslog --tcp 5514 --udp 5514 --module network
  manage.py receive_syslog --tls '*:6514' --certificate server.pem --key server.key --client-authority senders.pem
  manage.py receive_syslog --tcp '*:5514' --url https://a.example.org --url https://b.example.org --token-file token
  manage.py receive_syslog --tcp 5514 --check

It takes RFC 5424 and RFC 3164, over TCP and TLS with octet counting or line ends. A PORT alone is open to this machine
only, HOST:PORT and '*:PORT' to others: UDP and plain TCP have no password, so let a firewall say who may send.

A record that came over TCP or TLS is in the spool, on disk, before its connection is read on. While the gateway is away
the spool fills; then connections are not read, so that their senders wait, and UDP is dropped and counted. At the next
start the spool is published, with the same ids: each record that was taken is in the log once. The receiver is best
started by systemd, on any machine that reaches the gateway. docs/feeding/syslog.md has lines for rsyslog and syslog-ng.

The first Ctrl-C or SIGTERM ends the reading and publishes what was taken; a second one ends at once.

exit codes:
  0    it was ended by a signal; what could not be published waits in the spool
  1    a part of it failed; what was taken waits in the spool
  {EXIT_USAGE}    wrong use of the command: an address, a certificate or the spool cannot be used
  {EXIT_CREDENTIAL}    with --check: the token is not valid, or may not publish
  {EXIT_REFUSED}    with --check: no gateway answers there
  130  ended at once by a second signal
"""


class Command(TerminalCommand):
    help = "Receive syslog over TCP, TLS and UDP, and publish each record once to a running server."
    epilog = EPILOG

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            action="append",
            help="address of the gateway, with the path in front of /operator/ if it has one; again for another "
            "gateway of the same log, which is used when the first fails "
            f"(default: VX11_URL, or {server_access.DEFAULT_URL})",
        )
        parser.add_argument(
            "--token-file",
            type=Path,
            metavar="FILE",
            help=f"file that holds the service token; without it, {TOKEN_VARIABLE} or the file named by "
            f"{TOKEN_VARIABLE}_FILE",
        )
        add_syslog_arguments(parser)

    def handle(self, **options: Any) -> None:
        keep_requests_out_of_the_log()
        check_syslog(options)
        urls = [server_url(url) for url in options["url"] or [server_access.url_from_environment()]]
        tally = Tally(lambda text: _write(f"receive_syslog: {text}"))
        try:
            tls = tls_of(options)
            secret = token(options["token_file"], variable=TOKEN_VARIABLE)
            with contextlib.ExitStack() as stack:
                bound = [
                    (address, stack.enter_context(contextlib.closing(sock)))
                    for address in options["listen"]
                    for sock in listeners.opened(address)
                ]
                spool = stack.enter_context(contextlib.closing(_spool(options)))
                if options["check"]:
                    self._check(urls, secret, spool)
                    return
                receiver = Receiver(bound=bound, tls=tls, spool=spool, limits=limits_of(options), tally=tally)
                code = asyncio.run(receiver.run(_forwarder_maker(urls, options, spool, tally)))
                tally.flush()
                tally.note(tally.summary(waiting=spool.waiting_count))
        except InvalidSettings as problem:
            raise CommandError(str(problem), returncode=EXIT_USAGE) from None
        if code:
            raise SystemExit(code)

    def _check(self, urls: list[str], secret: str, spool: Spool) -> None:
        """Raises CommandError for the first gateway that would not take events."""
        for url in urls:
            try:
                with httpx2.Client(**client_options(url=url, token=secret)) as client:
                    answer = client.post(EVENTS_PATH, content=b'{"events":[]}')
            except httpx2.RequestError as error:
                raise CommandError(
                    f"{url}: no gateway answers ({shown(str(error))})", returncode=EXIT_REFUSED
                ) from None
            if answer.status_code != _REFUSAL_OF_NOTHING:
                refused = ServerRefused(answer)
                code = EXIT_CREDENTIAL if refused.credential else EXIT_REFUSED
                raise CommandError(f"{url} would refuse the events: {refused}", returncode=code)
        self.stdout.write(
            f"all is well: addresses, certificates, the spool and {len(urls)} gateways; "
            f"{spool.waiting_count} records of an earlier run wait in the spool"
        )


# A valid token may publish, but not an empty list.
_REFUSAL_OF_NOTHING = 422


def _write(line: str) -> None:
    # Not self.stderr: that one colours all it writes as an error. A reader of it that has gone is no reason to end.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _spool(options: dict[str, Any]) -> Spool:
    folder: Path = options["spool"] or settings.DATA_DIR / "syslog-spool"
    try:
        return Spool(folder, limit_bytes=limits_of(options).spool_bytes)
    except SpoolInUse:
        raise InvalidSettings(
            f"another receiver keeps its records in {shown(str(folder))}; end it, or name another folder with --spool"
        ) from None
    except OSError as error:
        raise InvalidSettings(f"the spool {shown(str(folder))} cannot be used: {error.strerror}") from None


def _forwarder_maker(
    urls: list[str], options: dict[str, Any], spool: Spool, tally: Tally
) -> Callable[[Callable[[], None]], Forwarder]:
    mapping = SyslogMapping(event_type=options["event_type"], module=options["module"], timezone=options["timezone"])

    def sender(report: SenderReport, wait: Callable[[float], object]) -> FeedSender:
        # Read anew each time: a token that was replaced meanwhile counts.
        secret = server_access.token_from_environment(TOKEN_VARIABLE, file=options["token_file"])
        return FeedSender(url=urls[0], others=urls[1:], token=secret, report=report, wait=wait)

    return lambda on_published: Forwarder(spool, mapping, tally, sender, on_published=on_published)
