"""nginx as shipped, gateways and backends together: who comes through it sees one server that keeps its promises."""

import re
import ssl
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx2
import psycopg
import pytest

from tests.answers import assert_problem
from tests.client import API, Client, Json, raw_request
from tests.deploy.shipped_nginx import ShippedNginx
from tests.deploy.topology import Topology
from tests.servers import ROOT
from tests.stacks import HEARTBEAT_SECONDS
from tests.waiting import wait_until
from vx11_site import minified
from vx11_site.server.static_files import KEPT

STREAM = f"{API}/events/stream"
EVENTS = f"{API}/events"
KIB = 1024
STREAMS = 8

pytestmark = pytest.mark.timeout(120)


def lines_of(topology: Topology, correlation_id: str) -> list[Json]:
    return [line for line in topology.nginx.access_log() if line["correlation_id"] == correlation_id]


def test_a_ticket_of_one_process_opens_a_stream_at_another(topology: Topology) -> None:
    ticket = topology.client(topology.principal_token, server=topology.a).ticket()
    assert topology.client(None, server=topology.b).stream_status(token=ticket) == 200
    assert topology.client(None, server=topology.a).stream_status(token=ticket) == 401


def test_streams_are_spread_and_every_one_gets_what_was_published_anywhere(
    topology: Topology, proxied: Client, proxied_service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    with ExitStack() as opened:
        streams = [
            opened.enter_context(proxied.stream(token=proxied.ticket(), correlation_id=marker)) for _ in range(STREAMS)
        ]
        for stream in streams:
            stream.connected()
        ids = [proxied_service.published(new_event())["event_id"] for _ in range(STREAMS)]
        assert [[event["event_id"] for event in stream.events(STREAMS)] for stream in streams] == [ids] * STREAMS
    both = {f"127.0.0.1:{server.port}" for server in topology.servers}
    wait_until(
        lambda: both <= {line["upstream"] for line in topology.nginx.access_log() if line["path"] == f"{STREAM}?***"},
        "both gateways had streams",
    )


def test_nothing_of_a_stream_is_held_back(proxied: Client, proxied_service: Client) -> None:
    with proxied.stream(token=proxied.ticket(), correlation_id="nobody-uses-this") as stream:
        assert stream.connected().data["heartbeat_sec"] == HEARTBEAT_SECONDS
        stream.named("heartbeat", timeout_seconds=4 * HEARTBEAT_SECONDS)


def test_windows_and_chat_come_from_the_backends(topology: Topology, proxied: Client) -> None:
    assert proxied.get(f"{API}/window/status").json()["mode"] == "solo_madre"
    assert proxied.post(f"{API}/chat", json={"message": "hello"}).json()["status"] == "OFF_BY_POLICY"
    asked = [server for server in topology.backends if "/api/window/status" in server.process.log()]
    assert asked, "no backend was asked"
    assert not any("/operator/api/" in server.process.log() for server in topology.backends)


# --- who is who ---


def test_a_client_that_claims_another_address_is_known_by_its_own(topology: Topology) -> None:
    liar = topology.proxied("nobody-has-this-token")
    claims = {name: "203.0.113.7" for name in ("X-Real-IP", "X-Forwarded-For", "Forwarded")}
    assert_problem(liar.get(EVENTS, headers=claims), 401, "main_auth_failed", detail="invalid_token")

    def addresses() -> set[str]:
        with psycopg.connect(topology.a.environment["VX11_DATABASE_URL"]) as connection:
            rows = connection.execute("SELECT DISTINCT address FROM gateway_tokenaudit WHERE action = 'refused'")
            return {str(row[0]) for row in rows}

    wait_until(addresses, "the refusal is on record")
    assert addresses() == {"127.0.0.1"}


def test_one_correlation_id_is_in_the_answer_and_in_every_log(topology: Topology, proxied: Client, marker: str) -> None:
    answer = proxied.get(f"{API}/modules", headers={"X-Correlation-Id": marker})
    assert answer.headers["x-correlation-id"] == marker
    wait_until(lambda: len(lines_of(topology, marker)) == 1, "the id is in nginx's log")
    for servers in (topology.servers, topology.backends):
        wait_until(
            lambda servers=servers: any(marker in server.process.log() for server in servers),  # type: ignore[misc]
            "the id is in a log of each role",
        )


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, '"}'])
def test_an_id_that_is_none_is_replaced_by_a_uuid(topology: Topology, proxied: Client, given: str) -> None:
    # Not served by nginx itself, and served by it.
    for path in (f"{API}/window/status", "/metrics"):
        answer = proxied.get(path, headers={"X-Correlation-Id": given})
        assert uuid.UUID(answer.headers["x-correlation-id"]).version == 4
        correlation_id = answer.headers["x-correlation-id"]
        # nginx writes the line when the answer has gone.
        wait_until(lambda found=correlation_id: len(lines_of(topology, found)) == 1, "the id is in nginx's log")  # type: ignore[misc]


# --- what is refused at the door ---


@pytest.mark.parametrize("path", ["/metrics", "/vx11-operator/problem", "/api/window/status"])
def test_what_is_not_for_the_world_is_not_there(proxied: Client, path: str) -> None:
    assert_problem(proxied.get(path), 404, "not_found")


def test_limits_of_bodies_are_those_of_the_servers(proxied: Client, proxied_service: Client) -> None:
    headers = {"Content-Type": "application/json"}
    for client, path, limit in ((proxied, f"{API}/chat", 256 * KIB), (proxied_service, EVENTS, 4 * KIB * KIB)):
        assert client.post(path, content=b" " * limit, headers=headers).status_code != 413
        assert_problem(client.post(path, content=b" " * (limit + 1), headers=headers), 413, "payload_too_large")


@pytest.mark.parametrize("path", [EVENTS, f"{API}/v1/events?for=nothing"])
def test_an_event_is_published_by_each_of_its_addresses_and_polled_from_there(
    topology: Topology, proxied: Client, proxied_service: Client, new_event: Callable[..., Json], path: str, marker: str
) -> None:
    since, event = proxied.cursor(), new_event()
    answer = proxied_service.post(path, json=event, headers={"X-Correlation-Id": marker})
    assert answer.status_code == 201
    address = path.partition("?")[0]
    polled = proxied.get(address, params={"since": since, "correlation_id": event["correlation_id"]})
    assert [event["event_id"] for event in polled.json()["events"]] == [answer.json()["event_id"]]
    (line,) = wait_until(lambda: lines_of(topology, marker), "it is in the log, as it was asked for")
    assert line["path"].removesuffix("?***") == address


def test_a_body_that_does_not_say_its_length_is_measured_too(topology: Topology) -> None:
    head = f"POST {API}/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (64 * KIB, b" " * 64 * KIB)
    answer = raw_request(topology.nginx.url, [head.encode(), *[chunk] * 5, b"0\r\n\r\n"])
    assert (answer.status, answer.json()["reason"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "request_",
    [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ids=["no HTTP", "no host", "too long"],
)
def test_what_nginx_cannot_read_has_the_one_error_body(topology: Topology, request_: bytes) -> None:
    answer = raw_request(topology.nginx.url, request_)
    assert (answer.status, answer.json()["reason"]) == (400, "bad_request")
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]


def test_passwords_cannot_be_tried_fast(proxied: Client) -> None:
    answers = [proxied.post("/operator/login", data={"username": "x"}) for _ in range(30)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert_problem(refused, 429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    assert proxied.get("/operator/login").status_code == 200


# --- files ---


def test_static_files_come_from_disk_and_from_the_servers_what_is_not_there(topology: Topology) -> None:
    client, path = topology.proxied(None), "/static/events/event-client.js"
    assert client.get(path).status_code == 200
    file = topology.nginx.files / path.removeprefix("/")
    file.parent.mkdir(parents=True)
    file.write_text("// from disk\n")
    answer = client.get(path)
    assert (answer.text, answer.headers["x-content-type-options"]) == ("// from disk\n", "nosniff")
    assert "javascript" in answer.headers["content-type"]
    assert assert_problem(client.post(path), 405, "method_not_allowed")
    assert_problem(client.get("/static/nothing.js"), 404, "not_found")
    file.unlink()


def test_what_pages_load_comes_small_and_compressed_through_nginx_and_is_kept(topology: Topology) -> None:
    client, name = topology.proxied(None), "events/event-client.js"
    page = client.get("/operator/login").text
    digest = re.search(r"/static/(v-[0-9a-f]{12})/", page)
    assert digest is not None
    address = f"/static/{digest[1]}/{name}"
    zipped, plain = (client.get(address, headers={"Accept-Encoding": coding}) for coding in ("gzip", "identity"))
    assert zipped.content == plain.content == minified.served(ROOT / "static" / name)
    assert (zipped.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    assert zipped.headers["cache-control"] == plain.headers["cache-control"] == KEPT


def test_a_front_end_of_ones_own_is_served_from_disk(topology: Topology) -> None:
    folder = topology.nginx.files / "operator/ui"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text("<p>ours</p>\n")
    (folder / "app.js").write_text("// ours\n")
    (folder / ".env.js").write_text("secret\n")
    client = topology.proxied(None)
    assert {client.get(f"/operator/ui/{path}").text for path in ("", "events/today")} == {"<p>ours</p>\n"}
    assert client.get("/operator/ui/app.js").text == "// ours\n"
    # Neither a page where a script is wanted, nor what was copied along.
    for path in ("gone.js", ".env.js", ".git/config"):
        assert_problem(client.get(f"/operator/ui/{path}"), 404, "not_found")


@pytest.mark.parametrize("path", ["/metrics", "/static/own.css", "/operator/ui/own.css"])
def test_what_nginx_answers_over_tls_says_that_tls_stays(topology: Topology, path: str) -> None:
    file = topology.nginx.files / path[1:]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("p {}")
    named = {"over TLS": topology.nginx.https, "in the clear": topology.nginx.url}
    trusted = ssl.create_default_context(cafile=topology.nginx.certificate)
    with httpx2.Client(verify=trusted, trust_env=False) as client:
        found = {name: client.get(url + path).headers.get("strict-transport-security") for name, url in named.items()}
    assert found == {"over TLS": "max-age=31536000", "in the clear": None}


# --- TLS ---


def test_a_stream_over_tls_and_http2_gets_its_events(
    topology: Topology, proxied: Client, proxied_service: Client, new_event: Callable[..., Json], marker: str
) -> None:
    url = f"{topology.nginx.https}{STREAM}?token={proxied.ticket()}&correlation_id={marker}"
    command = ["curl", "--http2", "--silent", "--no-buffer", "--include", url]
    command += ["--cacert", str(topology.nginx.certificate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        assert curl.stdout.readline().strip() == "HTTP/2 200"
        try:
            while '"connected"' not in curl.stdout.readline():
                pass
            event_id = proxied_service.published(new_event())["event_id"]
            while event_id not in (line := curl.stdout.readline()):
                assert line
        finally:
            curl.terminate()
    wait_until(
        lambda: any(line["protocol"] == "HTTP/2.0" and line["status"] == 200 for line in topology.nginx.access_log()),
        "the stream is in the log",
    )


def test_port_80_leads_to_tls_and_forgets_the_query(topology: Topology) -> None:
    client = Client(topology.nginx.redirect_url, token=None, credentials=set())
    answer = client.get("/operator/a%0d%0aSet-Cookie:x", params={"token": "anything"})
    assert answer.status_code == 308
    assert re.fullmatch(r"https://127\.0\.0\.1/operator/a%0d%0aSet-Cookie:x", answer.headers["location"])


def test_port_80_answers_whoever_issues_certificates(topology: Topology) -> None:
    answers = topology.nginx.folder / "acme/.well-known/acme-challenge"
    answers.mkdir(parents=True)
    (answers / "name").write_text("proof")
    client = Client(topology.nginx.redirect_url, token=None, credentials=set())
    assert client.get("/.well-known/acme-challenge/name").text == "proof"
    assert client.get("/.well-known/acme-challenge/other").status_code == 404


# --- caches ---

CACHE = """
proxy_cache_path cache keys_zone=shared:1m;
proxy_cache shared;
proxy_cache_valid 200 1m;
add_header X-Cache $upstream_cache_status always;
"""


def test_an_address_with_too_many_streams_is_told_so_and_keeps_its_ticket(topology: Topology, proxied: Client) -> None:
    nginx = ShippedNginx(changes={"limit_conn vx11_streams 2000;": "limit_conn vx11_streams 1;"})
    nginx.gateways = topology.nginx.gateways
    ticket = proxied.ticket()
    with nginx:
        client = Client(nginx.url, token=topology.principal_token, credentials=topology.credentials)
        with client.stream() as stream:
            stream.connected()
            refused = client.get(STREAM, params={"token": ticket})
            assert_problem(refused, 429, "too_many_streams")
            assert int(refused.headers["retry-after"]) > 0
            assert client.get(f"{API}/window/status").status_code == 200
    assert topology.proxied(None).stream_status(token=ticket) == 200


@pytest.fixture
def cache(topology: Topology) -> Iterator[ShippedNginx]:
    """A second nginx before the same servers, with a cache."""
    nginx = ShippedNginx(beside=CACHE)
    nginx.gateways = topology.nginx.gateways
    with nginx:
        yield nginx


def test_whoever_switches_a_cache_on_mixes_nobodys_answers_up(
    topology: Topology, cache: ShippedNginx, proxied_service: Client, marker: str
) -> None:
    events = [{"event_type": "a", "summary": "a", "module": module, "correlation_id": marker} for module in "ab"]
    proxied_service.published(events)
    tokens = [topology.issue_token("principal", modules=(module,))[0] for module in "ab"]
    for path in (EVENTS, f"{API}/window/status", f"{API}/modules"):
        for token in tokens:
            client = Client(cache.url, token=token, credentials=topology.credentials)
            answer = client.get(path, params={"correlation_id": marker})
            assert (answer.status_code, answer.headers["x-cache"]) == (200, "MISS")
            if path == EVENTS:
                assert {event["module"] for event in answer.json()["events"]} == {"ab"[tokens.index(token)]}
        nobody = Client(cache.url, token=None, credentials=set())
        assert nobody.get(path, params={"correlation_id": marker}).status_code == 401
