"""The version that /health and metrics name: of a release alone, else with its commit."""

import subprocess
from pathlib import Path

import pytest

from vx11_site import __version__, release

NOWHERE = Path("/nowhere")


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    return tmp_path


def test_a_commit_that_is_no_release_is_named(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert release.version(checkout, NOWHERE) == f"{__version__}+g{commit[:12]}"


@pytest.mark.parametrize("kind", [[], ["-m", "annotated"]])
def test_a_tagged_release_is_its_version_and_the_commit_after_it_is_not(checkout: Path, kind: list[str]) -> None:
    git(checkout, "tag", f"v{__version__}", *kind)
    assert release.version(checkout, NOWHERE) == __version__
    git(checkout, "commit", "-q", "--allow-empty", "-m", "second")
    assert "+g" in release.version(checkout, NOWHERE)


def test_the_tag_of_another_version_is_no_release_of_this_one(checkout: Path) -> None:
    git(checkout, "tag", "v999.0.0")
    assert "+g" in release.version(checkout, NOWHERE)


def test_without_a_checkout_or_without_git_it_is_the_plain_version(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert release.version(tmp_path_factory.mktemp("image"), NOWHERE) == __version__
    monkeypatch.setattr(release, "PATH", "/nowhere")
    assert release.version(checkout, NOWHERE) == __version__


def test_an_image_names_the_commit_that_its_build_was_given(tmp_path: Path) -> None:
    file = tmp_path / "COMMIT"
    file.write_text("0123456789ABCDEF0123456789abcdef01234567\n")
    assert release.version(tmp_path, file) == f"{__version__}+g0123456789ab"
    file.write_text("main; rm -rf")
    assert release.version(tmp_path, file) == __version__
