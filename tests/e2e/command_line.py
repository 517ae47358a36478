"""The command line as a user runs it, in a home of its own, and an origin to fetch from."""

from __future__ import annotations

import io
import json
import math
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import forked
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Ldimport:
    """Runs ``ldimport`` in a folder, with state and engine below it. What is called and waited
    for is forked; what is started is the real command."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LDIMPORT_", "LI_"))}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        self.env = {
            **kept,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "COLUMNS": "80",
            **self.env,
        }

    def __call__(
        self,
        *args: str | Path,
        code: int | None = 0,
        stdin: str | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; ``code`` is the exit code that must come, None for any."""
        done = subprocess.run(
            [*forked.command(), *map(str, args)],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"{args}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def start(self, *args: str | Path) -> subprocess.Popen[bytes]:
        """Start in a process group of its own, and do not wait."""
        return subprocess.Popen(
            self.command(*args),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def command(self, *args: str | Path) -> list[str]:
        return [sys.executable, "-m", "ldimport", *map(str, args)]

    def json(self, *args: str | Path, code: int | None = 0) -> dict:  # type: ignore[type-arg]
        """The one document, or the last line, of ``--json``."""
        out = self(*args, "--json", code=code).stdout
        try:
            return json.loads(out)  # type: ignore[no-any-return]
        except json.JSONDecodeError:
            return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def photo(seed: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A small JPEG that no other seed gives."""
    noise = random.Random(seed).randbytes(size[0] * size[1] * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", size, noise).save(out, "JPEG", quality=60)
    return out.getvalue()


@dataclass
class Origin:
    """An HTTP origin on the loopback address; ``/N.jpg`` is photo N, ``files`` override. It
    answers the first ``answers`` requests, the others after ``go_on``. ``headers`` by name."""

    port: int
    files: dict[str, bytes | int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answers: float = math.inf
    gate: threading.Event = field(default_factory=threading.Event)

    def hold_after(self, requests: int) -> None:
        self.gate.clear()
        self.answers = len(self.asked) + requests

    def go_on(self) -> None:
        self.answers = math.inf
        self.gate.set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, name: str) -> str:
        return f"http://{self.host}/{name}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients are killed here."""


@contextmanager
def an_origin() -> Iterator[Origin]:
    """A running origin."""
    state: Origin

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.path.lstrip("/").split("?")[0]
            state.asked.append(name)
            if len(state.asked) > state.answers:
                state.gate.wait()
            found = state.files.get(name)
            if found is None:
                found = photo(int(name.split(".")[0])) if name[:1].isdigit() else 404
            body = found if isinstance(found, bytes) else b""
            self.send_response(200 if isinstance(found, bytes) else found)
            self.send_header("Content-Length", str(len(body)))
            for header, value in state.headers.get(name, {}).items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    state = Origin(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    state.go_on()
    server.shutdown()
    server.server_close()
    thread.join()
