"""Python runs this at its start when this folder is in PYTHONPATH: what blocks an event loop is told on standard error.

blockbuster knows which functions block. It raises, which would change what the server does; here the call goes on.
"""

import asyncio
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from blockbuster import blockbuster

MARK = "blocks the event loop:"
PLACES_TOLD = 12
_inside = threading.local()


def _watched(
    _modules: Sequence[str],
    _excluded_modules: Sequence[str],
    function: Callable[..., Any],
    name: str,
    allowed: list[tuple[str, Iterable[str]]],
    is_allowed: Callable[..., bool],
) -> Callable[..., Any]:
    """Takes the place of blockbuster's own wrapper."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if not getattr(_inside, "call", False) and asyncio._get_running_loop() is not None:
            _inside.call = True
            try:
                if not is_allowed(*args, **kwargs):
                    _tell(name, allowed)
            finally:
                _inside.call = False
        return function(*args, **kwargs)

    return call


def _tell(name: str, allowed: list[tuple[str, Iterable[str]]]) -> None:
    stack = traceback.extract_stack()[:-2]
    if any(place.filename.endswith(file) and place.name in names for place in stack for file, names in allowed):
        return
    places = " <- ".join(f"{place.filename}:{place.lineno}" for place in reversed(stack[-PLACES_TOLD:]))
    os.write(2, f"{MARK} {name} {places}\n".encode())


blockbuster._wrap_blocking = _watched  # type: ignore[assignment]  # of any type
# Methods of types in C can be replaced by force only, which now and then crashes an interpreter that ends. What is left
# out are reads of files; Django itself refuses queries on a loop.
blockbuster.HAS_FORBIDDENFRUIT = False
blockbuster.BlockBuster().activate()
