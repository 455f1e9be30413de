"""A Dockerfile as far as ours goes: its instructions in order, and the files that it would copy. No engine needed."""

import dataclasses
import fnmatch
import json
import re
import shlex
import shutil
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Of the form that needs no shell."""
        found: list[str] = json.loads(self.rest)
        return found


@dataclasses.dataclass(frozen=True)
class Dockerfile:
    """`stages` are lists of instructions, each beginning with its FROM."""

    stages: list[list[Instruction]]

    @classmethod
    def read(cls, path: Path) -> "Dockerfile":
        text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
        instructions = [Instruction(*line.split(maxsplit=1)) for line in lines]
        starts = [place for place, instruction in enumerate(instructions) if instruction.word == "FROM"]
        return cls([instructions[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)])

    @property
    def final(self) -> list[Instruction]:
        return self.stages[-1]

    def all(self, word: str) -> list[Instruction]:
        return [instruction for stage in self.stages for instruction in stage if instruction.word == word]

    def last(self, word: str) -> Instruction:
        """What counts in the image."""
        return [instruction for instruction in self.final if instruction.word == word][-1]

    def environment(self) -> dict[str, str]:
        words = [word for found in self.final if found.word == "ENV" for word in shlex.split(found.rest)]
        return dict(word.split("=", 1) for word in words)

    def copies(self) -> list[tuple[list[str], str]]:
        """Sources and target of what the final stage copies from the checkout."""
        found = [shlex.split(copy.rest) for copy in self.final if copy.word == "COPY"]
        return [(words[:-1], words[-1]) for words in found if not words[0].startswith("--from")]


class Ignored:
    """A .dockerignore: the last rule that fits decides."""

    def __init__(self, path: Path) -> None:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        self._rules = [(line.removeprefix("!"), not line.startswith("!")) for line in lines if line and line[0] != "#"]

    def __contains__(self, path: Path) -> bool:
        """`path` is relative to the checkout. A rule for a folder holds for all in it."""
        ignored = False
        for pattern, ignores in self._rules:
            names = [path.as_posix(), *(parent.as_posix() for parent in path.parents)]
            anywhere = pattern.removeprefix("**/")
            if any(fnmatch.fnmatchcase(name, pattern) for name in names) or (
                anywhere != pattern and any(fnmatch.fnmatchcase(part, anywhere) for part in path.parts)
            ):
                ignored = ignores
        return ignored


def copy_as_built(checkout: Path, files: list[Path], dockerfile: Dockerfile, ignored: Ignored, target: Path) -> None:
    """What the final stage's working folder holds after all its COPY."""
    for sources, to in dockerfile.copies():
        for source in map(Path, sources):
            found = [path for path in files if path == source or source in path.parents]
            assert found, f"COPY {source}: there is no such file"
            for path in (path for path in found if path not in ignored):
                place = target / (path.name if to == "./" else Path(to) / path.relative_to(source))
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(checkout / path, place)
