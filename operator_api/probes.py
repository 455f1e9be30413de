"""Probes: modules with an address are asked by HTTP whether they are up. Addresses can be set in the admin only.

One process probes a module at a time: the first that moves its `probe_due_at`. If that process dies meanwhile, the
probe is due again a few seconds later.
"""

import asyncio
import dataclasses
import functools
import ssl
from collections.abc import Sequence
from datetime import timedelta

import httpx2
from django.db.models import QuerySet
from django.db.models.functions import Now

from operator_api.last_seen import lock_all
from operator_api.models import Module

EVERY_SECONDS = 15
ANSWER_SECONDS = 2.0
# Modules probed at a time; the others wait.
CONCURRENT_PROBES = 8
# Probes of one round; more are sent in the next.
ROUND_LIMIT_PROBES = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    name: str
    url: str


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """`problem` is empty if the module answered well."""

    probe: Probe
    problem: str


def any_due() -> bool:
    return _due().exists()


def claim_many(claims: Sequence[None]) -> Sequence[list[Probe]]:
    """For the ledger's writer: claim all due probes for this process. The first claim gets them all."""
    lock_all()
    names = list(_due().order_by("probe_due_at").values_list("name", flat=True)[:ROUND_LIMIT_PROBES])
    claimed = Module.objects.filter(name__in=names)
    claimed.update(probe_due_at=Now() + timedelta(seconds=EVERY_SECONDS))
    return [[Probe(*row) for row in claimed.values_list("name", "probe_url")], *([] for _ in claims[1:])]


def record_many(rounds: Sequence[list[Result]]) -> Sequence[None]:
    """For the ledger's writer: store the results."""
    lock_all()
    for result in (result for results in rounds for result in results):
        # The result of an address that was changed meanwhile is dropped.
        probed = Module.objects.filter(name=result.probe.name, probe_url=result.probe.url)
        probed.update(probed_at=Now(), probe_problem=result.problem)
    return [None] * len(rounds)


async def send_all(probes: Sequence[Probe]) -> list[Result]:
    """Send all probes, some at a time; bodies of responses are not read."""
    turns = asyncio.Semaphore(CONCURRENT_PROBES)
    # Proxies and passwords of this machine's environment are not meant for modules.
    async with httpx2.AsyncClient(
        verify=_certificates(), trust_env=False, follow_redirects=False, timeout=ANSWER_SECONDS
    ) as client:

        async def in_turn(probe: Probe) -> Result:
            async with turns:
                return Result(probe, await _problem_of(client, probe.url))

        return list(await asyncio.gather(*map(in_turn, probes)))


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates, read once: that takes some hundredths of a second, in which no stream is served."""
    return httpx2.create_ssl_context(trust_env=False)


async def _problem_of(client: httpx2.AsyncClient, url: str) -> str:
    try:
        async with asyncio.timeout(ANSWER_SECONDS), client.stream("GET", url) as answer:
            return "" if answer.is_success else f"answered {answer.status_code}"
    except (httpx2.TimeoutException, TimeoutError):
        return f"no answer within {ANSWER_SECONDS:g} s"
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        # Only the error's name: its text may contain the address, or text from the other side.
        return type(error).__name__


def _due() -> QuerySet[Module]:
    return Module.objects.exclude(probe_url="").filter(probe_due_at__lte=Now())
