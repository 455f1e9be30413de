"""Plain English: words that hide who acts, and names of a dialect of our own, stay out of code and documents."""

import ast
import re
from pathlib import Path

import pytest

from tests.repository import tree

# What is held to the list. A folder joins when its text has been rewritten.
FOLDERS = (
    *(
        "vx11_site",
        "operator_api",
        "receivers",
        "watches",
        "events",
        "gateway",
        "ledger",
        "vx11_client",
        "static",
        "templates",
        "docs",
        "deploy",
    ),
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile"),
)
NOT_YET: tuple[str, ...] = ()
# Written by tests: their words are names of tests.
GENERATED = ("docs/reliability.md", "docs/security-cases.md")

# Parts of software have names: the writer, the caller, another process.
PRONOUNS = ("nobody", "whoever", "somebody", "anybody")
# Old names of modules and things; docs/glossary.md has the terms that are used instead.
OLD_NAMES = (
    *("neighbour", "neighbours", "outlet", "outlets", "readership", "sighting", "sightings", "upkeep"),
    *("mishap", "mishaps", "judgement", "goodbye", "goodbyes", "stranger", "strangers"),
)
WORDS = re.compile(rf"\b(?:{'|'.join((*PRONOUNS, *OLD_NAMES))})\b", re.IGNORECASE)
# Words that clients or clusters know: they stay as they are.
ALLOWED = {
    Path("docs/roles.md"): "`nobody`",
    Path("deploy/kubernetes/network-policies.yaml"): "name: nobody",
    Path("deploy/helm/templates/network-policies.yaml"): "name: nobody",
    Path("gateway/backend/delegation.py"): '"nobody"',
}

# Parts of names: a function that publishes, receives or closes says so.
DIALECT = frozenset({"tell", "tells", "told", "hear", "hears", "heard", "said", *PRONOUNS, *OLD_NAMES})


def is_held(path: Path) -> bool:
    def within(folders: tuple[str, ...]) -> bool:
        return any(path.is_relative_to(folder) for folder in folders)

    return within(FOLDERS) and not within((*NOT_YET, *GENERATED))


def texts() -> dict[Path, str]:
    return {path: text for path, text in tree.texts().items() if is_held(path)}


def found_in(path: Path, text: str) -> list[str]:
    text = text.replace(ALLOWED.get(path, "\0"), "")
    lines = enumerate(text.splitlines(), start=1)
    return [f"{path}:{number}: {word[0]}" for number, line in lines for word in WORDS.finditer(line)]


def names_in(text: str) -> set[str]:
    """Every name that the module gives: of functions, classes, parameters, variables and attributes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.arg():
                names.add(node.arg)
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
            case ast.Attribute(ctx=ast.Store()):
                names.add(node.attr)
    return names


def dialect_in(path: Path, text: str) -> list[str]:
    parts = {name: set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower())) for name in names_in(text)}
    return [f"{path}: {name}" for name, words in sorted(parts.items()) if words & DIALECT]


def test_no_text_hides_who_acts_or_uses_an_old_name() -> None:
    assert [word for path, text in texts().items() for word in found_in(path, text)] == []


def test_no_name_is_of_the_old_dialect() -> None:
    python = {path: text for path, text in texts().items() if path.suffix == ".py"}
    assert [name for path, text in python.items() for name in dialect_in(path, text)] == []


@pytest.mark.parametrize("word", WORDS.pattern.removeprefix(r"\b(?:").removesuffix(r")\b").split("|"))
def test_every_word_of_the_list_is_found(word: str) -> None:
    assert found_in(Path("docs/x.md"), f"first\n{word.title()} reads it.") == [f"docs/x.md:2: {word.title()}"]


@pytest.mark.parametrize(
    "name", ["def told(): ...", "def read(*, heard=1): ...", "class TellAll: ...", "self.said = 1"]
)
def test_a_name_of_the_dialect_is_found(name: str) -> None:
    assert len(dialect_in(Path("gateway/x.py"), name)) == 1


def test_every_folder_and_every_exception_is_still_there() -> None:
    everything = tree.texts()
    for folder in (*FOLDERS, *NOT_YET, *GENERATED):
        assert any(path.is_relative_to(folder) for path in everything), folder
    assert [path for path, text in ALLOWED.items() if text not in everything.get(path, "")] == []
