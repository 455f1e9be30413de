"""Receivers of deliveries: a mail server and an HTTP server that are real, and do what a test wants of them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any

from aiosmtpd.controller import Controller

from tests.http_stand_in import HttpStandIn


@dataclass
class Received:
    """What came, and what is answered: statuses one after the other, the last one from then on."""

    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)

    def next_answer(self) -> int:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def http_receiver() -> Iterator[tuple[HttpStandIn, Received]]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            server.free.wait()
            self.send_response(received.next_answer())
            for name, value in received.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the name that the library calls

    with (server := HttpStandIn(Handler)):
        yield server, received


@dataclass
class MailBox:
    """`replies` as SMTP has them, one after the other, the last one from then on; letters that were taken."""

    letters: list[Message] = field(default_factory=list)
    replies: list[str] = field(default_factory=lambda: ["250 OK"])
    port: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.startswith("250") or "after" in reply:
            self.letters.append(message_from_bytes(envelope.content))
        return reply


@contextmanager
def mail_server() -> Iterator[MailBox]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    box = MailBox(port=port)
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
