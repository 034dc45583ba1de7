"""A mail server that keeps what it is given: as much of RFC 5321 as smtplib asks for."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_bytes
from typing import NamedTuple, Self


class Mail(NamedTuple):
    """One message."""

    to: list[str]
    text: str
    """Headers, then the body, decoded."""


class _Conversation(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 here")
        to: list[str] = []
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "RCPT":
                to.append(line.partition("<")[2].partition(">")[0])
            if word == "DATA":
                self._say("354 go on")
                self._keep(to)
                to = []
            elif word == "QUIT":
                return self._say("221 bye")
            self._say("250 yes")
        return None

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _keep(self, to: list[str]) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        mail = message_from_bytes(b"".join(lines))
        body = mail.get_payload(decode=True)
        headers = "".join(f"{name}: {value}\n" for name, value in mail.items())
        with self.server.news:
            self.server.mails.append(Mail(to, headers + (body.decode() if isinstance(body, bytes) else "")))
            self.server.news.notify_all()


class Mailbox(socketserver.ThreadingTCPServer):
    """Open while its block is."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.port = self.server_address[1]
        self.mails: list[Mail] = []
        self.news = threading.Condition()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def wait_for(self, count: int) -> list[Mail]:
        """So many messages, in the order in which they came."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.mails) >= count, timeout=20)
            return list(self.mails)
