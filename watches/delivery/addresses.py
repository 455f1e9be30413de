"""Addresses of targets: which kinds there are, and what is shown of one. Most are Apprise's URLs.

Only kinds that connect over TCP are taken, so that `guard` sees where they go; none that runs a program or speaks to
this machine's desktop.
"""

from urllib.parse import parse_qsl, urlsplit

# Of our own: https://prometheus.io/docs/alerting/latest/clients/
ALERTMANAGER = frozenset({"alertmanager", "alertmanagers"})
# Kinds whose host is no secret, and says a person which target it is.
_WITH_HOST = frozenset(
    {"mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms", "gotify", "gotifys", "matrix", "matrixs"}
    | {"mmost", "mmosts", "rocket", "rockets", "workflow", "workflows", *ALERTMANAGER, "http", "https"}
)
_WITHOUT_HOST = frozenset(
    {"slack", "tgram", "ntfy", "ntfys", "msteams", "discord", "pagerduty", "opsgenie", "pover", "gchat", "zulip"}
    | {"webexteams", "twilio", "sendgrid", "mailgun"}
)
# Options of Apprise's URLs that name files of this machine, or addresses to fetch something from.
_OPTIONS_THAT_READ = frozenset(
    {"template", "attach", "pgp", "pgppub", "pgpprv", "pgpkey", "wkd", "keyfile", "config", "include"}
)
KINDS = (_WITH_HOST - {"http", "https"}) | _WITHOUT_HOST
ADDRESS_LIMIT_CHARACTERS = 2_000


class BadAddress(ValueError):
    """The text says what is wrong, and holds nothing of the address."""


def check(address: str) -> None:
    """Raises BadAddress. Imports Apprise, which takes a second."""
    if len(address) > ADDRESS_LIMIT_CHARACTERS or not address.isprintable():
        raise BadAddress(f"at most {ADDRESS_LIMIT_CHARACTERS} characters, on one line")
    kind = kind_of(address)
    if kind not in KINDS:
        raise BadAddress(f"begins with one of {', '.join(f'{name}://' for name in sorted(KINDS))}")
    if options := _OPTIONS_THAT_READ & _option_names(address):
        raise BadAddress(f"without {sorted(options)[0]}=, which would read a file or another address")
    if kind in ALERTMANAGER:
        try:
            parts = urlsplit(address)
            fit = bool(parts.hostname) and parts.port != 0
        except ValueError:
            fit = False
    else:
        from watches.delivery.senders import instantiate

        fit = instantiate(address) is not None
    if not fit:
        raise BadAddress(f"not complete for {kind}://; Apprise's pages say what belongs to it")


def _option_names(address: str) -> set[str]:
    """Of its query, without the signs by which Apprise marks headers and fields."""
    query = address.partition("?")[2]
    return {
        name.strip().lower().lstrip("+-:") for name, _ in parse_qsl(query.replace(";", "&"), keep_blank_values=True)
    }


def is_http(address: str) -> bool:
    """Whether it is a URL of a webhook."""
    try:
        parts = urlsplit(address)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return fit and address.isprintable() and parts.username is None and parts.password is None


def kind_of(address: str) -> str:
    return address.partition("://")[0].lower()


def masked(address: str) -> str:
    """What may be shown: the kind, and the host where that is no secret."""
    kind = kind_of(address)
    if kind not in _WITH_HOST:
        return f"{kind}://***"
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{kind}://***"
    return f"{kind}://{host}{port}/***"[:200]
