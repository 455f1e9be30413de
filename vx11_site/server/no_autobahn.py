"""What Daphne's server asks of its WebSocket module, without Autobahn: no connection is ever handed to it."""

from typing import Any


class WebSocketFactory:
    """Daphne's server makes one when it starts."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def setProtocolOptions(self, **options: Any) -> None:  # noqa: N802 - Autobahn's name
        """Nothing has options here."""
