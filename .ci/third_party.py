"""What the wheel of the program needs or contains of others: their licences, and a list for machines.

    third_party.py licences FILE    the texts of all licences: of packages in requirements.lock, and of files in static/
    third_party.py sbom FILE        the same packages with versions, hashes, licences and who needs them, as CycloneDX

Reads what is installed here, so it runs in the environment of the checkout (`make dist`). Ends with an error for a
package whose licence is not known.
"""

import dataclasses
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_expression, is_supported_id
from cyclonedx.validation.json import JsonStrictValidator
from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)(?: ; (.*?))? \\$")
LICENCE_FILE = re.compile(r"(^|[._-])(licen[cs]es?|copying|notice)([._-]|$)", re.IGNORECASE)
# Packages for other systems or interpreters, which are not installed here: read from their pages.
OF_OTHER_SYSTEMS = {
    "async-timeout": "Apache-2.0",
    "httpx2-jsfetch": "BSD-3-Clause",
    "tzdata": "Apache-2.0",
    "u-msgpack-python": "MIT",
}
# What packages call their licence, where it is no SPDX expression; each was compared with the text in the package.
SPDX_OF = {
    "Apache": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "MIT License": "MIT",
}
VERSION_OF_FORMAT = "1.6"


class UnknownLicence(Exception):
    """A package does not say how it is licensed, or brings no text of its licence."""


@dataclasses.dataclass(frozen=True)
class Package:
    name: str
    version: str
    licence: str
    # By the name of their file; empty for packages of other systems.
    texts: dict[str, str]


def packages(lock: Path = LOCK) -> list[Package]:
    """Of each name the one for this system, or else one for another. Raises UnknownLicence."""
    found: dict[str, Package] = {}
    for line in lock.read_text().splitlines():
        if not (match := PIN.match(line)):
            continue
        name, version, marker = match.groups()
        if not marker or Marker(marker).evaluate():
            found[name] = _installed(name)
        elif name not in found:
            found[name] = Package(name, version, OF_OTHER_SYSTEMS.get(name, ""), {})
    if unknown := [package.name for package in found.values() if not package.licence]:
        raise UnknownLicence(f"no licence is known of: {', '.join(unknown)}")
    return [found[name] for name in sorted(found)]


def _installed(name: str) -> Package:
    distribution = metadata.distribution(name)
    files = [path for path in distribution.files or [] if LICENCE_FILE.search(path.name) and path.suffix != ".py"]
    texts = {str(path): Path(str(path.locate())).read_text(encoding="utf-8", errors="replace") for path in files}
    if not texts:
        raise UnknownLicence(f"{name} has no file with its licence")
    return Package(name, distribution.version, _declared(distribution.metadata), texts)


def _declared(fields: Any) -> str:
    """The expression, or else what the older field says in one line, or else the classifier."""
    classifiers = [text for text in fields.get_all("Classifier") or [] if text.startswith("License ::")]
    plain = (fields.get("License") or "").strip()
    said = fields.get("License-Expression") or (plain if plain and "\n" not in plain else "")
    said = said or " OR ".join(text.rpartition(" :: ")[2] for text in classifiers)
    return SPDX_OF.get(said, said)


def vendored() -> dict[str, str]:
    """Texts of licences in static/, by their path there: each lies beside the files that it is about."""
    found = [path for path in (ROOT / "static").rglob("*") if path.is_file() and LICENCE_FILE.search(path.name)]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(found)}


def notice() -> str:
    """All licences in one text: a list, and below it what each says."""
    known = packages()
    lines = [
        "VX11 Operator requires these packages, and contains the files named below them. Each has its own licence.",
        "",
        *(f"{package.name} {package.version}: {package.licence}" for package in known),
        *vendored(),
    ]
    texts = [(f"{one.name} {one.version}", path, text) for one in known for path, text in one.texts.items()]
    texts += [("in this package", path, text) for path, text in vendored().items()]
    for owner, path, text in texts:
        lines += ["", "=" * 80, f"{owner}: {path}", "=" * 80, "", text.strip()]
    return "\n".join(lines) + "\n"


def bill_of_materials(version: str) -> str:
    """CycloneDX in JSON, the same for the same lock file and version."""
    command = [str(Path(sys.executable).with_name("cyclonedx-py")), "requirements", str(LOCK), "--output-reproducible"]
    command += ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", "--sv", VERSION_OF_FORMAT]
    made = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - no word is of others
    bill: dict[str, Any] = json.loads(made.stdout)
    licences = {package.name: package.licence for package in packages()}
    names: dict[str, list[str]] = {}
    for component in bill["components"]:
        # The requirement's line, with its hashes, which are there as hashes too.
        del component["description"]
        component["licenses"] = [_licence(licences[component["name"]])]
        names.setdefault(component["name"], []).append(component["bom-ref"])
    root = bill["metadata"]["component"]
    root["version"] = version
    needs: dict[str, set[str]] = {root["bom-ref"]: set()}
    for name, parents in needed_by(LOCK.read_text()).items():
        for parent in parents:
            for reference in names.get(parent, [root["bom-ref"]]):
                needs.setdefault(reference, set()).update(names[name])
    references = [root["bom-ref"], *(reference for each in names.values() for reference in each)]
    bill["dependencies"] = [
        {"ref": reference, **({"dependsOn": sorted(needs[reference])} if needs.get(reference) else {})}
        for reference in sorted(references)
    ]
    text = json.dumps(bill, indent=1, sort_keys=True) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.from_version(VERSION_OF_FORMAT)).validate_str(text):
        raise ValueError(f"this is no CycloneDX: {problem}")
    return text


def needed_by(lock: str) -> dict[str, set[str]]:
    """Of each package those that require it, as the comments of the lock file have it; `-r ...` is the program."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in lock.splitlines():
        if match := PIN.match(line):
            name = match[1]
        elif line.startswith("    #") and (parent := line.strip("# ").removeprefix("via").strip()):
            found.setdefault(name, set()).add(parent)
    return found


def _licence(said: str) -> dict[str, Any]:
    if is_supported_id(said):
        return {"license": {"id": said, "acknowledgement": "declared"}}
    if is_expression(said):
        return {"expression": said, "acknowledgement": "declared"}
    return {"license": {"name": said, "acknowledgement": "declared"}}


def main(what: str, target: str, version: str = "") -> None:
    text = notice() if what == "licences" else bill_of_materials(version)
    Path(target).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
