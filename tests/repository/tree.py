"""The files of the checkout, as git sees them: those in the index and those that would be added."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY_SUFFIXES = {".png", ".ico", ".woff2", ".gz", ".mo"}


def files() -> list[Path]:
    """Paths relative to the root, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    # A deleted file stays in the index until the next commit.
    return sorted(Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def texts() -> dict[Path, str]:
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in files() if path.suffix not in BINARY_SUFFIXES}
