"""Everything an installation leaves behind, as bytes by place, and where in it a secret stands."""

import base64
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.processes import OwnProcess
from tests.stacks import Stack
from tests.stores import PrivateRedis
from tests.waiting import wait_until

Places = Mapping[str, bytes]


def forms(secret: str) -> set[bytes]:
    """The ways in which a secret is written down."""
    plain = secret.encode()
    # The last characters of base64 depend on what follows.
    whole = base64.b64encode(plain).rstrip(b"=")[:-1]
    return {
        plain,
        whole,
        base64.urlsafe_b64encode(plain).rstrip(b"=")[:-1],
        plain.hex().encode(),
        quote(secret).encode(),
    }


def places_of(secret: str, places: Places) -> list[str]:
    """Where the secret stands."""
    wanted = forms(secret)
    return [name for name, content in places.items() if any(form in content for form in wanted)]


def collect(stack: Stack, *folders: Path) -> dict[str, bytes]:
    """All that the installation has stored and said until now; `folders` are those of further programs."""
    found = {f"database dump: {database_name(stack)}": database_dump(stack)}
    if stack.size == "scaled":
        save_uncompressed(stack.redis)
        folders = (*folders, stack.redis.folder)
        found["PostgreSQL's log"] = stack.postgres.process.log().encode()
    for folder in (stack.folder, *folders):
        found |= dict(files(folder))
    for server in stack.servers:
        found[f"command line of {server.url}"] = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    return found


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Logs, databases, their WAL, marks, memory dumps: whatever lies there."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield f"file {path.relative_to(folder.parent)}", path.read_bytes()


def database_name(stack: Stack) -> str:
    return "SQLite" if stack.size == "embedded" else "PostgreSQL"


def database_dump(stack: Stack) -> bytes:
    if stack.size == "scaled":
        return stack.postgres.dump(stack.a.environment["VX11_DATABASE_URL"])
    path = Path(stack.a.environment["VX11_DATA_DIR"]) / "operator.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return "\n".join(connection.iterdump()).encode()


def save_uncompressed(redis: PrivateRedis) -> None:
    """Every key and value, of whatever type, into a file in which they stand as they are."""
    redis.ask("CONFIG", "SET", "rdbcompression", "no")
    redis.ask("SAVE")


@contextmanager
def monitored(redis: PrivateRedis | None) -> Iterator[None]:
    """Everything that is said to Redis meanwhile, into a file beside its data."""
    if redis is None:
        yield
        return
    monitor = OwnProcess(redis.folder / "monitor.log")
    monitor.start(
        ["redis-cli", "-p", str(redis.port), "monitor"], folder=redis.folder, environment={"PATH": "/usr/bin"}
    )
    try:
        wait_until(lambda: "OK" in monitor.log(), "redis-cli listens")
        yield
    finally:
        monitor.end()


def traces(secrets: Mapping[str, str], places: Places, *, but_for: Iterable[str] = ()) -> dict[str, list[str]]:
    """Which secrets stand where; `but_for` are parts of the names of places where one is meant to be."""
    searched = {name: content for name, content in places.items() if not any(part in name for part in but_for)}
    found = {kind: places_of(secret, searched) for kind, secret in secrets.items()}
    return {kind: names for kind, names in found.items() if names}
