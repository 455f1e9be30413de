"""The command line: `manage.py` of a checkout, and `vx11-operator` of an installation."""

import os
import sys

from vx11_site import installation, release

# As a shell has it for a command that SIGPIPE ended.
EXIT_NOBODY_READS = 141
USAGE = """\
usage: vx11-operator COMMAND [option ...]

An event log with a live stream, and a console for operators.

  run         make the database or bring it up to date, make first tokens, and serve
  serve       serve, and change nothing before
  doctor      look for what is wrong, and say what to do
  smoke       try a running server out, from token to stream
  receive-syslog
              receive syslog over TCP, TLS and UDP, and publish it to a running server
  manage      any command of the documents' `manage.py`; `vx11-operator manage help` lists them
  version     print the version

`vx11-operator COMMAND --help` describes one. What it stores is in {data};
VX11_DATA_DIR names another folder. It listens at http://127.0.0.1:8000/operator/ unless told otherwise.
"""
# Those that are often needed do without the word `manage`.
DIRECT = {"run": "run", "serve": "serve", "doctor": "doctor", "smoke": "smoke", "receive-syslog": "receive_syslog"}


def manage(words: list[str]) -> None:
    """Run a command; the first word is the program's name. Exits with the command's code, and without tracebacks for
    what a person can put right."""
    if words[1:] == ["version"]:
        # Django's own answer would be Django's version.
        print(release.version())  # noqa: T201 - that is what was asked for
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vx11_site.settings")
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    from vx11_client.terminal_text import shown_lines
    from vx11_site.config.environment import BadEnvironment

    try:
        execute_from_command_line(words)
    except BadEnvironment as error:
        sys.exit(f"{error}. docs/settings.md describes every setting.")
    except DatabaseError as error:
        if not (repair := _database_repair(error)):
            raise
        sys.exit(f"The database cannot be asked: {shown_lines(str(error))}\n{repair}")
    except BrokenPipeError:
        # `| head` has seen enough. What Python still holds cannot be written either, and must not be tried at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_NOBODY_READS)


def _database_repair(error: Exception) -> str:
    """What to do, if that is known; "" otherwise."""
    from vx11_site.config.postgres import known_repair
    from vx11_site.data import first_start

    path = first_start.sqlite_path()
    return first_start.sqlite_repair(error, path) if path else known_repair(error)


def operator() -> None:
    """`vx11-operator`."""
    word, *others = sys.argv[1:] or ["--help"]
    if word in DIRECT:
        manage([installation.NAME, DIRECT[word], *others])
    elif word in ("manage", "manage.py"):
        manage([f"{installation.NAME} manage", *(others or ["help"])])
    elif word in ("version", "--version"):
        manage([installation.NAME, "version"])
    elif word in ("help", "--help", "-h"):
        print(USAGE.format(data=installation.default_data_folder()), end="")  # noqa: T201 - that was asked for
    else:
        sys.exit(f"vx11-operator has no command {word!r}. `vx11-operator --help` lists those that it has.")
