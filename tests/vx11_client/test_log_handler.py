"""VX11Handler: logging goes on as if it were not there, and what it loses is counted and said."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.processes import free_port
from tests.servers import ROOT
from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem, taken
from tests.waiting import wait_until
from vx11_client import Backoff, InvalidSettings, VX11Handler

TOKEN = "service-token"
Make = Callable[..., tuple[logging.Logger, VX11Handler]]


@pytest.fixture
def make() -> Iterator[Make]:
    """A logger of the test alone and its handler; closed at the end."""
    made: list[VX11Handler] = []

    def new(url: str, **options: object) -> tuple[logging.Logger, VX11Handler]:
        quick = {
            "backoff": Backoff(first_seconds=0.01, longest_seconds=0.05),
            "flush_seconds": 10,
            "linger_seconds": 0,
        }
        handler = VX11Handler(url, TOKEN, **{**quick, **options})  # type: ignore[arg-type]
        made.append(handler)
        logger = logging.Logger("shop.stock")
        logger.addHandler(handler)
        return logger, handler

    yield new
    for handler in made:
        handler.close()


def published(server: ScriptedServer) -> list[dict[str, object]]:
    return [event for request in server.requests for event in request.json["events"]]


def test_a_record_becomes_an_event(make: Make) -> None:
    with ScriptedServer(taken) as server:
        logger, handler = make(server.url, module="shop")
        logger.warning("%s is low", "stock", extra={"article": 4711, "correlation_id": "order-1"})
        handler.flush()
        assert handler.delivered_count == 1
    (event,) = published(server)
    assert (event["event_type"], event["summary"], event["severity"]) == ("log.record", "stock is low", "warn")
    assert (event["module"], event["correlation_id"]) == ("shop", "order-1")
    payload = event["payload"]
    assert isinstance(payload, dict)
    assert (payload["article"], payload["logger"], payload["level"]) == (4711, "shop.stock", "WARNING")
    assert (payload["function"], payload["file"]) == ("test_a_record_becomes_an_event", __file__)


def test_logging_does_not_wait_for_a_server_that_never_answers(make: Make) -> None:
    with ScriptedServer(lambda _request: Answer(201, body=never(server))) as server:
        logger, handler = make(server.url, flush_seconds=0.3)
        logger.error("first")
        wait_until(lambda: server.requests, "a request is under way")
        flushing = threading.Thread(target=handler.flush)
        flushing.start()
        started = time.monotonic()
        for number in range(100):
            logger.error("number %d", number)
        assert time.monotonic() - started < 0.25
        flushing.join(5)


def never(server: ScriptedServer) -> Iterator[bytes]:
    server.over.wait(30)
    yield b""


def test_a_full_queue_drops_the_newest_and_the_log_says_how_many_are_missing(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    logger, handler = make(f"http://127.0.0.1:{port}", queue_records=3, module="shop")
    for number in range(10):
        logger.info("number %d", number)
    assert handler.dropped_count == 7
    wait_until(lambda: "dropped" in capsys.readouterr().err, "standard error says so")
    with ScriptedServer(taken, port=port) as server:
        wait_until(lambda: len(published(server)) == 4, "the queue and the notice have arrived")
    events = published(server)
    assert [event["summary"] for event in events[:3]] == ["number 0", "number 1", "number 2"]
    assert (events[3]["event_type"], events[3]["payload"]) == ("log.dropped", {"dropped": 7, "process": os.getpid()})
    handler.close()
    assert "not published" not in capsys.readouterr().err


def test_what_was_not_sent_at_the_end_is_counted_on_standard_error(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    logger, handler = make(f"http://127.0.0.1:{free_port()}", queue_records=3, flush_seconds=0.3)
    for number in range(5):
        logger.info("number %d", number)
    handler.close()
    assert "vx11_client: 5 log records were not published (3 of them at the end)" in capsys.readouterr().err
    logger.info("too late")
    assert handler.dropped_count == 3


@pytest.mark.parametrize("refusal", [problem(401, "main_auth_failed"), problem(404, "not_found")])
def test_a_refused_token_is_said_once_and_tried_again(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, refusal: Answer
) -> None:
    monkeypatch.setattr("vx11_client.publishing.background.REFUSED_WAIT_SECONDS", 0.02)
    refusals = iter([refusal] * 3)
    with ScriptedServer(lambda request: next(refusals, None) or taken(request)) as server:
        logger, handler = make(server.url)
        logger.info("kept")
        wait_until(lambda: handler.delivered_count, "it is taken in the end")
    assert capsys.readouterr().err.count("log records are not taken") == 1


def test_a_record_that_the_server_refuses_is_counted_and_the_others_arrive(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    def script(request: Request) -> Answer:
        return problem(422, "x") if b"bad" in request.body else taken(request)

    with ScriptedServer(script) as server:
        logger, handler = make(server.url)
        for text in ("good", "bad", "fine"):
            logger.info(text)
        wait_until(lambda: handler.delivered_count == 2, "the others are there")
        assert handler.refused_count == 1
    assert "the server refused a log record: 422 x" in capsys.readouterr().err


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("arguments", [("%d", "x"), ("%s", Unspeakable())])
def test_a_record_that_cannot_be_made_into_text_is_reported_as_logging_does(
    make: Make, capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...]
) -> None:
    with ScriptedServer(taken) as server:
        logger, handler = make(server.url)
        logger.error(*arguments)
        logger.error("odd", extra={"it": Unspeakable()})
        logger.error("fine")
        wait_until(lambda: handler.delivered_count == 2, "the record and the notice have arrived")
    assert handler.dropped_count == 2
    events = published(server)
    assert (events[0]["summary"], events[1]["payload"]) == ("fine", {"dropped": 2, "process": os.getpid()})
    assert capsys.readouterr().err.count("--- Logging error ---") == 2


def test_what_the_sending_thread_logs_is_not_published_and_what_others_log_through_httpx_is(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    class Witness(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    with ScriptedServer(taken) as server:
        _, handler = make(server.url)
        for name in ("httpx2", "httpcore2", "httpcore2.connection", "httpcore2.http11"):
            monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
            logging.getLogger(name)._cache.clear()  # type: ignore[attr-defined]
        for name in ("httpx2", "httpcore2"):
            monkeypatch.setattr(logging.getLogger(name), "handlers", [handler, Witness()])
        logging.getLogger("httpx2").info("of the program")
        for _ in range(3):
            handler.flush()
    assert len(written) > 3
    assert [event["summary"] for event in published(server)] == ["of the program"]


def test_a_filter_of_the_handler_is_asked(make: Make) -> None:
    with ScriptedServer(taken) as server:
        logger, handler = make(server.url)
        handler.addFilter(lambda record: "secret" not in record.getMessage())
        logger.info("secret")
        logger.info("open")
        handler.flush()
    assert [event["summary"] for event in published(server)] == ["open"]


def test_settings_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(InvalidSettings, match="must begin with http"):
        VX11Handler("operator.example.org", TOKEN)
    with pytest.raises(InvalidSettings, match="no token"):
        VX11Handler("http://127.0.0.1", "")


def program(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """A program of its own that logs through the handler; its address is sys.argv[1]."""
    head = (
        "import logging, os, sys, time\nfrom vx11_client import VX11Handler\n"
        "handler = VX11Handler(sys.argv[1], 'service-token', linger_seconds=30, flush_seconds=float(sys.argv[2]))\n"
        "logging.basicConfig(level='INFO', handlers=[handler])\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + code, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def end_of(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


def test_the_end_of_a_program_sends_what_it_has_logged() -> None:
    with ScriptedServer(taken) as server:
        assert end_of(program("logging.info('last')", server.url, "10")) == (0, "")
    assert [event["summary"] for event in published(server)] == ["last"]


def test_an_exception_that_ends_a_program_does_not_keep_the_log_back() -> None:
    with ScriptedServer(taken) as server:
        code, errors = end_of(program("logging.error('before')\nraise SystemExit(3)", server.url, "10"))
    assert (code, errors) == (3, "")
    assert [event["summary"] for event in published(server)] == ["before"]


@pytest.mark.parametrize("answers", [True, False], ids=["hangs", "is gone"])
def test_a_program_ends_in_time_while_its_server_is_gone_or_hangs(*, answers: bool) -> None:
    with ScriptedServer(lambda _request: Answer(201, body=never(server))) as server:
        url = server.url if answers else f"http://127.0.0.1:{free_port()}"
        process = program("logging.info('lost')\nprint(time.monotonic(), file=sys.stderr)", url, "0.5")
        code, errors = end_of(process)
        begun, *said = errors.splitlines()
    assert code == 0
    assert said == ["vx11_client: 1 log records were not published (1 of them at the end)"]
    assert time.monotonic() - float(begun) < 5


def test_a_child_made_by_fork_has_a_queue_and_a_thread_of_its_own() -> None:
    code = """if True:
        logging.info("of the parent")
        child = os.fork()
        logging.info("of the child" if child == 0 else "of the parent again")
        if child == 0:
            logging.shutdown()
            os._exit(0)
        os.waitpid(child, 0)
    """
    with ScriptedServer(taken) as server:
        assert end_of(program(code, server.url, "10")) == (0, "")
    assert sorted(str(event["summary"]) for event in published(server)) == [
        "of the child",
        "of the parent",
        "of the parent again",
    ]


def test_a_handler_of_a_signal_may_log() -> None:
    code = """if True:
        import signal
        signal.signal(signal.SIGUSR1, lambda number, frame: logging.info("signal"))
        for number in range(2000):
            logging.info("number")
            if number % 10 == 0:
                os.kill(os.getpid(), signal.SIGUSR1)
    """
    assert signal.SIGUSR1
    with ScriptedServer(taken) as server:
        assert end_of(program(code, server.url, "20")) == (0, "")
    assert len(published(server)) == 2200
