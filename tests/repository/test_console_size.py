"""The console stays small enough to load over a slow line."""

import gzip

from tests.servers import ROOT

# Modules are sent one by one, and each begins without what the others have said. What there is to say is the second.
SENT_APART_LIMIT_BYTES = 90_000
TOGETHER_LIMIT_BYTES = 70_000
# Those of on-demand/, which are sent when a reader opens what they are for.
ON_DEMAND_LIMIT_BYTES = 16_000


def test_the_consoles_own_scripts_stay_small_as_they_are_sent_and_as_one() -> None:
    paths = sorted((ROOT / "static/operator_api").glob("*.js"))
    scripts = [path.read_bytes() for path in paths if not path.name.startswith("dashboard")]
    assert len(scripts) > 30
    assert sum(len(gzip.compress(script)) for script in scripts) < SENT_APART_LIMIT_BYTES
    assert len(gzip.compress(b"".join(scripts))) < TOGETHER_LIMIT_BYTES


def test_the_scripts_that_are_loaded_on_demand_stay_small_and_no_other_script_loads_them_at_once() -> None:
    scripts = [path.read_bytes() for path in (ROOT / "static/operator_api/on-demand").glob("*.js")]
    assert sum(len(gzip.compress(script)) for script in scripts) < ON_DEMAND_LIMIT_BYTES
    others = [path.read_text() for path in (ROOT / "static/operator_api").glob("*.js")]
    assert [text for text in others if 'from "./on-demand/' in text] == []
    assert 'import("./on-demand/' in "".join(others)
