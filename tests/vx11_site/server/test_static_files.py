"""The files of our own pages: what is sent, what browsers keep, and what is no file."""

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.templatetags.static import static
from pytest_django import Settings

from vx11_site import minified
from vx11_site.server.static_files import StaticHandler

PATH = "/static/events/event-client.js"
ADDRESS = static("events/event-client.js")
CONTENT = Path("static/events/event-client.js").read_bytes()
MINIFIED = minified.served(Path("static/events/event-client.js"))


class Answer:
    def __init__(self, messages: list[Mapping[str, Any]]) -> None:
        start, *rest = messages
        self.status: int = start["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        self.content = b"".join(message.get("body", b"") for message in rest)


async def ask(path: str = PATH, method: str = "GET", handler: StaticHandler | None = None, **headers: str) -> Answer:
    messages: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        messages.append(message)

    given = {"host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await (handler or StaticHandler())(scope, receive, send)
    return Answer(messages)


async def test_a_file_comes_whole_with_what_lets_a_browser_keep_it_and_nothing_that_harms() -> None:
    answer = await ask(x_correlation_id="c-9")
    assert (answer.status, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == 'text/javascript; charset="utf-8"'
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["cache-control"] == "max-age=60, public"
    assert (answer.headers["x-content-type-options"], answer.headers["x-correlation-id"]) == ("nosniff", "c-9")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_page_names_files_by_addresses_that_browsers_keep_without_asking(settings: Settings) -> None:
    assert re.fullmatch(r"/static/v-[0-9a-f]{12}/events/event-client\.js", ADDRESS)
    answer = await ask(ADDRESS)
    assert (answer.status, answer.content) == (200, MINIFIED)
    assert answer.headers["cache-control"] == "max-age=31536000, public, immutable"
    kept = await ask(ADDRESS, if_none_match=answer.headers["etag"])
    assert (kept.status, kept.content, kept.headers["cache-control"]) == (304, b"", answer.headers["cache-control"])


@pytest.mark.parametrize("name", ["events/event-client.js", "operator_api/console.css", "operator_api/favicon.svg"])
async def test_such_files_have_no_comments_the_same_policy_and_are_compressed(name: str) -> None:
    source = (Path("static") / name).read_bytes()
    plain, zipped = await ask(static(name)), await ask(static(name), accept_encoding="br, gzip")
    head = await ask(static(name), "HEAD", accept_encoding="gzip")
    original = await ask(f"/static/{name}")
    assert original.content == source
    for field in ("content-type", "content-security-policy", "x-content-type-options"):
        assert {each.headers[field] for each in (plain, zipped, head)} == {original.headers[field]}
    if name.endswith(".svg"):
        assert plain.content == zipped.content == source
        return
    assert b"/*" in source
    assert b"/*" not in plain.content
    assert len(plain.content) < len(source)
    assert (zipped.headers["content-encoding"], gzip.decompress(zipped.content)) == ("gzip", plain.content)
    assert zipped.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert (head.content, head.headers["content-length"]) == (b"", str(len(zipped.content)))


async def test_while_one_develops_files_are_as_they_were_written(settings: Settings) -> None:
    settings.STATIC_URL = "/static/"
    assert (await ask(static("events/event-client.js"))).content == CONTENT


async def test_the_digest_of_another_release_is_answered_and_not_kept() -> None:
    answer = await ask("/static/v-0123456789ab/events/event-client.js")
    assert (answer.status, answer.content) == (200, MINIFIED)
    assert answer.headers["cache-control"] == "max-age=60, public"


def test_the_digest_changes_with_the_bytes_of_any_file_and_with_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one.js").write_text("1")
    first = minified.digest(tmp_path)
    (tmp_path / "a/one.js").write_text("/** One. */\n1  // And only.\n")
    assert minified.digest(tmp_path) == first
    (tmp_path / "a/one.js").write_text("2")
    second = minified.digest(tmp_path)
    (tmp_path / "a/one.js").rename(tmp_path / "a/two.js")
    assert len({first, second, minified.digest(tmp_path)}) == 3


async def test_head_has_the_headers_alone() -> None:
    answer = await ask(method="HEAD")
    assert (answer.status, answer.content, answer.headers["content-length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_a_browser_still_has_is_not_sent_again(method: str) -> None:
    kept = await ask()
    for validator in (
        {"if_none_match": kept.headers["etag"]},
        {"if_none_match": "*"},
        {"if_none_match": f'"another", W/{kept.headers["etag"]}'},
        {"if_modified_since": kept.headers["last-modified"]},
    ):
        answer = await ask(method=method, **validator)
        assert (answer.status, answer.content) == (304, b"")
        assert answer.headers["etag"] == kept.headers["etag"]
        assert {"content-type", "content-length"}.isdisjoint(answer.headers)


@pytest.mark.parametrize("known", ['"another"', "", "another", 'W/"another", "**"'])
async def test_what_a_browser_has_of_another_version_is_sent(known: str) -> None:
    assert (await ask(if_none_match=known)).status == 200


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=0-0", "bytes=-0", "bytes=--5", "bytes=" + "9" * 5000 + "-"])
async def test_files_come_whole_whatever_part_is_asked_for(asked: str) -> None:
    answer = await ask(range=asked, if_range='"another"')
    assert (answer.status, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_files_are_only_read_and_a_refusal_looks_like_any_other(method: str) -> None:
    answer = await ask(method=method)
    assert (answer.status, answer.headers["content-type"]) == (405, "application/problem+json")
    assert json.loads(answer.content)["reason"] == "method_not_allowed"
    assert "GET, HEAD" in answer.headers["allow"]


async def test_another_host_is_refused() -> None:
    answer = await ask(host="elsewhere.example")
    assert (answer.status, json.loads(answer.content)["reason"]) == (400, "bad_request")


async def test_a_file_that_has_gone_since_the_start_is_not_found(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "ours.css").write_text("p {}")
    handler = StaticHandler()
    assert (await ask("/static/ours.css", handler=handler)).content == b"p {}"
    (tmp_path / "ours.css").unlink()
    answer = await ask("/static/ours.css", handler=handler)
    assert (answer.status, json.loads(answer.content)["reason"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/static/v-0123456789ab/",
        "/static/v-0123/events/event-client.js",
        "/static/",
        "/static",
        "/static/events",
        "/static/events/../events/event-client.js",
        "/static//etc/passwd",
    ]
    + ["/static/events/event-client.js/", "/static/settings.py", "/", ""],
)
def test_only_names_of_files_are_files(path: str) -> None:
    assert StaticHandler().has(PATH)
    assert not StaticHandler().has(path)
