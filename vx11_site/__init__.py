"""How VX11 Operator is wired: settings, URLs, the ASGI application, the server."""

__version__ = "0.1.0"
