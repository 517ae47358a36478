"""A real HTTP server on 127.0.0.1 that gives scripted answers, one for each request."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer. ``body``: bytes as they are, anything else as JSON. ``promised`` overrides
    Content-Length; ``act`` replaces the answer by something worse."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int | None = None
    act: Callable[[BaseHTTPRequestHandler], None] | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def media_type(self) -> str:
        return "text/html; charset=utf-8" if isinstance(self.body, bytes) else "application/json"


@dataclass(frozen=True)
class Request:
    """What arrived; headers by lower-case name."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ScriptedServer

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Request(self.command, self.path, headers, body))
        reply = self.server.next_reply()
        if reply.act is not None:
            reply.act(self)
            self.close_connection = True
            return
        self.send_response(reply.status)
        given = {name.lower() for name in reply.headers}
        if "content-type" not in given and reply.content:
            self.send_header("Content-Type", reply.media_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            length = len(reply.content) if reply.promised is None else reply.promised
            self.send_header("Content-Length", str(length))
        if reply.promised is not None:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(reply.content)

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


class ScriptedServer(ThreadingHTTPServer):
    """Gives ``replies`` in turn; the last one again and again."""

    daemon_threads = True

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: deque[Reply] = deque()
        self.seen: list[Request] = []
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def script(self, *replies: Reply) -> None:
        self.replies.clear()
        self.replies.extend(replies)

    def next_reply(self) -> Reply:
        return self.replies.popleft() if len(self.replies) > 1 else self.replies[0]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of these tests."""


@contextmanager
def running(certificate: Path | None = None) -> Iterator[ScriptedServer]:
    server = ScriptedServer(certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection with RST instead of answering."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """End the connection without an answer."""


def not_http(handler: BaseHTTPRequestHandler) -> None:
    """Answer as an SSH server does."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")


def silent(handler: BaseHTTPRequestHandler) -> None:
    """Wait until the client has gone."""
    handler.connection.settimeout(10)
    handler.rfile.read(1)


@dataclass
class FakeTime:
    """A clock that only sleeping moves."""

    at: float = 1000.0
    naps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.at += seconds

    def clock(self) -> float:
        return self.at
