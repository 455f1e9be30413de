"""Where this program lies: in a checkout, or installed from a wheel. The one place that knows.

Templates, static files, translations and deploy files are folders of the checkout. A wheel has them in
`vx11_site/share`, so that all of it is in one package.
"""

import os
import shlex
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SHARE = PACKAGE / "share"
NAME = "vx11-operator"


def is_installed(share: Path = SHARE) -> bool:
    return share.is_dir()


# What is no Python: templates, static, locale, deploy.
FILES = SHARE if is_installed() else PACKAGE.parent


def call_of(python: Path, folder: Path) -> str:
    """How a person calls a command of a checkout, who is in its folder."""
    # The interpreter as it was called: where it leads to knows nothing of what is installed in the environment.
    shown = python.relative_to(folder) if python.is_relative_to(folder) else python
    return f"{shlex.quote(str(shown))} manage.py"


# The same, wherever this lies; for messages.
MANAGE = f"{NAME} manage" if is_installed() else call_of(Path(sys.executable), PACKAGE.parent)


def default_data_folder() -> Path:
    """`data` in a checkout. Of an installed program the user's own folder, by the XDG Base Directory Specification."""
    if not is_installed():
        return PACKAGE.parent / "data"
    # The specification wants a relative path to be ignored.
    home = Path(os.environ.get("XDG_DATA_HOME") or "")
    return (home if home.is_absolute() else Path.home() / ".local" / "share") / NAME
