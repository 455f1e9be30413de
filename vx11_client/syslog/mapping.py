"""What a record of syslog becomes: an event as the server accepts it. Pure; docs/feeding/syslog.md has the rules.

The header says severity, time and origin; the text behind it is read as a line of any log is, if it is JSON or CEF.
"""

import dataclasses
import datetime
from collections.abc import Callable

import orjson

from vx11_client.feeding.feed_mapping import FeedMapping, fitted
from vx11_client.lines.line import Line
from vx11_client.lines.moments import Clock
from vx11_client.lines.plain_text import one_line, storable, storable_text, summary_of
from vx11_client.spool.records import SyslogRecord, Transport
from vx11_client.syslog.messages import SyslogMessage, read_message
from vx11_client.wire_limits import SUMMARY_LIMIT_CHARACTERS

EVENT_TYPE = "syslog.message"
DROPPED_EVENT_TYPE = "syslog.dropped"
# What the header says, in the payload.
HEADER_KEY = "syslog"
# What rsyslog and journald put before an object of JSON.
COOKIE = "@cee:"
# CEF begins within so many characters of the text.
CEF_CHARACTERS = 300
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

Fields = dict[str, object]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SyslogMapping:
    """How records become events. `timezone` is that of times without a zone; None is the zone of this machine."""

    event_type: str = EVENT_TYPE
    module: str | None = None
    timezone: datetime.tzinfo | None = None
    clock: Callable[[], datetime.datetime] = _now

    def event(self, record: SyslogRecord) -> Fields:
        """The event without an event_id. There is one for every record."""
        if record.transport is Transport.OWN:
            return self._own(record)
        try:
            return self._read(record)
        except Exception:  # noqa: BLE001 - one record that cannot be read must not stop all that come behind it
            return self._unread(record)

    def _read(self, record: SyslogRecord) -> Fields:
        whole = record.content.decode("utf-8", errors="replace")
        message = read_message(whole, Clock(self.timezone, self.clock))
        inner = self._inner(message.text, has_time=message.moment is not None)
        header = _header(message, record)
        event = self._new(_summary(message, inner), str(inner.get("severity") or message.severity or "info"))
        event["occurred_at"] = inner.get("occurred_at") or _time(message.moment or _received(record))
        event["payload"] = {**_payload(message.text, inner, record), HEADER_KEY: header}
        kept = {name: value for name, value in header.items() if name != "structured_data"}
        return fitted(event, whole, record.total_bytes, kept_payload={HEADER_KEY: kept})

    def _unread(self, record: SyslogRecord) -> Fields:
        """As text alone."""
        whole = storable_text(record.content.decode("utf-8", errors="replace"))
        event = self._new(summary_of(whole) or "(no text)", "info") | {"occurred_at": _time(_received(record))}
        header = _header(SyslogMessage(whole), record)
        event["payload"] = {"line": whole, "line_bytes": record.total_bytes, HEADER_KEY: header}
        return fitted(event, whole, record.total_bytes, kept_payload={HEADER_KEY: header})

    def _own(self, record: SyslogRecord) -> Fields:
        found = orjson.loads(record.content)
        event = self._new(summary_of(found["summary"]), "warn") | {"event_type": DROPPED_EVENT_TYPE}
        return event | {"occurred_at": _time(_received(record)), "payload": found["payload"]}

    def _new(self, summary: str, severity: str) -> Fields:
        event: Fields = {"event_type": self.event_type, "summary": summary, "severity": severity}
        return event | ({"module": self.module} if self.module else {})

    def _inner(self, text: str, *, has_time: bool) -> Fields:
        """What the text itself says, where it is more than text, or must say the time."""
        begin = text.removeprefix(COOKIE).lstrip()
        is_structured = begin.startswith("{") or "CEF:" in text[:CEF_CHARACTERS]
        if has_time and not is_structured:
            return {}
        content = begin.encode("utf-8", errors="replace")
        # The sender is any machine of the network: it chooses no type, module or id of an event.
        reading = FeedMapping(timezone=self.timezone, clock=self.clock, takes_events=False)
        return reading.event(Line(content, len(content))) or {}


def _summary(message: SyslogMessage, inner: Fields) -> str:
    """The first line that shows something, or what names the record."""
    lines = (str(inner.get("summary", "")), *message.text.splitlines()[:10])
    found = next((shown for line in lines if (shown := summary_of(line))), "")
    return found or summary_of(" ".join(filter(None, (message.app, message.msgid)))) or "(no text)"


def _payload(text: str, inner: Fields, record: SyslogRecord) -> Fields:
    payload = inner.get("payload")
    found: Fields = dict(payload) if isinstance(payload, dict) else {}
    if HEADER_KEY in found:
        # A field of the sender's of that name is kept beside ours.
        found[f"{HEADER_KEY}_"] = found.pop(HEADER_KEY)
    is_long = len(text) > SUMMARY_LIMIT_CHARACTERS and len(one_line(text)) > SUMMARY_LIMIT_CHARACTERS
    is_cut = record.total_bytes > len(record.content)
    if not found and (is_long or is_cut or "\n" in text):
        found["line"] = storable_text(text)
    if is_cut:
        found["line_bytes"] = record.total_bytes
    return found


def _header(message: SyslogMessage, record: SyslogRecord) -> Fields:
    found: Fields = {
        "transport": record.transport.name.lower(),
        "peer": record.peer,
        "facility": message.facility,
        "level": message.level,
        "host": message.host,
        "app": message.app,
        "procid": message.procid,
        "msgid": message.msgid,
        "structured_data": message.structured_data,
    }
    return {name: storable(value) for name, value in found.items() if value}


def _received(record: SyslogRecord) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=record.received_us)


def _time(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat()
