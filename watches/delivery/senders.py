"""One notice to one target, in the calling thread, which is guarded: by Apprise, or to an Alertmanager.

Apprise knows a hundred services, and says in its log what went wrong: that is kept from the server's log, where it
might quote an address, and returned without credentials.
"""

import functools
import logging
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.redaction import redact
from ledger import long_lived
from watches import notices
from watches.delivery import posting
from watches.delivery.addresses import ALERTMANAGER, kind_of
from watches.delivery.guard import guarded, uses_environment

CONNECT_SECONDS = 5.0
# Between two parts of an answer; `Delivering` limits an attempt as a whole.
READ_SECONDS = 15.0
PROBLEM_LIMIT = 200
ALERT_HEADER = "X-VX11-Notice"


class NotSent(Exception):
    """The text says why, without credentials."""


def send(address: str, content: notices.Content, notice_id: str) -> None:
    """Raises NotSent; returns when the receiver has taken it."""
    with guarded() as refusals:
        if kind_of(address) in ALERTMANAGER:
            _send_alerts(address, content, notice_id)
        else:
            _send_by_apprise(address, content, notice_id, refusals)


def instantiate(address: str) -> Any:
    """Apprise's sender for this address; None if it cannot be read."""
    import apprise

    _quieten()
    _keep_environment_out()
    _reported.problems = []
    sender = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    _keep_library()
    return sender


def _send_by_apprise(address: str, content: notices.Content, notice_id: str, refusals: list[str]) -> None:
    _reported.problems = []
    sender = instantiate(address)
    if sender is None:
        raise NotSent("Apprise cannot read the address")
    sender.socket_connect_timeout, sender.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
    # The queue decides how often is tried, and when.
    sender.request_rate_per_sec = 0
    if isinstance(headers := getattr(sender, "headers", None), dict):
        headers[ALERT_HEADER] = notice_id
    title, body = notices.title(content), notices.text(content, notice_id=notice_id)
    try:
        taken = sender.notify(title=title, body=body, body_format="text")
    except Exception as error:  # noqa: BLE001 - one of a hundred services failed in its own way, and may quote its address
        raise NotSent(type(error).__name__) from None
    # A host may have several addresses, and one of them took it.
    if not taken and refusals:
        raise NotSent(f"refused: {refusals[0]}")
    if not taken:
        raise NotSent(_described("; ".join(_reported.problems) or "refused"))


def _send_alerts(address: str, content: notices.Content, notice_id: str) -> None:
    """Each group is an alert: that it fires, or that it has ended."""
    parts = urlsplit(address)
    scheme = "https" if kind_of(address) == "alertmanagers" else "http"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    url = f"{scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}/api/v2/alerts"
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    alerts = [alert_of(content, group) for group in content["groups"]]
    try:
        posting.post_json(url, alerts, headers={ALERT_HEADER: notice_id}, auth=auth)
    except posting.NotTaken as problem:
        raise NotSent(_described(str(problem))) from None


def alert_of(content: notices.Content, group: str) -> dict[str, Any]:
    watch, here = content["watch"], content["groups"][group]
    alert = {
        "labels": {
            "alertname": watch["name"],
            "watch_id": str(watch["id"]),
            **({"group": group} if group else {}),
            **({"severity": "info"} if here["state"] == "test" else {}),
        },
        "annotations": {
            "summary": notices.title(content),
            "description": f"{watch['condition']}; query: {watch['query'] or 'all events'}; {here['count']} events",
        },
        "startsAt": here.get("fired_at", here["at"]),
        "generatorURL": content["link"],
    }
    if here["state"] == "resolved":
        alert["endsAt"] = here["at"]
    return alert


class _Reported(threading.local):
    """What Apprise has logged in this thread."""

    def __init__(self) -> None:
        self.problems: list[str] = []


_reported = _Reported()


class _Listening(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _reported.problems.append(record.getMessage())


@functools.cache
def _keep_library() -> None:
    """Once in the process: it has twenty thousand objects, of a hundred services."""
    long_lived.keep()


def _quieten() -> None:
    """Once in the process."""
    logger = logging.getLogger("apprise")
    if not any(isinstance(handler, _Listening) for handler in logger.handlers):
        logger.addHandler(_Listening(logging.WARNING))
        logger.propagate = False


def _keep_environment_out() -> None:
    """Once in the process: sessions of `requests`, by which Apprise connects, ask in a guarded thread whether they may
    use proxies and passwords of this machine's environment. Apprise itself has no option for that.
    """
    import requests

    if isinstance(vars(requests.Session).get("trust_env"), property):
        return

    def trust_env(self: Any) -> bool:
        return uses_environment() and bool(vars(self).get("trust_env", True))

    def set_trust_env(self: Any, trusts: bool) -> None:  # noqa: FBT001 - a property is set like this
        vars(self)["trust_env"] = trusts

    requests.Session.trust_env = property(trust_env, set_trust_env)  # type: ignore[assignment]  # in place of a value


def _described(problem: str) -> str:
    return redact(problem)[:PROBLEM_LIMIT]
