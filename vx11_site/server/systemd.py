"""What systemd hears of a process that it started with Type=notify: that it is ready, alive, ending (sd_notify(3))."""

import asyncio
import contextlib
import os
import socket

READY, ALIVE, ENDING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def notify(state: str) -> None:
    """One datagram that waits for nobody. Nothing where no systemd listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to, contextlib.suppress(OSError):
        to.setblocking(False)  # noqa: FBT003 - its only form
        # An @ stands for the zero byte that names without a file begin with.
        to.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def notify_ready() -> None:
    """And from now on, if systemd wants to know, that the event loop turns: a loop that hangs says nothing."""
    notify(READY)
    seconds = _watchdog_seconds()
    if seconds:
        _keep_notifying(asyncio.get_running_loop(), seconds / 2)


def _keep_notifying(loop: asyncio.AbstractEventLoop, pause_seconds: float) -> None:
    notify(ALIVE)
    loop.call_later(pause_seconds, _keep_notifying, loop, pause_seconds)


def _watchdog_seconds() -> float:
    """After so long without a word systemd ends the process; 0 if it does not."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    return int(os.environ.get("WATCHDOG_USEC") or 0) / 1_000_000
