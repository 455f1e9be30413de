"""Labels of a stream of Loki as text, such as `{job="nginx", filename="/var/log/x"}`. Pure: no I/O."""

import re

import orjson

# Loki itself refuses more than 15 labels of a stream, by default.
LABELS_LIMIT = 100

# Between the parts of a pair, and no more: else a long text of spaces would be looked at again from each of them.
_SPACE = r"\s{0,64}"
_NAME, _VALUE = "([A-Za-z_][A-Za-z0-9_.:-]{0,255})", r'("(?:[^"\\]|\\.)*"|`[^`]*`)'
_PAIR = re.compile(f"{_SPACE}{_NAME}{_SPACE}={_SPACE}{_VALUE}{_SPACE}(,|$)", re.DOTALL)
# Each escape as a whole, so that the second of two backslashes begins none. JSON has no form for the first two.
_GO_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|.)", re.ASCII | re.DOTALL)
_GO_LETTERS = {"a": "\\u0007", "v": "\\u000b", "'": "'"}


def read_labels(text: str) -> dict[str, str]:
    """The labels by name. Raises ValueError for what is none, with a sentence that says where it ends."""
    text = text.strip()
    if not text.startswith("{") or not text.endswith("}"):
        raise ValueError("labels stand in braces")
    inner = text[1:-1].strip()
    labels: dict[str, str] = {}
    at = 0
    while at < len(inner):
        found = _PAIR.match(inner, at)
        if found is None:
            raise ValueError(f'a label is name="value", and not {inner[at : at + 40]!r}')
        if len(labels) >= LABELS_LIMIT:
            raise ValueError(f"at most {LABELS_LIMIT} labels")
        labels[found[1]] = _unquoted(found[2])
        at = found.end()
    return labels


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    if "\\" not in text:
        return text[1:-1]
    try:
        value = orjson.loads(_GO_ESCAPE.sub(_as_json, text))
    except ValueError:
        raise ValueError(f"{text[:40]} is no text as Go quotes it") from None
    return str(value)


def _as_json(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) == 1:
        return _GO_LETTERS.get(code, found[0])
    number = int(code[1:], 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return found[0]
    return orjson.dumps(chr(number)).decode()[1:-1]
