"""Which file of a front end's folder answers which address; and above all which never does."""

import os
from pathlib import Path

import pytest

from vx11_site.config.environment import BadEnvironment, Environment
from vx11_site.server import front_end
from vx11_site.server.front_end import FOR_EVER, PATH_LIMIT_CHARACTERS, File, FileChanged, find

PAGE = "<title>the page</title>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets" / "app.js").write_text("export {}")
    (folder / "LICENSE").write_text("free")
    return folder


def content(folder: Path, name: str, *, may_be_page: bool = False) -> str | None:
    found = find(folder, name, may_be_page=may_be_page)
    return None if found is None else found[0].path.read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "": PAGE,
        "index.html": PAGE,
        "assets/app.js": "export {}",
        "LICENSE": "free",
        "a.js": None,
        "assets": None,
    }.items(),
)
def test_a_file_answers_its_own_address(folder: Path, name: str, expected: str | None) -> None:
    assert content(folder, name) == expected


@pytest.mark.parametrize("name", ["modules", "modules/hermes", "modules/", "assets", "assets/"])
def test_an_address_of_the_application_is_answered_with_its_page_to_browsers_alone(folder: Path, name: str) -> None:
    assert content(folder, name, may_be_page=True) == PAGE
    assert content(folder, name) is None


@pytest.mark.parametrize("name", ["assets/gone.js", "modules/hermes.v2", "LICENSE/", "index.html/"])
def test_what_looks_like_a_file_and_is_none_is_not_the_page(folder: Path, name: str) -> None:
    assert content(folder, name, may_be_page="." in name) is None


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt", "assets/../../secret.txt", "..", "../", "/etc/passwd", "//etc/passwd", "./index.html",
        "assets//app.js", "assets\\app.js", "..\\secret.txt", ".env", ".git/config", "assets/.map", "index.html\0",
        "in\ndex.html", "a" * (PATH_LIMIT_CHARACTERS + 1), "a" * 300,
    ],
)  # fmt: skip
def test_no_address_leads_out_of_the_folder_or_to_what_is_hidden(folder: Path, name: str) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    (folder / ".git").mkdir()
    for hidden in (".env", ".git/config", "assets/.map"):
        (folder / hidden).write_text("secret")
    assert content(folder, name) is None
    assert content(folder, name, may_be_page=True) in (None, PAGE)


def test_links_are_followed_within_the_folder_and_never_out_of_it(folder: Path) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    (folder / ".hidden").write_text("secret")
    for name, target in {
        "out.txt": "../secret.txt", "outside": "..", "hidden.txt": ".hidden", "round.txt": "round.txt",
        "nowhere.txt": "gone.txt", "copy.js": "assets/app.js",
    }.items():  # fmt: skip
        (folder / name).symlink_to(target)
    assert content(folder, "copy.js") == "export {}"
    for name in ("out.txt", "outside/secret.txt", "hidden.txt", "round.txt", "nowhere.txt"):
        assert content(folder, name) is None, name


def test_the_folder_itself_may_be_a_link_to_this_build_and_then_to_the_next(folder: Path) -> None:
    current = folder.parent / "current"
    current.symlink_to(folder)
    assert content(current, "") == PAGE
    following = folder.parent / "next"
    following.mkdir()
    (following / "index.html").write_text("the next page")
    current.unlink()
    current.symlink_to(following)
    assert content(current, "") == "the next page"
    assert content(current, "assets/app.js") is None


def test_what_is_no_file_or_may_not_be_read_is_not_there(folder: Path) -> None:
    os.mkfifo(folder / "pipe.js")
    assert content(folder, "pipe.js") is None
    assert find(folder.parent / "gone", "", may_be_page=True) is None


def test_builds_of_one_length_and_one_time_have_different_digests(folder: Path) -> None:
    page = folder / "index.html"
    digests = []
    for text in ("<script src=a-1.js>", "<script src=a-2.js>"):
        page.unlink()
        page.write_text(text)
        os.utime(page, (1, 1))
        found = find(folder, "", may_be_page=True)
        assert found is not None
        digests.append(found[1])
    assert digests[0] != digests[1]


def test_a_file_that_is_replaced_while_it_is_sent_is_not_mixed_with_the_other(folder: Path) -> None:
    found = find(folder, "assets/app.js", may_be_page=False)
    assert found is not None
    file: File = found[0]
    assert file.read(0) == b"export {}"
    file.path.write_text("export default 1")
    with pytest.raises(FileChanged):
        file.read(0)


@pytest.mark.parametrize(
    ("name", "hashed"),
    [
        ("index-4f9a1c2b.js", True), ("index-DiwrgT4a.css", True), ("main.4f9a1c2b.chunk.js", True),
        ("index-4f9a1c2b.js.map", True), ("index.html", False), ("app.js", False), ("event-client.js", False),
        ("photo-20260104.png", False), ("my-component.js", False), ("jquery-3.7.1.min.js", False),
    ],
)  # fmt: skip
def test_only_what_has_a_digest_in_its_name_is_kept_without_asking(name: str, hashed: bool) -> None:  # noqa: FBT001
    assert bool(front_end._HASHED.search(name)) == hashed
    assert "immutable" in FOR_EVER


@pytest.mark.parametrize("place", ["data", "data/ui", "."])
def test_a_folder_that_shows_the_data_folder_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "data" / "ui").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / place)
    for path in (tmp_path / place, tmp_path / "link", f"{tmp_path}/gone/../{place}"):
        with pytest.raises(BadEnvironment, match="VX11_UI_DIR"):
            Environment({"VX11_UI_DIR": str(path)}).folder("VX11_UI_DIR", apart_from=tmp_path / "data")


def test_another_folder_is_taken_as_it_was_named(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(tmp_path / "build-7")
    environment = Environment({"VX11_UI_DIR": f"{tmp_path}/current"})
    assert environment.folder("VX11_UI_DIR", apart_from=tmp_path / "data") == tmp_path / "current"
    assert Environment({}).folder("VX11_UI_DIR", apart_from=tmp_path) is None
