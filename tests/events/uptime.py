"""The clock of rights, in the hands of a test."""


class Uptime:
    """In place of ledger.uptime.uptime_seconds."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
