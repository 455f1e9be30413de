"""The console stays small enough to load over a slow line."""

import gzip

from tests.servers import ROOT

OWN_SCRIPTS_LIMIT_BYTES = 80_000


def test_the_consoles_own_scripts_stay_below_80_kb_as_they_are_sent() -> None:
    scripts = [path for path in (ROOT / "static/operator_api").glob("*.js") if not path.name.startswith("dashboard")]
    assert len(scripts) > 30
    assert sum(len(gzip.compress(script.read_bytes())) for script in scripts) < OWN_SCRIPTS_LIMIT_BYTES
