"""What the server's tests are made of: servers, in this process or on their own, a client, an
origin of pictures, and a receiver of webhooks; everything on 127.0.0.1."""

from __future__ import annotations

import io
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import forked
import httpx
from PIL import Image as Picture

from ldimport.credentials import Secret
from ldimport.engine import Engine
from ldimport.model import JobOptions, Json
from ldimport.server.contract import Listening, ServeEvent, ServeOptions
from ldimport.server.server import Server

TOKEN = "the-token-of-this-run"
CONFIG: Json = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [
                {"handle": "title", "type": "li-text"},
                {"handle": "caption", "type": "li-text", "config": {"maxLength": 40}},
                {"handle": "shot", "type": "li-integer"},
            ],
        },
    ]
}
REAL = (sys.executable, "-m", "ldimport")
"""The command itself, for tests that kill it: a forked one ends a moment after its caller."""
IMPORT = "/api/v1/import/images"
STATUS = "/api/v1/import/images/status"


def until(answer: Callable[[], Any], seconds: float = 100) -> Any:
    """What ``answer`` gives, as soon as it gives something."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := answer():
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing came within {seconds} s")


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30), color: str = "navy") -> bytes:
    """The bytes of a small real picture."""
    out = io.BytesIO()
    Picture.new("RGB", size, color).save(out, kind)
    return out.getvalue()


# -- web servers ----------------------------------------------------------------------------


class RoomyServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up or are killed are part of these tests."""


@dataclass
class Origin:
    """Serves ``files`` by path; ``N.jpg`` is a picture that no other number gives. While
    ``gate`` is clear, every answer waits."""

    port: int
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}/{path}"

    def put(self, path: str, data: bytes, kind: str = "image/jpeg") -> str:
        self.files[path] = (data, kind)
        return self.url(path)

    def find(self, path: str) -> tuple[bytes, str] | None:
        if path in self.files or not path.removesuffix(".jpg").isdigit():
            return self.files.get(path)
        n = int(path.removesuffix(".jpg"))
        colour = f"#{n % 0x1000000:06x}"
        return picture("PNG", (20 + n % 7, 15), colour), "image/png"


@contextmanager
def an_origin() -> Iterator[Origin]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            origin.gate.wait(60)
            found = origin.find(self.path.lstrip("/").split("?")[0])
            body, kind = found or (b"", "text/plain")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = RoomyServer(("127.0.0.1", 0), Handler)
    origin = Origin(server.server_port)
    origin.gate.set()
    with _running(server):
        yield origin
        origin.gate.set()


@dataclass(frozen=True)
class Hook:
    """One request that a receiver got; headers by lower-case name."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Takes webhooks. ``answer`` decides on each: a status, with headers."""

    port: int
    hooks: list[Hook] = field(default_factory=list)
    answer: Callable[[Hook], tuple[int, Mapping[str, str]]] = lambda _: (200, {})

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/hooks"

    def got(self, count: int = 1) -> list[Hook]:
        """Its first hooks, once there are ``count``."""
        until(lambda: len(self.hooks) >= count)
        return self.hooks[:count]


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook = Hook({name.lower(): value for name, value in self.headers.items()}, body)
            receiver.hooks.append(hook)
            status, headers = receiver.answer(hook)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = RoomyServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port)
    with _running(server):
        yield receiver


@contextmanager
def _running(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# -- served engines -------------------------------------------------------------------------


@dataclass
class Api:
    """A served engine, as a client sees it. ``events`` are what it told."""

    url: str
    http: httpx.Client
    events: list[Any] = field(default_factory=list)
    engine: Engine | None = None

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.http.get(path, params=params or None)

    def post(self, body: Json, path: str = IMPORT, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers=headers)

    def start(self, *images: Json, **fields: Json) -> str:
        """Post a batch that has to be accepted; returns its job id."""
        answer = self.post(batch(*images, **fields))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def ended(self, job: str, path: str = STATUS) -> Any:
        """The status of a job once it has ended."""
        return until(lambda: found if (found := self.get(path, id=job).json())["finished"] else 0)


def batch(*images: Json, system_name: str = "archive", **fields: Json) -> dict[str, Json]:
    return {"systemName": system_name, **fields, "images": list(images)}


def image(identifier: str, url: str, **fields: Json) -> dict[str, Json]:
    return {"id": identifier, "url": url, "fileName": f"Picture {identifier}", "metadata": {},
            **fields}  # fmt: skip


@contextmanager
def served(
    folder: Path,
    *,
    allow: tuple[str, ...] = (),
    daily_limit: int = 0,
    integrity: str = "fast",
    config: Json = CONFIG,
    job: JobOptions | None = None,
    **options: Any,
) -> Iterator[Api]:
    """An engine served from a thread of this process; one worker unless ``workers`` says else."""
    events: list[ServeEvent] = []
    fixed = {"port": 0, "workers": 1, "token": Secret(TOKEN), "daily_limit": daily_limit}
    chosen = ServeOptions(folder, **{**fixed, **options})
    with Engine(
        folder,
        project_config=config,
        allow_hosts=allow,
        integrity=integrity,
        options=job,
        daily_limit=daily_limit,
    ) as engine:
        server = Server(engine, chosen)
        failure: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

        def serve() -> None:
            try:
                server.serve(events.append)
            except BaseException as error:  # noqa: BLE001  raised where the test waits
                failure.put(error)

        thread = threading.Thread(target=serve)
        thread.start()

        def listening() -> Listening | None:
            if not failure.empty():
                raise failure.get()
            return next((each for each in events if isinstance(each, Listening)), None)

        try:
            url = until(listening).url
            with client(url) as http:
                yield Api(url, http, events, engine)
        finally:
            server.stop()
            thread.join()
        assert failure.empty(), failure.get()


@contextmanager
def client(url: str, token: str | None = TOKEN) -> Iterator[httpx.Client]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
        yield http


@dataclass
class Process:
    """``ldimport serve`` as a process, leader of its group; its output is read by a thread."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The lines of one type so far."""
        told = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [line for line in told if line["type"] == kind]

    @property
    def url(self) -> str:
        def listening() -> Any:
            assert self.process.poll() is None, self.lines
            return self.told("listening")

        return str(until(listening)[0]["url"])

    def wait(self) -> int:
        """Its exit code, with all of its output read."""
        code = self.process.wait(60)
        self._reader.join()
        return code


@contextmanager
def process(
    folder: Path,
    *options: str,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
) -> Iterator[Process]:
    """Start ``ldimport serve``, forked if no ``command`` is given; whatever is left of it at the
    end is killed."""
    started = subprocess.Popen(
        [*(command or forked.command()), "serve", "--json", *options,
         *("--engine", str(folder / "engine"))],
        env={**environment(folder), "LDIMPORT_SERVE_TOKEN": TOKEN, **(env or {})},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )  # fmt: skip
    running = Process(started)
    try:
        yield running
    finally:
        if started.poll() is None:
            started.kill()
        running.wait()
        assert started.stdout is not None
        started.stdout.close()


def environment(folder: Path) -> dict[str, str]:
    """A home of its own, and none of our variables."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LDIMPORT_", "LI_"))}
    places = {
        f"XDG_{each.upper()}_HOME": str(folder / each) for each in ("config", "state", "data")
    }
    return {**kept, "HOME": str(folder), **places}


def raw(port: int, data: bytes, *, timeout: float = 60) -> bytes:
    """Send bytes as they are; everything that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(data)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
        return b"".join(parts)
