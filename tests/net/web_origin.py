"""A scripted origin on a real socket of 127.0.0.1, and the world outside a Fetcher as fakes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ldimport.net.fetch import Fetched, Fetcher, FetchSource, NotFetched
from ldimport.net.guard import CheckedAddress, Guard

CERTIFICATES = Path(__file__).parent / "certificates"
PHOTO = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; ``connection`` numbers the connections from 1."""

    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What to answer."""

    status: int = 200
    body: bytes = PHOTO
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False


Script = Callable[[Seen], Reply]
Make = Callable[..., Fetcher]
"""What the fixture ``fetcher`` gives: makes Fetchers that may reach the origin."""


def check_url(guard: Guard, url: str) -> CheckedAddress:
    """All that stands between a URL and a socket, one after another."""
    parsed = guard.parse(url)
    return guard.checked(parsed, guard.addresses(parsed))


def fetch_one(fetcher: Fetcher, source: FetchSource) -> Fetched:
    """Fetch one source. Raises Rejected when it is given up."""
    (outcome,) = fetcher.fetch_many([source])
    if isinstance(outcome, NotFetched):
        raise outcome.rejected
    return outcome


class Origin:
    """Answers every request by ``script``, keeps connections alive and remembers all it saw."""

    def __init__(self, certificate: str | None = None) -> None:
        self.script: Script = lambda seen: Reply()
        self.seen: list[Seen] = []
        self.at_once = 0
        self.most_at_once = 0
        self._connections = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda request, address: None  # type: ignore[method-assign]
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATES / certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/photo.png", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def enter(self) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def leave(self) -> None:
        with self._lock:
            self.at_once -= 1

    def connected(self) -> int:
        with self._lock:
            self._connections += 1
            return self._connections

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                self.number = origin.connected()

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.number, self.command, self.path, headers, body)
                origin.enter()
                try:
                    origin.seen.append(seen)
                    reply = origin.script(seen)
                finally:
                    origin.leave()
                self.answer(reply)

            do_POST = do_GET

            def answer(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                body = reply.body
                if reply.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                elif reply.status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if reply.status != 304:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class Names:
    """A resolver that knows only what it is told; each name has its answers in turn, the last
    one for good."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(turns) for name, turns in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        turns = self.answers.get(host)
        if not turns:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return turns.pop(0) if len(turns) > 1 else turns[0]


class Sockets:
    """Records every address a socket is asked for. ``real`` ones are opened, others are not."""

    def __init__(self, real: bool = False) -> None:
        self.real = real
        self.asked: list[tuple[str, int]] = []

    def __call__(
        self, family: int, kind: int, protocol: int, address: tuple[str, int]
    ) -> socket.socket:
        self.asked.append(address)
        if not self.real:
            raise OSError("recorded, not opened")
        return socket.socket(family, kind, protocol)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept += seconds
