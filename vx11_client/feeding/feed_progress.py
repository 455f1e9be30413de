"""Shows on a terminal how a feed goes: one line that changes, notes that stay, a summary at the end. No Django."""

import time
from typing import TextIO

from vx11_client.feeding.feed_sender import SenderReport
from vx11_client.publishing.delivery import PendingEvent
from vx11_client.status_line import StatusLine
from vx11_client.terminal_text import shown

# The rate shown is that of about this long, so that it follows what happens.
RATE_WINDOW_SECONDS = 5.0
QUOTED_CHARACTERS = 120


class FeedProgress(SenderReport):
    """Counts what the sender reports, and writes to `out`. Quiet: only what was left out, and the summary."""

    def __init__(self, out: TextIO, *, name: str, quiet: bool) -> None:
        self._name = name
        self._quiet = quiet
        self._line = StatusLine(out.write, out.flush, is_live=not quiet and out.isatty())
        self._started = time.monotonic()
        self._window_started, self._window_sent, self._rate = self._started, 0, 0.0
        self._known_trouble = ""
        self._away_reason = ""
        self._finishing = False
        self.sent = 0
        self.known = 0
        self.known_otherwise_count = 0
        self.retries = 0
        self.left_out_count = 0

    def delivered(self, count: int) -> None:
        self.sent += count
        if self._away_reason:
            self._away_reason = ""
            self._note("the server is back, going on")
        self._draw("")

    def recognised(self, count: int) -> None:
        self.known += count

    def known_otherwise(self, event: PendingEvent) -> None:
        self.sent += 1
        self.known += 1
        self.known_otherwise_count += 1

    def left_out(self, event: PendingEvent, reason: str) -> None:
        self.left_out_count += 1
        start = event.body[:QUOTED_CHARACTERS].decode("utf-8", errors="replace")
        self._write(f"left out line {event.line_number}: {shown(reason)} in {shown(start)}")

    def retrying(self, reason: str) -> None:
        """The same batch will be sent again."""
        self.retries += 1
        if reason != self._away_reason:
            self._away_reason = reason
            self._note(f"{shown(reason)}; trying again until it works, nothing is lost meanwhile")

    def waiting(self, seconds: float) -> None:
        self._draw(f", next try in {seconds:.0f} s: {shown(self._away_reason)}")

    def trouble(self, text: str) -> None:
        """What keeps the source from reading; written once."""
        if text != self._known_trouble:
            self._known_trouble = text
            self._note(shown(text) if text else "reading again")

    def remark(self, text: str) -> None:
        """What has happened to lines; quiet or not."""
        self._write(shown(text))

    def finishing(self) -> None:
        """The user asked for the end; written once."""
        if not self._finishing:
            self._finishing = True
            self._note("sending what was read; once more to end at once")

    def tick(self) -> None:
        self._draw("")

    def summary(self) -> None:
        seconds = max(time.monotonic() - self._started, 0.001)
        otherwise = f" ({self.known_otherwise_count} in another form)" if self.known_otherwise_count else ""
        self._write(
            f"{self.sent} events sent, {self.sent - self.known} new, {self.known} known{otherwise}, in {seconds:.1f} s "
            f"({self.sent / seconds:.0f}/s), {self.retries} retries, {self.left_out_count} left out"
        )

    def _note(self, text: str) -> None:
        if not self._quiet:
            self._write(text)

    def _write(self, text: str) -> None:
        self._line.say(f"{self._name}: {text}")

    def _draw(self, state: str) -> None:
        if not self._line.is_due:
            return
        now = time.monotonic()
        if now - self._window_started >= RATE_WINDOW_SECONDS or not self._rate:
            self._rate = (self.sent - self._window_sent) / max(now - self._window_started, 0.001)
            self._window_started, self._window_sent = now, self.sent
        left_out = f", {self.left_out_count} left out" if self.left_out_count else ""
        self._line.draw(f"{self._name}: {self.sent} sent, {self._rate:.0f}/s, {self.retries} retries{left_out}{state}")
