"""SIGINT and SIGTERM ask the process to finish: waits end early, work in progress is completed. No Django."""

import contextlib
import select
import signal
import socket
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether a signal has asked this process to finish, and waits that such a signal ends early.

    The first signal sets `requested`; a second one raises KeyboardInterrupt wherever the program is.
    """

    def __init__(self) -> None:
        self.requested = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)  # noqa: FBT003 - its only form
        self._wake_writer.setblocking(False)  # noqa: FBT003 - its only form

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the length of the block. Main thread only."""
        earlier_handlers = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        # A handler that sets a flag does not end a select (PEP 475); a byte on a watched socket does.
        earlier_wakeup = signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(earlier_wakeup)
            for number, handler in earlier_handlers.items():
                signal.signal(number, handler)

    def wait(self, seconds: float, *, readable_fd: int | None = None) -> bool:
        """Sleep until `readable_fd` can be read (then True), a signal comes, or the time is over (False).

        One signal ends one wait: a caller that waits again after the first signal must not spin.
        """
        watched: list[int | socket.socket] = [self._wake_reader]
        if readable_fd is not None:
            watched.append(readable_fd)
        ready = select.select(watched, [], [], max(0.0, seconds))[0]
        self._forget_wakes()
        return readable_fd in ready

    def sleep(self, seconds: float) -> None:
        """Wait the whole time, or until the first signal of this process comes."""
        already = self.requested
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and self.requested is already:
            self.wait(left)

    def close(self) -> None:
        self._wake_reader.close()
        self._wake_writer.close()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def _forget_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_reader.recv(64):
                pass
