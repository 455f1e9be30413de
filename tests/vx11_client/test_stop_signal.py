"""Signals: the first is a wish, the second an order."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from vx11_client.stop_signal import Interruption


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    interruption = Interruption()
    with interruption.listening():
        yield interruption
    interruption.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_sleep_and_is_remembered(interruption: Interruption, number: signal.Signals) -> None:
    threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
    # The time limit of the test is shorter than this.
    interruption.sleep(1000)
    assert interruption.requested


def test_a_second_signal_ends_everything(interruption: Interruption) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)


def test_after_a_signal_waiting_is_waiting_again(interruption: Interruption) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    interruption.wait(0)
    started = time.monotonic()
    interruption.sleep(0.2)
    assert time.monotonic() - started >= 0.2


def test_a_descriptor_that_can_be_read_ends_a_wait(interruption: Interruption) -> None:
    reading, writing = os.pipe()
    assert not interruption.wait(0, readable_fd=reading)
    os.write(writing, b"x")
    assert interruption.wait(1000, readable_fd=reading)
    os.close(reading)
    os.close(writing)


def test_afterwards_signals_are_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    interruption = Interruption()
    with interruption.listening():
        assert signal.getsignal(signal.SIGTERM) != before
    interruption.close()
    assert signal.getsignal(signal.SIGTERM) == before
