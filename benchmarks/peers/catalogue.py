"""All peers by the names under which results show them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from importlib.metadata import distributions
from typing import NamedTuple

from benchmarks.peers import nchan, ours, python
from benchmarks.peers.peer import Peer


class Kind(NamedTuple):
    """`serving` starts one; `missing` says what has to be installed before, empty when nothing."""

    serving: Callable[[], AbstractContextManager[Peer]]
    missing: Callable[[], str]


_PYTHON_PEERS = (python.TEXTBOOK, python.EVENTSTREAM_DAPHNE, python.EVENTSTREAM_UVICORN)
OURS = ours.NAME
NCHAN = nchan.NAME
TEXTBOOK, EVENTSTREAM_DAPHNE, EVENTSTREAM_UVICORN = (peer.name for peer in _PYTHON_PEERS)
ALL = {
    OURS: Kind(ours.serving, ours.missing),
    NCHAN: Kind(nchan.serving, nchan.missing),
    **{peer.name: Kind(peer.serving, peer.missing) for peer in _PYTHON_PEERS},
}
# The others get a lower rate when they cannot keep up, so that there is something to compare.
HELD_TO_THE_LOAD = (OURS, NCHAN)


def installed(names: Iterable[str], announce: Callable[[str], None]) -> Iterator[str]:
    """Of the names, those that can be measured here; says which cannot."""
    for name in names:
        if missing := ALL[name].missing():
            announce(f"{name}: not installed, it needs {missing}")
        else:
            yield name


def versions() -> dict[str, str]:
    """What the peers are made of, for the description of the machine."""
    found = distributions(path=list(map(str, python.PROGRAMS.parent.glob("lib/python*/site-packages"))))
    installed = {package.name.lower(): package.version for package in found}
    return {
        "nchan": "not installed" if nchan.missing() else nchan.version(),
        **{name: installed.get(name, "not installed") for name in ("django-eventstream", "uvicorn")},
    }
