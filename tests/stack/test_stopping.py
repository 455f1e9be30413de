"""Stopping a server: its readers hear of it, their answers end whole, and nothing is logged as broken."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.client import Client, Frame
from tests.conftest import OwnStack
from tests.metrics import metric


def end_of_stream(client: Client) -> list[Frame]:
    """Everything from a stream's start to its end; httpx fails if the last chunk is missing."""
    with client.stream() as stream:
        return stream.rest()


def test_f14_readers_of_a_server_that_is_stopped_hear_goodbye_and_their_answers_end_whole(own_stack: OwnStack) -> None:
    stack = own_stack()
    client = stack.client(stack.principal_token)
    with ThreadPoolExecutor(5) as pool:
        readers = [pool.submit(end_of_stream, client) for _ in range(5)]
        service = stack.client(stack.service_token)
        while service.published({"event_type": "a", "summary": "to find out who is connected"}):
            if metric(client, "vx11_streams_active") == 5:
                break
        stack.a.stop()
        for reader in readers:
            last = reader.result(timeout=20)[-1]
            assert (last.name, last.data["reason"]) == ("stream-end", "draining")
            assert 3000 <= last.data["retry_ms"] <= 7000


def test_a_request_that_has_not_come_whole_does_not_disturb_the_end(own_stack: OwnStack) -> None:
    stack = own_stack()
    address = urlsplit(stack.a.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(b"POST /operator/api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        # The answer to a later request: by then the server has read what came before.
        assert stack.client(None).get("/health").status_code == 200
        stack.a.stop()
        assert connection.recv(1000) == b""
    assert "Traceback" not in stack.a.process.log_tail()


def test_a_server_whose_terminal_closes_ends_as_one_that_is_told_to(own_stack: OwnStack) -> None:
    stack = own_stack()
    with stack.client(stack.principal_token).stream() as stream:
        stream.connected()
        assert stack.a.process.end(signal.SIGHUP) == 0
        last = stream.rest()[-1]
        assert (last.name, last.data["reason"]) == ("stream-end", "draining")
