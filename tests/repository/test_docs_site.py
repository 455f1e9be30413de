"""`make docs`: every document is a page, every link leads somewhere, and nothing is asked of other servers."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.repository import tree
from tests.repository.tree import ROOT

pytestmark = pytest.mark.timeout(240)

# What a browser fetches by itself, by element and attribute; <link> only of these kinds.
FETCHED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("link", "href")}
NOT_FETCHED = {"canonical", "next", "prev", "edit", "license"}
# In the theme's script, and asked for only by pages with a diagram of Mermaid or in browsers from before 2020.
NEVER_ASKED = {"https://unpkg.com/mermaid", "https://unpkg.com/resize-observer-polyfill"}


class Page(HTMLParser):
    """The links, anchors and fetched files of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.fetched: list[str] = []
        self.has_diagram = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self.has_diagram |= "mermaid" in values.get("class", "").split()
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel", "") in NOT_FETCHED:
            return
        self.fetched += [values[name] for name in ("src", "href") if (tag, name) in FETCHED and name in values]


def build(folder: Path, *, root: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", **variables}
    return subprocess.run(command, cwd=root, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_document_is_a_page(site: Path) -> None:
    written = [path.relative_to("docs") for path in tree.files() if path.parts[0] == "docs" and path.suffix == ".md"]
    made = [path.with_name("index.html") if path.name == "README.md" else path.with_suffix(".html") for path in written]
    expected = [*made, Path("index.html"), Path("changelog.html"), Path("contributing.html"), Path("adr/index.html")]
    assert [str(path) for path in expected if not (site / path).exists()] == []


def test_every_page_can_be_reached_by_the_navigation(site: Path, pages: dict[Path, Page]) -> None:
    start = {(site / urlsplit(link).path).resolve() for link in pages[site / "index.html"].links}
    reached: set[Path] = set()
    following = [site / "index.html"]
    while following:
        page = following.pop().resolve()
        if page in reached or page not in {path.resolve() for path in pages}:
            continue
        reached.add(page)
        following += [page.parent / unquote(urlsplit(link).path) for link in pages[page].links if is_local(link)]
    assert start
    assert {path.resolve() for path in pages} - reached - {(site / "404.html").resolve()} == set()


def is_local(link: str) -> bool:
    return not urlsplit(link).scheme and not link.startswith("//")


def dead_links(pages: dict[Path, Page]) -> Iterator[str]:
    for path, page in pages.items():
        # The page for what does not exist is served at any address, so its links are absolute.
        for link in (link for link in page.links if is_local(link) and path.name != "404.html"):
            address = urlsplit(link)
            target = path if not address.path else (path.parent / unquote(address.path)).resolve()
            if not target.exists():
                yield f"{path.name}: {link}"
            elif address.fragment and target in pages and unquote(address.fragment) not in pages[target].anchors:
                yield f"{path.name}: {link} has no such heading"


def test_no_page_has_a_dead_link(pages: dict[Path, Page]) -> None:
    assert sum(len(page.links) for page in pages.values()) > 1000
    assert list(dead_links(pages)) == []


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    fetched = {(path.name, link) for path, page in pages.items() for link in page.fetched}
    assert {link for _, link in fetched if link.endswith(".css")}
    assert sorted((path, link) for path, link in fetched if not is_local(link) and not link.startswith("data:")) == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import )['\"]?(?:https?:)?//[^)]*", styles) == []
    scripts = "".join(path.read_text(encoding="utf-8") for path in (site / "assets").rglob("*.js"))
    assert set(re.findall(r"https://(?:unpkg|cdn|fonts|api)\.[a-z.]+/[a-z-]+", scripts)) <= {
        *NEVER_ASKED,
        # For the stars of a repository, which mkdocs.yml does not name.
        "https://api.github.com/repos",
        "https://api.github.com/users",
    }
    assert not any(page.has_diagram for page in pages.values())


@pytest.mark.parametrize("link", ["no-such-page.md", "api.md#no-such-heading", "../no-such-file.py"])
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path, link: str) -> None:
    for name in (".ci", "mkdocs.yml"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "docs/wrong.md").write_text(f"# Wrong\n\n[a]({link})\n")
    done = build(tmp_path / "site", root=tmp_path)
    assert done.returncode != 0
    assert "wrong.md" in done.stderr


def test_source_files_may_be_links_to_a_repository(tmp_path: Path) -> None:
    assert build(tmp_path, DOCS_SOURCE_URL="https://git.example.org/operator/blob/main").returncode == 0
    assert not (tmp_path / "source").exists()
    links = Page(tmp_path / "security.html").links
    assert "https://git.example.org/operator/blob/main/tests/security/test_canary.py" in links
