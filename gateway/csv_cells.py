"""Cells of CSV files that no spreadsheet takes for a formula, and that do nothing to a terminal. Pure."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from vx11_client.terminal_text import shown

# Control characters act on a terminal in which the file is shown. Cells may hold line ends and tabs.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Spreadsheets skip quotes, spaces and invisible characters; the first character after them may begin a formula. Some
# spreadsheets also take ＝ and ﹢ for such a character.
_SKIPPED = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_BEGINS_FORMULA = frozenset("=+-@")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def defused(value: Any) -> str:
    """The value as text that a spreadsheet shows unchanged: a quote in front keeps it from being a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    text = _CONTROL.sub(lambda found: shown(found[0]), text)
    return f"'{text}" if _may_be_formula(text) else text


def _may_be_formula(text: str) -> bool:
    if text[:1] in ("\t", "\n"):
        return True
    first = next((sign for sign in text if sign not in "\"'" and unicodedata.category(sign) not in _SKIPPED), "")
    return unicodedata.normalize("NFKC", first)[:1] in _BEGINS_FORMULA


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A whole file: UTF-8 with a byte order mark, by which spreadsheets recognise it."""
    return BYTE_ORDER_MARK + csv_lines([header, *rows])


def csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """Some lines of a file, every cell quoted."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([defused(value) for value in row] for row in rows)
    return text.getvalue().encode()
