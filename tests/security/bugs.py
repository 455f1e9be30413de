"""A bug in the servers of a test: certain credentials make them fail where they are looked at.

It is put under our code, into Python's hashlib, by way of `sitecustomize`: the code that fails is the real one.
"""

import secrets
import uuid
from pathlib import Path

MARK = "b0b0b0b0"
SITE = f"""
import functools
import hashlib

sha256 = hashlib.sha256


def failing(data=b"", **options):
    if bytes(data).startswith({MARK.encode()!r}):
        raise RuntimeError("a bug that nobody foresaw")
    return sha256(data, **options)


# Not the function itself: as an attribute of a class, which Django makes it, that would become a method.
hashlib.sha256 = functools.partial(failing)
"""


def environment_with_bug(folder: Path) -> dict[str, str]:
    """For Stack: its servers have the bug. `folder` must be there."""
    (folder / "sitecustomize.py").write_text(SITE, encoding="ascii")
    return {"PYTHONPATH": str(folder)}


def ticket_of_bug() -> str:
    return MARK + str(uuid.uuid4())[len(MARK) :]


def token_of_bug() -> str:
    return MARK + secrets.token_urlsafe(32)
