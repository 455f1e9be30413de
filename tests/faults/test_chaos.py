"""A minute in which everything goes wrong. CHAOS_SECONDS makes it longer, CHAOS_SEED repeats one."""

import os
import random
import sys

import pytest

from tests.conftest import OwnStack
from tests.faults.chaos import Chaos
from tests.faults.conftest import PostgresStack
from tests.stacks import Size

# One server alone has less that can break.
SECONDS = {"scaled": 60.0, "embedded": 20.0}
SETTLING_SECONDS = 120
DRAIN_SECONDS = "3"


@pytest.fixture
def chaos_seconds(stack_size: Size) -> float:
    return float(os.environ.get("CHAOS_SECONDS") or SECONDS[stack_size])


@pytest.mark.faults
@pytest.mark.timeout(float(os.environ.get("CHAOS_SECONDS") or SECONDS["scaled"]) + SETTLING_SECONDS)
async def test_f28_whatever_goes_wrong_every_event_comes_to_every_reader_once_and_in_order(
    stack_size: Size, request: pytest.FixtureRequest, chaos_seconds: float
) -> None:
    if stack_size == "scaled":
        postgres_stack: PostgresStack = request.getfixturevalue("postgres_stack")
        stack = postgres_stack(VX11_DRAIN_SECONDS=DRAIN_SECONDS)
    else:
        own_stack: OwnStack = request.getfixturevalue("own_stack")
        stack = own_stack(VX11_DRAIN_SECONDS=DRAIN_SECONDS)
    chaos = Chaos(stack, seed=int(os.environ.get("CHAOS_SEED") or random.getrandbits(32)))
    try:
        await chaos.run(chaos_seconds)
    finally:
        sys.stdout.write(f"{chaos}\n")
