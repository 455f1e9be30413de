"""The load client's process: it must not share an interpreter with anything else that is busy."""

import asyncio
import multiprocessing
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

# Longer than any measurement takes; a server that hangs must not hang the benchmarks.
TIMEOUT_SECONDS = 120

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def in_own_process(measure: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """What a function of a module returned, run in a fresh process. Its errors are raised here."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(partial(measure, *args, **kwargs)).result()


def on_a_loop(
    measure: Callable[Arguments, Coroutine[Any, Any, Result]], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """The same for a coroutine function."""
    return in_own_process(_run, partial(measure, *args, **kwargs))


def _run(measure: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await measure()

    return asyncio.run(bounded())
