#!/usr/bin/env python
"""Command line of VX11 Operator: `manage.py help` lists what it can do."""

import sys

if __name__ == "__main__":
    try:
        import django  # noqa: F401 - is it there?
    except ImportError:
        sys.exit("Django is not installed here. Run `make install`, then use `.venv/bin/python manage.py`.")
    from vx11_site import command_line

    command_line.manage(sys.argv)
