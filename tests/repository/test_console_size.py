"""The console stays small enough to load over a slow line."""

import gzip

from tests.servers import ROOT

# Modules are sent one by one, and each begins without what the others have said. What there is to say is the second.
SENT_APART_LIMIT_BYTES = 90_000
TOGETHER_LIMIT_BYTES = 70_000


def test_the_consoles_own_scripts_stay_small_as_they_are_sent_and_as_one() -> None:
    paths = sorted((ROOT / "static/operator_api").glob("*.js"))
    scripts = [path.read_bytes() for path in paths if not path.name.startswith("dashboard")]
    assert len(scripts) > 30
    assert sum(len(gzip.compress(script)) for script in scripts) < SENT_APART_LIMIT_BYTES
    assert len(gzip.compress(b"".join(scripts))) < TOGETHER_LIMIT_BYTES
