"""What `make dist` says of the work of others: of each package its licence, as a text and as a list for machines."""

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.repository.test_requirements import pins
from tests.repository.tree import ROOT


@pytest.fixture(scope="module")
def third_party() -> ModuleType:
    spec = importlib.util.spec_from_file_location("third_party", ROOT / ".ci/third_party.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bill(third_party: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(third_party.bill_of_materials("1.2.3"))
    return found


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Installs a package with these fields and files; gives a lock file with it alone."""

    def install(fields: str, **texts: str) -> Path:
        folder = tmp_path / "example-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: example\nVersion: 1.0\n{fields}\n")
        for name, text in texts.items():
            (folder / name).write_text(text)
        names = ["METADATA", *texts, "RECORD"]
        (folder / "RECORD").write_text("".join(f"example-1.0.dist-info/{name},,\n" for name in names))
        monkeypatch.syspath_prepend(str(tmp_path))
        lock = tmp_path / "requirements.lock"
        lock.write_text("example==1.0 \\\n    --hash=sha256:00\n    # via -r requirements.txt\n")
        return lock

    return install


def test_every_package_has_a_licence_and_its_text(third_party: ModuleType) -> None:
    known = {package.name: package for package in third_party.packages()}
    assert set(known) == set(pins("requirements.lock"))
    assert all(package.licence for package in known.values())
    assert {name for name, package in known.items() if not package.texts} <= set(third_party.OF_OTHER_SYSTEMS)
    text = third_party.notice()
    for package in known.values():
        assert f"\n{package.name} {package.version}: {package.licence}\n" in text
    assert "Permission is hereby granted" in text


def test_a_package_that_does_not_say_its_licence_stops_it(
    third_party: ModuleType, package: Callable[..., Path]
) -> None:
    with pytest.raises(third_party.UnknownLicence, match="example"):
        third_party.packages(package("Summary: of nothing", LICENSE="All rights reserved"))


def test_a_package_without_the_text_of_its_licence_stops_it(
    third_party: ModuleType, package: Callable[..., Path]
) -> None:
    with pytest.raises(third_party.UnknownLicence, match="example"):
        third_party.packages(package("License-Expression: MIT"))


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: Apache License, Version 2.0", "Apache-2.0"),
        ("License: Copyright (c) one\n        two\nClassifier: License :: OSI Approved :: MIT License", "MIT"),
    ],
)
def test_a_licence_is_read_from_whichever_field_has_it(
    third_party: ModuleType, package: Callable[..., Path], fields: str, licence: str
) -> None:
    (found,) = third_party.packages(package(fields, LICENSE="the text"))
    assert (found.licence, list(found.texts.values())) == (licence, ["the text"])


def test_code_of_others_in_static_has_its_licence_beside_it(third_party: ModuleType) -> None:
    folders = {path for path in (ROOT / "static").rglob("vendor/*") if path.is_dir()}
    licensed = {(ROOT / path).parent for path in third_party.vendored()}
    assert folders - licensed == set()


def test_the_list_for_machines_names_versions_licences_and_who_needs_what(bill: dict[str, Any]) -> None:
    locked = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    found = {(component["name"], component["version"]) for component in bill["components"]}
    assert found == set(locked)
    assert all(component["licenses"] for component in bill["components"])
    references = {component["bom-ref"]: component["name"] for component in bill["components"]}
    root = bill["metadata"]["component"]
    assert (root["name"], root["version"]) == ("vx11-operator", "1.2.3")
    needs = {each["ref"]: {references[name] for name in each.get("dependsOn", [])} for each in bill["dependencies"]}
    assert needs[root["bom-ref"]] == set(pins("requirements.txt"))
    (django,) = (reference for reference, name in references.items() if name == "django")
    assert needs[django] >= {"asgiref", "sqlparse"}


def test_the_list_for_machines_is_the_same_each_time(third_party: ModuleType, bill: dict[str, Any]) -> None:
    assert json.loads(third_party.bill_of_materials("1.2.3")) == bill
