"""A front end of one's own under /operator/ui/: its files as they are, with the headers that they need."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.answers import assert_problem
from tests.client import LOOPBACK, Client, raw_request
from tests.conftest import POSTGRES
from tests.servers import ROOT
from tests.stacks import Size, Stack

pytestmark = pytest.mark.once

UI = "/operator/ui/"
FRONT_END = ROOT / "tests/browser/front_end"
SCRIPT = "assets/index-4f9a1c2b.js"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
# More than the pieces in which files are read, and than a connection takes at once.
LARGE_BYTES = 3_000_001


@pytest.fixture(scope="module")
def with_ui(stack_size: Size, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("with-ui")
    ui = folder / "ui"
    (ui / "assets").mkdir(parents=True)
    for path in ("index.html", SCRIPT):
        (ui / path).write_bytes((FRONT_END / path).read_bytes())
    (ui / "large.bin").write_bytes(bytes(range(251)) * (LARGE_BYTES // 251 + 1))
    (ui / "empty.txt").write_text("")
    (ui / ".env").write_text("secret")
    environment = {"VX11_UI_DIR": str(ui)}
    with Stack(stack_size, folder, postgres=pytestconfig.stash[POSTGRES], environment=environment) as stack:
        yield stack
        stack.assert_clean_logs()


@pytest.fixture
def visitor(with_ui: Stack) -> Client:
    """Somebody without any credential."""
    return with_ui.client(None)


def content_of(path: str) -> bytes:
    return (FRONT_END / path).read_bytes()


@pytest.mark.parametrize("path", ["", "index.html", "modules/hermes", "settings/"])
def test_the_page_answers_its_own_address_and_those_that_its_script_makes(visitor: Client, path: str) -> None:
    answer = visitor.get(UI + path, headers=BROWSER)
    assert (answer.status_code, answer.content) == (200, content_of("index.html"))
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize(("path", "cached"), [("", False), (SCRIPT, True), ("large.bin", False), ("gone.js", None)])
def test_every_answer_is_safe_from_guessing_and_framing_and_free_of_our_own_policy(
    visitor: Client,
    path: str,
    cached: bool | None,  # noqa: FBT001
) -> None:
    answer = visitor.get(UI + path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers
    assert "Content-Language" not in answer.headers or cached is None
    if cached is None:
        assert answer.headers["Cache-Control"] == "no-store"
    else:
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert ("immutable" in answer.headers["Cache-Control"]) == cached


def test_what_a_browser_has_already_is_not_sent_again_and_keeps_its_policy(visitor: Client) -> None:
    first = visitor.get(UI)
    again = visitor.get(UI, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert visitor.get(UI, headers={"If-None-Match": '"another"'}).status_code == 200


def test_head_says_what_get_would_and_sends_nothing(visitor: Client) -> None:
    get, head = visitor.get(UI + SCRIPT), visitor.request("HEAD", UI + SCRIPT)
    differing = {"date", "x-correlation-id", "transfer-encoding"}
    same = [{k: v for k, v in answer.headers.items() if k not in differing} for answer in (get, head)]
    assert same[0] == same[1]
    assert head.content == b""
    assert get.headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_a_large_file_comes_whole_and_an_empty_one_too(visitor: Client) -> None:
    answer = visitor.get(UI + "large.bin")
    assert answer.content == bytes(range(251)) * (LARGE_BYTES // 251 + 1)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    empty = visitor.get(UI + "empty.txt")
    assert (empty.status_code, empty.content, empty.headers["Content-Length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    "path",
    [
        "gone.js", "modules/hermes", "assets", "assets/", ".env", "..%2f..%2fmanage.py", "%2e%2e/data/secret_key",
        "assets%5c..%5c.env", "%2fetc/passwd", "assets//index-4f9a1c2b.js",
    ],
)  # fmt: skip
def test_what_is_not_a_file_of_it_is_the_one_refusal_to_a_script(visitor: Client, path: str) -> None:
    assert_problem(visitor.get(UI + path, headers={"Accept": "*/*"}), 404, "not_found")


def test_a_way_up_that_no_browser_would_send_leads_nowhere(with_ui: Stack) -> None:
    request = f"GET {UI}../../manage.py HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert raw_request(with_ui.a.url, request.encode()).status == 404


def test_only_reading_is_allowed(visitor: Client) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = visitor.request(method, UI)
        assert_problem(answer, 405, "method_not_allowed")


def test_without_the_last_slash_the_way_to_the_page_is_shown(visitor: Client) -> None:
    answer = visitor.get(UI.rstrip("/"))
    assert (answer.status_code, answer.headers["Location"]) == (302, UI)


def test_a_token_in_its_address_is_refused_here_too(visitor: Client) -> None:
    assert_problem(visitor.get(UI, params={"token": "a-token-that-should-not-be-here"}), 400, "token_in_query")


def test_without_a_front_end_there_is_nothing(stack: Stack) -> None:
    for path in (UI, UI.rstrip("/"), UI + "index.html", UI + "modules"):
        assert_problem(stack.client(None).get(path), 404, "not_found")
        for_people = stack.client(None).get(path, headers=BROWSER)
        assert (for_people.status_code, for_people.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_server_does_not_start_with_a_folder_that_shows_its_data(stack: Stack) -> None:
    data = Path(stack.a.environment["VX11_DATA_DIR"])
    stack.a.environment["VX11_UI_DIR"] = str(data.parent)
    try:
        done = stack.a.run_manage("check")
    finally:
        del stack.a.environment["VX11_UI_DIR"]
    assert done.returncode != 0
    assert "VX11_UI_DIR lies in" in done.stderr


def test_the_rest_of_the_site_keeps_its_policy(with_ui: Stack) -> None:
    answer = httpx2.get(f"{with_ui.a.url}/operator/login", **LOOPBACK)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
