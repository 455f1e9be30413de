"""What containers put around the line of a program: CRI, Docker's JSON, the names of compose. Pure."""

import dataclasses
import re

import orjson

# Docker cuts longer lines into pieces of this size; only a piece of it is continued by the next one.
DOCKER_PIECE_BYTES = 16 * 1024
PREFIX_CHARACTERS = 200

_CRI = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?::[\w:]{0,20})?(?: |$)",
    re.ASCII,
)
# `name-1  | ` of compose: the name is filled up with spaces.
_COMPOSE = re.compile(r"([A-Za-z0-9][\w.-]{0,62})( {0,63})\| ?", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Wrapped:
    """The text of a program, and what stood around it.

    Texts of different `stream`s come in turns; `is_partial`: the text goes on in the next line of the stream.
    """

    kind: str
    text: str
    prefix: str = ""
    stream: str = ""
    time: str = ""
    is_partial: bool = False
    fields: dict[str, object] | None = None


def unwrap(text: str) -> Wrapped:
    """The text without what a container put around it; `kind` is empty when there is nothing around it."""
    if text.startswith('{"log":"') and (docker := _docker(text)):
        return docker
    if found := _CRI.match(text):
        return Wrapped(
            *("cri", text[found.end() :], text[: found.end()]),
            stream=found[2],
            time=found[1],
            is_partial=found[3] == "P",
        )
    found = _COMPOSE.match(text[:PREFIX_CHARACTERS])
    if found and (len(found[2]) > 1 or _is_numbered(found[1]) or text.startswith("{", found.end())):
        return Wrapped("compose", text[found.end() :], text[: found.end()], stream=found[1])
    return Wrapped("", text)


def rewrapped(pieces: list[Wrapped]) -> str:
    """The lines of one record in one text, with what stood around the first of them."""
    first = pieces[0]
    if first.fields is not None:
        return orjson.dumps({**first.fields, "log": "".join(piece.text for piece in pieces)}).decode()
    text = first.text
    for before, piece in zip(pieces, pieces[1:], strict=False):
        text += piece.text if before.is_partial else f"\n{piece.text}"
    # The parts are complete now.
    prefix = first.prefix.replace(f" {first.stream} P", f" {first.stream} F") if first.is_partial else first.prefix
    return prefix + text


def _is_numbered(name: str) -> bool:
    """`web-1`, `web_1`."""
    bare = name.rstrip("0123456789")
    return bare != name and bare.endswith(("-", "_"))


def _docker(text: str) -> Wrapped | None:
    try:
        fields = orjson.loads(text)
    except ValueError:
        return None
    log = fields.get("log") if isinstance(fields, dict) else None
    if not isinstance(log, str) or not isinstance(fields.get("time"), str):
        return None
    is_partial = not log.endswith("\n") and len(log.encode()) >= DOCKER_PIECE_BYTES
    stream = str(fields.get("stream", ""))[:PREFIX_CHARACTERS]
    return Wrapped("docker", log, stream=stream, time=fields["time"], is_partial=is_partial, fields=fields)
