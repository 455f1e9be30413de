"""The console stays small enough to load over a slow line."""

from tests.servers import ROOT
from vx11_site import minified

# As they are sent: one by one, without comments, each compressed by itself.
OWN_SCRIPTS_LIMIT_BYTES = 80_000
# With the event client and the styles.
PAGE_LIMIT_BYTES = 100_000
OF_OTHER_PAGES = ("admin/", "operator_api/dashboard", "operator_api/login")


def test_what_the_console_loads_stays_small_as_it_is_sent() -> None:
    files = minified.read(ROOT / "static")
    sizes = {name: len(file.zipped) for name, file in files.items() if not name.startswith(OF_OTHER_PAGES)}
    own = [size for name, size in sizes.items() if name.startswith("operator_api/") and name.endswith(".js")]
    assert len(own) > 30
    assert sum(own) < OWN_SCRIPTS_LIMIT_BYTES
    assert sum(sizes.values()) < PAGE_LIMIT_BYTES
