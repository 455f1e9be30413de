"""The console stays small enough to load over a slow line."""

import re

from tests.servers import ROOT
from vx11_site import minified

# As they are sent: one by one, without comments, each compressed by itself.
OWN_SCRIPTS_LIMIT_BYTES = 80_000
# Those of on-demand/, which are sent when a reader opens what they are for.
ON_DEMAND_LIMIT_BYTES = 12_000
# With the event client and the styles.
PAGE_LIMIT_BYTES = 100_000
OF_OTHER_PAGES = ("admin/", "operator_api/dashboard", "operator_api/login")
ON_DEMAND = "operator_api/on-demand/"


def test_what_the_console_loads_stays_small_as_it_is_sent() -> None:
    files = minified.read(ROOT / "static")
    sizes = {name: len(file.zipped) for name, file in files.items() if not name.startswith(OF_OTHER_PAGES)}
    on_demand = [sizes.pop(name) for name in list(sizes) if name.startswith(ON_DEMAND)]
    own = [size for name, size in sizes.items() if name.startswith("operator_api/") and name.endswith(".js")]
    assert len(own) > 30
    assert sum(own) < OWN_SCRIPTS_LIMIT_BYTES
    assert sum(sizes.values()) < PAGE_LIMIT_BYTES
    assert 0 < sum(on_demand) < ON_DEMAND_LIMIT_BYTES


def test_no_script_loads_at_once_what_is_sent_on_demand() -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "static/operator_api").glob("*.js"))
    assert re.search(r'from "./on-demand/', scripts) is None
    assert 'import("./on-demand/' in scripts
