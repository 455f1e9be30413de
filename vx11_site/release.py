"""Which program this is: the version, and the commit for all that is no tagged release."""

import re
import subprocess  # nosec B404
from pathlib import Path

from vx11_site import __version__

FOLDER = Path(__file__).resolve().parent.parent
# Written by what has no checkout afterwards: the build of a wheel (setup.py), and that of an image by --build-arg
# COMMIT=$(git rev-parse HEAD).
COMMIT_FILE = Path(__file__).resolve().parent / "COMMIT"
COMMIT_CHARACTERS = 12
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# Git reads a few small files. One that hangs must not keep a server from starting.
GIT_SECONDS = 2.0
PATH = "/usr/local/bin:/usr/bin:/bin"


def version(folder: Path = FOLDER, commit_file: Path = COMMIT_FILE) -> str:
    """`X.Y.Z` of a tagged release, or where the commit cannot be known; else `X.Y.Z+g<commit>`."""
    known = commit(folder, commit_file)
    return f"{__version__}+g{known}" if known else __version__


def commit(folder: Path = FOLDER, commit_file: Path = COMMIT_FILE) -> str:
    """Shortened; "" of a tagged release, and where it cannot be known."""
    return _commit_of_build(commit_file) or _commit_of_checkout(folder)


def _commit_of_build(file: Path) -> str:
    try:
        text = file.read_text().strip().lower()
    except OSError:
        return ""
    return text[:COMMIT_CHARACTERS] if _COMMIT.fullmatch(text) else ""


def _commit_of_checkout(folder: Path) -> str:
    """The commit of the folder's own checkout; "" without one, without git, and for the tag of this version."""
    if not (folder / ".git").exists():
        return ""
    # A checkout may belong to another user than the server's, and Git reads no such one unless it is named.
    command = ["git", "-c", f"safe.directory={folder}", "-C", str(folder), "show", "-s", "--format=%H%x00%D", "HEAD"]
    try:
        # Without the variables by which a hook of Git names another checkout.
        done = subprocess.run(  # noqa: S603 - nothing of it is from outside  # nosec B603
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True, env={"PATH": PATH}
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    commit, _, names = done.stdout.strip().partition("\0")
    if f"tag: v{__version__}" in names.split(", ") or not _COMMIT.fullmatch(commit):
        return ""
    return commit[:COMMIT_CHARACTERS]
