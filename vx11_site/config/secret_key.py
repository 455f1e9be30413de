"""The secret key of an installation that was given none: made once, and kept in the data folder."""

import contextlib
import os
import secrets
from pathlib import Path

from vx11_site.config.environment import BadEnvironment

KEY_BYTES = 64
# Less than this was cut off, and could perhaps be guessed: who knows the key can sign a session.
FLOOR_CHARACTERS = 32


def kept_in(folder: Path) -> str:
    """Raises BadEnvironment if the key cannot be made, read or trusted."""
    path = folder / "secret_key"
    try:
        with contextlib.suppress(FileExistsError):
            _write_whole(path, secrets.token_urlsafe(KEY_BYTES))
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadEnvironment(f"VX11_DATA_DIR has a secret_key that this user cannot read or make: {error}") from None
    if len(key) < FLOOR_CHARACTERS:
        raise BadEnvironment(
            f"VX11_DATA_DIR has a secret_key that is too short: delete {path}, and people sign in again"
        )
    return key


def _write_whole(path: Path, text: str) -> None:
    """A file that only its owner can read, and that is there whole or not at all. Raises FileExistsError, OSError."""
    if path.exists():
        raise FileExistsError(path)
    begun = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(begun, path)
    finally:
        begun.unlink()
