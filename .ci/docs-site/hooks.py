"""Makes a site of docs/ as it is: README and the like are pages too, and links to files elsewhere lead to those files.

In the repository a page links to source files by relative paths. A site has no such files. They become part of it,
below `source/`, unless `extra.source_url` says where the repository is shown.
"""

import html
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
# By their names in the repository, those of the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-reports.md",
}
DECISIONS = "adr/index.md"
SOURCE = "source"
WORKER = "iframe-worker.js"
PICTURES = {".png", ".svg"}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
# The pages' nested lists are indented for CommonMark; this Markdown wants four spaces.
NESTED_ITEM = re.compile(r"^ {2,3}(?=[-*] )", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.mdx_configs["toc"] = {**config.mdx_configs.get("toc", {}), "slugify": anchor_of, "permalink": True}
    return config


def anchor_of(heading: str, separator: str) -> str:
    """As forges make them, so that a link to a heading works on both."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds what lies outside docs/, and completes the navigation."""
    texts = {f"docs/{file.src_uri}": file.content_string for file in files.documentation_pages()}
    texts |= {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=texts[name]))
    files.append(File.generated(config, DECISIONS, content=_list_of_decisions(texts)))
    files.append(File.generated(config, WORKER, abs_src_path=str(Path(__file__).with_name(WORKER))))
    if not config.extra["source_url"]:
        linked = {path for name, text in texts.items() for path in _outside(name, text)}
        for path in sorted(linked):
            files.append(_file_of_source(config, path))
    config.nav = _complete(config.nav, [file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    name = next((name for name, of_site in PAGES.items() if of_site == page.file.src_uri), f"docs/{page.file.src_uri}")
    if page.file.src_uri == DECISIONS:
        return markdown
    folder = posixpath.dirname(page.file.src_uri)

    def link(found: re.Match[str]) -> str:
        path = _path(name, found["path"])
        if (of_site := _place_in_site(path)) is None:
            url = str(config.extra["source_url"]).rstrip("/")
            if url:
                return f"{url}/{path}"
            of_site = _place_of_source(path)
        return posixpath.relpath(of_site, folder or ".") + (found["anchor"] or "")

    return _outside_code(markdown, lambda text: LINK.sub(link, NESTED_ITEM.sub("    ", text)))


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else change(part) for part in parts)


def _path(name: str, link: str) -> str:
    """The path in the repository that a link of this file means. Raises PluginError."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
    if path.startswith("..") or not (ROOT / path).exists():
        raise PluginError(f"{name} links to {link}, which does not exist")
    return path


def _place_in_site(path: str) -> str | None:
    """Where a file is that the site has of itself; None for a file of the source."""
    if path in PAGES:
        return PAGES[path]
    if path == "docs/adr":
        return DECISIONS
    if path.startswith("docs/"):
        inside = path.removeprefix("docs/")
        return f"{inside}/README.md" if (ROOT / path).is_dir() else inside
    return None


def _place_of_source(path: str) -> str:
    return f"{SOURCE}/{path}" if Path(path).suffix in PICTURES else f"{SOURCE}/{path}.html"


def _outside(name: str, text: str) -> Iterator[str]:
    """The files of the source to which it links; of a folder also what lies in it."""
    links: list[str] = []
    _outside_code(text, lambda part: links.extend(found["path"] for found in LINK.finditer(part)) or part)
    for link in links:
        path = _path(name, link)
        if _place_in_site(path) is not None:
            continue
        yield path
        if (ROOT / path).is_dir():
            yield from (f"{path}/{below.name}" for below in sorted((ROOT / path).iterdir()) if below.is_file())


def _file_of_source(config: MkDocsConfig, path: str) -> File:
    here, place = ROOT / path, _place_of_source(path)
    if here.suffix in PICTURES:
        return File.generated(config, place, abs_src_path=str(here))
    if here.is_dir():
        below = (f"{path}/{child.name}" for child in sorted(here.iterdir()) if child.is_file())
        places = (posixpath.relpath(_place_of_source(child), posixpath.dirname(place)) for child in below)
        content = "".join(f'<li><a href="{target}">{target.removesuffix(".html")}</a>' for target in places)
        content = f"<ul>{content}</ul>"
    else:
        content = f"<pre>{html.escape(here.read_text(encoding='utf-8'))}</pre>"
    head = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{path}</title>'
    return File.generated(config, place, content=f"{head}<h1>{path}</h1>{content}</html>\n")


def _list_of_decisions(texts: dict[str, str]) -> str:
    lines = [
        f"- [{text.splitlines()[0].removeprefix('# ')}]({posixpath.basename(name)})"
        for name, text in sorted(texts.items())
        if name.startswith("docs/adr/")
    ]
    return "\n".join(["# Decisions", "", *lines, ""])


def _complete(nav: list[Any], pages: list[str]) -> list[Any]:
    """The navigation with its patterns replaced, and at the end what it does not name."""
    named = {entry for entry in _entries(nav) if not entry.endswith("*.md")}
    left = sorted(page for page in pages if page not in named)

    def expanded(items: list[Any]) -> list[Any]:
        found: list[Any] = []
        for item in items:
            if isinstance(item, dict):
                found.append({title: expanded(below) for title, below in item.items()})
            elif item.endswith("*.md"):
                matching = [page for page in left if posixpath.dirname(page) == posixpath.dirname(item)]
                found += matching
                left[:] = [page for page in left if page not in matching]
            elif item in pages:
                found.append(item)
            else:
                raise PluginError(f"mkdocs.yml names {item}, which does not exist")
        return found

    complete = expanded(nav)
    return [*complete, {"More": left}] if left else complete


def _entries(nav: list[Any]) -> Iterator[str]:
    for item in nav:
        if isinstance(item, dict):
            for below in item.values():
                yield from _entries(below)
        else:
            yield item
