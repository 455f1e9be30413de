#!/usr/bin/env python
"""Command line of VX11 Operator: `manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    if sys.argv[1:] == ["version"]:
        # Django's own answer would be Django's version.
        from vx11_site import __version__

        print(__version__)  # noqa: T201 - that is what was asked for
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vx11_site.settings")
    from vx11_site.environment import BadEnvironment

    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here. Run `make install`, then use `.venv/bin/python manage.py`.")
    try:
        execute_from_command_line(sys.argv)
    except BadEnvironment as error:
        sys.exit(f"{error}. docs/settings.md describes every setting.")


if __name__ == "__main__":
    main()
