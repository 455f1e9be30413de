"""The wheel of the whole program, for `pip install`: what pyproject.toml cannot say.

Templates, static files, translations and deploy files lie beside the packages in the checkout, and inside one of them
in the wheel (see vx11_site/installation.py). The commit it was built from goes along, and the licences of others.
"""

import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
APPS = ("vx11_site", "gateway", "watches", "receivers", "operator_api", "events", "ledger", "vx11_client")
FILES = ("templates", "static", "locale", "deploy")
LICENCES = ROOT / "THIRD-PARTY-LICENSES.txt"
# What belongs to one machine, as in .gitignore.
OF_A_MACHINE = ("secrets", ".env", "metrics-token", "__pycache__")


class BuildWithFiles(build_py):
    def run(self) -> None:
        super().run()
        package = Path(self.build_lib) / "vx11_site"
        for folder in FILES:
            target = package / "share" / folder
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns(*OF_A_MACHINE))
        # `make dist` has written it; a wheel that is built by other means has none.
        if LICENCES.exists():
            shutil.copy2(LICENCES, package / "share" / LICENCES.name)
        sys.path.insert(0, str(ROOT))
        from vx11_site import release

        (package / release.COMMIT_FILE.name).write_text(f"{release.commit()}\n")


setup(
    packages=[name for app in APPS for name in (app, *(f"{app}.{room}" for room in find_packages(app)))],
    package_data={"vx11_client": ["py.typed"]},
    cmdclass={"build_py": BuildWithFiles},
)
