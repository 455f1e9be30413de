#!/usr/bin/env python
"""Command line of VX11 Operator: `manage.py help` lists what it can do."""

import os
import sys

# As a shell has it for a command that SIGPIPE ended.
EXIT_NOBODY_READS = 141


def main() -> None:
    if sys.argv[1:] == ["version"]:
        # Django's own answer would be Django's version.
        from vx11_site import release

        print(release.version())  # noqa: T201 - that is what was asked for
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vx11_site.settings")
    from vx11_site.config.environment import BadEnvironment

    try:
        from django.core.management import execute_from_command_line
        from django.db import OperationalError

        from vx11_client.terminal_text import shown_lines
        from vx11_site.config.postgres import known_repair
    except ImportError:
        sys.exit("Django is not installed here. Run `make install`, then use `.venv/bin/python manage.py`.")
    try:
        execute_from_command_line(sys.argv)
    except BadEnvironment as error:
        sys.exit(f"{error}. docs/settings.md describes every setting.")
    except OperationalError as error:
        if not (repair := known_repair(error)):
            raise
        sys.exit(f"The database cannot be asked: {shown_lines(str(error))}\n{repair}")
    except BrokenPipeError:
        # `| head` has seen enough. What Python still holds cannot be written either, and must not be tried at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_NOBODY_READS)


if __name__ == "__main__":
    main()
