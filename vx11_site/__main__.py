"""`python -m vx11_site`: this server with Daphne's command line, for TLS, Unix sockets and inherited sockets.

`manage.py serve` is the short way; both serve the same application with the same server.
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vx11_site.settings")
django.setup(set_prefix=False)

from vx11_site.server.daphne import SERVER_NAME, OperatorCommandLine  # noqa: E402 - needs the apps to be loaded

if __name__ == "__main__":
    OperatorCommandLine().run(["--server-name", SERVER_NAME, *sys.argv[1:], "vx11_site.asgi:application"])
