"""Notifications for systemd with Type=notify: the process is ready, alive, or stopping (sd_notify(3))."""

import asyncio
import contextlib
import os
import socket

READY, ALIVE, ENDING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def notify(state: str) -> None:
    """Send one datagram without waiting. Does nothing without systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to, contextlib.suppress(OSError):
        to.setblocking(False)  # noqa: FBT003 - its only form
        # An @ stands for the zero byte with which abstract socket names begin.
        to.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def notify_ready() -> None:
    """Notify that the process is ready; then, if the watchdog is on, regularly from the event loop, so that systemd
    notices a loop that hangs.
    """
    notify(READY)
    seconds = _watchdog_seconds()
    if seconds:
        _keep_notifying(asyncio.get_running_loop(), seconds / 2)


def _keep_notifying(loop: asyncio.AbstractEventLoop, pause_seconds: float) -> None:
    notify(ALIVE)
    loop.call_later(pause_seconds, _keep_notifying, loop, pause_seconds)


def _watchdog_seconds() -> float:
    """After this time without a notification systemd ends the process; 0 if the watchdog is off."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    return int(os.environ.get("WATCHDOG_USEC") or 0) / 1_000_000
