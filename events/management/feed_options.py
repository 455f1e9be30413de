"""What publish_events reads, and how: its options, and the source and the places that they mean."""

import argparse
import contextlib
import hashlib
import os
import re
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from events.management.server_access import EXIT_USAGE
from vx11_client.feeding.feed_journal import JournalSource
from vx11_client.feeding.feed_source import LineSource, PipeSource
from vx11_client.files.file_set import FileSet
from vx11_client.files.places import Places, PlacesInUse
from vx11_client.formats import csv_rows
from vx11_client.lines.records import RULES
from vx11_client.lines.severity_words import SCALES
from vx11_client.stop_signal import Interruption
from vx11_client.terminal_text import shown

STDIN = 0


def add_source_arguments(parser: CommandParser) -> None:
    source = parser.add_argument_group("what is read; without --file and --journal, standard input")
    source.add_argument(
        "--file",
        nargs="+",
        action="extend",
        metavar="F",
        help="read these files: paths, patterns in quotes, folders; also compressed ones (.gz, .zst)",
    )
    source.add_argument("--journal", action="store_true", help="read the journal of systemd, by journalctl")
    source.add_argument(
        "--unit", action="append", default=[], metavar="U", help="of the journal, only this unit; may be repeated"
    )
    source.add_argument("--follow", action="store_true", help="go on with what is added, also after a file was rotated")
    start = source.add_mutually_exclusive_group()
    start.add_argument(
        "--from-start", action="store_true", help="follow from the first line (a new file always is), or the last place"
    )
    start.add_argument(
        "--from-end", action="store_true", help="follow only what is added from now on, whatever an earlier run read"
    )
    places = source.add_mutually_exclusive_group()
    places.add_argument(
        "--places",
        type=Path,
        metavar="F",
        help="keep in this file how far was read, and go on there, also without --follow (by default, --follow keeps "
        "it in the data folder)",
    )
    places.add_argument("--no-places", action="store_true", help="neither keep nor use what an earlier run has read")


def add_reading_arguments(event: argparse._ArgumentGroup) -> None:
    event.add_argument(
        "--guess-severity",
        action="store_true",
        help="take the severity from the level of a text line: ERROR, [warn], fatal:, level=error, <11>, E0104",
    )
    event.add_argument(
        "--levels",
        choices=SCALES,
        help="what levels mean that are numbers; without it, only those of known loggers count",
    )
    event.add_argument(
        "--timezone",
        type=zone,
        metavar="ZONE",
        help="zone of times that name none, such as Europe/Madrid; without it, the zone of this machine",
    )
    event.add_argument(
        "--multiline",
        choices=RULES,
        default="auto",
        help="which lines become one event: those that surely belong together (auto), also indented ones (indented), "
        "all without a time at their start (timed), or none (off)",
    )
    event.add_argument(
        "--csv",
        choices=csv_rows.RULES,
        default="auto",
        help="whether the first line of a file names columns: if it surely does (auto), always, or never (off)",
    )


def check_source(options: dict[str, Any]) -> None:
    """Raises CommandError for options that do not go together."""
    has_source = options["file"] or options["journal"]
    if not has_source and (options["follow"] or options["from_start"] or options["from_end"] or options["places"]):
        raise CommandError("--follow, --from-start, --from-end and --places need --file", returncode=EXIT_USAGE)
    if options["file"] and options["journal"]:
        raise CommandError("--file and --journal are two sources: use two commands", returncode=EXIT_USAGE)
    if options["unit"] and not options["journal"]:
        raise CommandError("--unit needs --journal", returncode=EXIT_USAGE)
    if not options["follow"] and options["from_end"]:
        raise CommandError("--from-end needs --follow", returncode=EXIT_USAGE)


@contextlib.contextmanager
def opened(
    options: dict[str, Any], interruption: Interruption, *, url: str, remark: Callable[[str], None]
) -> Iterator[tuple[LineSource, Places]]:
    """The source, and how far it has been read; both are closed at the end."""
    places = _places(options, url, remark)
    try:
        source = _source(options, interruption, places)
        try:
            yield source, places
        finally:
            source.close()
    finally:
        try:
            places.close()
        except OSError as error:
            remark(f"the place could not be kept: {error}")


def _source(options: dict[str, Any], interruption: Interruption, places: Places) -> LineSource:
    names: list[str] = [str(name) for name in options["file"] or ()]
    goes_on = (options["follow"] or options["places"] is not None) and not options["from_end"]
    from_end = options["follow"] and not options["from_start"]
    try:
        if options["journal"]:
            return JournalSource(
                options["unit"],
                interruption,
                follow=options["follow"],
                from_end=from_end,
                places=places,
                goes_on=goes_on,
            )
        if not names:
            return PipeSource(STDIN, interruption)
        only = Path(names[0])
        if len(names) == 1 and only.exists() and not only.is_file() and not only.is_dir():
            # A named pipe, or what a shell makes of <(command).
            return PipeSource(os.open(only, os.O_RDONLY), interruption)
        return FileSet(names, interruption, follow=options["follow"], from_end=from_end, places=places, goes_on=goes_on)
    except OSError as error:
        name = shown(str(error.filename or ", ".join(names)))
        raise CommandError(f"{name} cannot be read: {error.strerror}", returncode=EXIT_USAGE) from None


def _places(options: dict[str, Any], url: str, remark: Callable[[str], None]) -> Places:
    """Those of the file that was named; else those of the data folder, for this server, module and source."""
    named: Path | None = options["places"]
    if options["no_places"] or not (options["file"] or options["journal"]):
        return Places()
    path = named or _default_path(options, url)
    try:
        # A file that is read once is read whole each time.
        places = Places(path, names_only=named is None and not options["follow"])
    except PlacesInUse:
        raise CommandError(
            f"another publish_events reads the same and keeps its places in {shown(str(path))}; "
            "wait for its end, or use --no-places",
            returncode=EXIT_USAGE,
        ) from None
    except OSError as error:
        if named is None:
            remark(f"{path} cannot be written ({error.strerror}): a restart will not know how far was read")
            return Places()
        raise CommandError(f"{shown(str(path))} cannot be used: {error.strerror}", returncode=EXIT_USAGE) from None
    if places.trouble:
        remark(places.trouble)
    return places


def _default_path(options: dict[str, Any], url: str) -> Path:
    names = sorted(os.path.abspath(name) for name in options["file"] or ())
    source = "\0".join([url, options["module"] or "", *names, *sorted(options["unit"])])
    folder: Path = settings.DATA_DIR / "places"
    return folder / f"{hashlib.sha256(source.encode(errors='replace')).hexdigest()[:24]}.json"


def zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise argparse.ArgumentTypeError(f"{name!r} is not the name of a time zone, such as Europe/Madrid") from None


def matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    """A text of this form, as the type of an option."""

    def matching(text: str) -> str:
        if not pattern.fullmatch(text):
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form {pattern.pattern}")
        return text

    return matching


def number(minimum: int, maximum: int) -> Callable[[str], int]:
    """A whole number within these bounds, as the type of an option."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not minimum <= int(text[:9]) <= maximum:
            raise argparse.ArgumentTypeError(f"use a whole number from {minimum} to {maximum}")
        return int(text)

    return number
