"""The packages of the program, for tests that read all of its source."""

from tests.servers import ROOT

APPS = ("vx11_site", "watches", "receivers", "operator_api", "events", "gateway", "ledger", "vx11_client")


def files_with(text: str) -> list[str]:
    """The source files that hold this text, in their order."""
    files = sorted(path for folder in APPS for path in (ROOT / folder).rglob("*.py"))
    return [str(path.relative_to(ROOT)) for path in files if text in path.read_text("utf-8")]
