"""HOW IS IT PUT TOGETHER? Settings, URLs, the ASGI application, the server, and commands for the whole installation.

See "The server" in docs/architecture.md.
"""

__version__ = "0.1.0"
