"""Is somebody who means well still answered while others play with connections?

    python tests/bench/serve_attacks.py [--seconds 3] [--only WORD] [--connections 400]
                                        [--address 127.0.0.2]

Attacks of many shapes on one ``ldimport serve``, each for some seconds from 127.0.0.1, with
``/health`` asked beside them on fresh connections, from ``--address`` (by default the same one):
slow readers, slow heads and bodies, idle and broken connections, floods. For each: how often health
answered, the slowest answer, and how often there was none. Slow readers come 2,000 at a time,
others as ``--connections`` says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import httpx
from PIL import Image
from serve import TOKEN, served

MANY = 2_000
Process = get_context("fork").Process
HOST = b"Host: a\r\n"
AUTH = HOST + b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
LINE = b"POST /api/v1/import/images HTTP/1.1\r\nContent-Type: application/json\r\n"
POST = LINE + AUTH
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BIG = b"Content-Length: 400000\r\n\r\n"


@dataclass
class Place:
    """The server under attack: its port, and the path of an original of some megabytes."""

    port: int
    original: bytes


Attack = Callable[[socket.socket, Place], Awaitable[None]]
"""What is done with one connection, until it ends or is cancelled."""


async def send(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def forever() -> None:
    await asyncio.sleep(3600)


async def unread(sock: socket.socket, place: Place, head: bytes = HOST, times: int = 1,
                 line: bytes = b"") -> None:  # fmt: skip
    """Ask, and read nothing of the answer."""
    await send(
        sock, (b"GET " + (line or place.original) + b" HTTP/1.1\r\n" + head + b"\r\n") * times
    )
    await forever()


async def sips(sock: socket.socket, place: Place, size: int, pause: float) -> None:
    """Ask, and read a little from time to time."""
    await send(sock, b"GET " + place.original + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    while await asyncio.get_running_loop().sock_recv(sock, size):
        await asyncio.sleep(pause)


async def half_closed(sock: socket.socket, place: Place) -> None:
    await send(sock, b"GET " + place.original + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    sock.shutdown(socket.SHUT_WR)
    await forever()


async def silent(sock: socket.socket, place: Place, first: bytes = b"") -> None:
    """Send something, then nothing more."""
    await send(sock, first)
    await forever()


async def drips(sock: socket.socket, place: Place, first: bytes, drop: bytes, pause: float = 0.2,
                ) -> None:  # fmt: skip
    """Send something, then the same drop again and again."""
    await send(sock, first)
    while True:
        await send(sock, drop)
        await asyncio.sleep(pause)


async def floods(sock: socket.socket, place: Place, request: bytes) -> None:
    """Ask as fast as answers come."""
    while True:
        await send(sock, request)
        if not await asyncio.get_running_loop().sock_recv(sock, 65_536):
            return


async def leaves(
    sock: socket.socket, place: Place, request: bytes = b"", reset: bool = True
) -> None:
    """Ask, and hang up before the answer."""
    await send(sock, request)
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


GET = b"GET /health HTTP/1.1\r\n" + HOST
STATUS = b"GET /api/v1/import/images/status?id=x HTTP/1.1\r\n"
IDS = b"GET /api/v1/mediaLibrary?ids=" + b",".join(b"%d" % n for n in range(100))
ATTACKS: dict[str, tuple[int, Attack]] = {
    # -- slow readers
    "reads nothing of an original": (MANY, unread),
    "reads nothing, one after the other, keep-alive": (MANY, partial(unread, times=3)),
    "reads a byte a second": (MANY, partial(sips, size=1, pause=1)),
    "reads 1 kB a second": (MANY, partial(sips, size=1024, pause=1)),
    "reads 32 kB a second": (0, partial(sips, size=32_768, pause=1)),
    "reads nothing of a range": (MANY, partial(unread, head=HOST + b"Range: bytes=1-\r\n")),
    "reads nothing, its sending side closed": (MANY, half_closed),
    "reads nothing of 100 descriptions": (0, partial(unread, times=100, line=b"/openapi.json")),
    "reads nothing of 1,000 health answers": (0, partial(unread, times=1000, line=b"/health")),
    "reads nothing of 1,000 refusals": (0, partial(unread, times=1000, line=b"/nowhere")),
    "reads nothing of 400 states": (0, partial(unread, times=400, head=AUTH,
                                    line=b"/api/v1/import/images/status?id=x")),
    # -- slow heads
    "connects and says nothing": (MANY, silent),
    "one byte of a head": (MANY, partial(silent, first=b"G")),
    "a head without its end": (MANY, partial(silent, first=GET)),
    "a head byte by byte": (0, partial(drips, first=b"GET /health HTTP/1.1\r\nX: ", drop=b"x")),
    "a head line by line": (0, partial(drips, first=GET, drop=b"X: y\r\n")),
    "empty lines before a head": (0, partial(drips, first=b"\r\n", drop=b"\r\n", pause=0.01)),
    "30 kB of a head at once, then drops": (0, partial(drips, first=GET + b"X: " + b"x" * 30_000,
                                            drop=b"x" * 16)),
    # -- slow bodies
    "a body that does not come": (MANY, partial(silent, first=POST + BIG)),
    "a body byte by byte": (0, partial(drips, first=POST + BIG, drop=b" ")),
    "a body in chunks of a byte": (0, partial(drips, drop=b"1\r\n \r\n",
                                   first=POST + CHUNKED)),
    "a chunk's size without an end": (0, partial(drips, drop=b"0",
                                      first=POST + CHUNKED)),
    "waits to be told to continue": (0, partial(silent, first=POST + b"Expect: 100-continue\r\n"
                                     + BIG)),
    "a body without a token": (0, partial(drips, drop=b" " * 100, first=LINE + HOST + BIG)),
    "a body for a GET": (0, partial(drips, first=GET + BIG, drop=b"x")),
    "trailers without an end": (0, partial(drips, drop=b"X: y\r\n",
                                first=POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")),
    # -- idle and broken
    "asks once, then stays": (MANY, partial(silent, first=GET + b"\r\n")),
    "asks once, then half of a second time": (0, partial(silent, first=GET + b"\r\n" + GET)),
    "speaks TLS": (0, partial(silent, first=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9)),
    "speaks HTTP/2": (0, partial(silent, first=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    "wants a WebSocket": (0, partial(silent, first=GET + b"Connection: Upgrade\r\n"
                          b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n")),
    "wants a tunnel": (0, partial(silent, first=b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n")),
    "comes and goes": (0, partial(leaves, reset=False)),
    "comes and is reset": (0, leaves),
    "asks and is gone": (0, partial(leaves, request=STATUS + AUTH + b"\r\n")),
    "sends half a body and is gone": (0, partial(leaves, request=POST + BIG + b" " * 5_000)),
    # -- floods
    "chunks of a byte as fast as they go": (0, partial(drips, drop=b"1\r\n \r\n" * 5_000, pause=0,
                                            first=POST + CHUNKED)),
    "chunks of a byte without a token": (0, partial(drips, drop=b"1\r\n \r\n" * 5_000, pause=0,
                                         first=LINE + HOST + CHUNKED)),
    "heads of 200 kB": (0, partial(floods, request=GET + b"X: " + b"x" * 200_000 + b"\r\n\r\n")),
    "heads of 9,000 lines": (0, partial(floods, request=GET + b"X: y\r\n" * 9_000 + b"\r\n")),
    "wrong tokens": (0, partial(floods, request=STATUS + AUTH[:-2] + b"x\r\n\r\n")),
    "100 entries looked up": (0, partial(floods, request=IDS + b" HTTP/1.1\r\n" + AUTH + b"\r\n")),
    "bodies of 400 kB that are deep": (0, partial(floods, request=POST + BIG + b"[" * 400_000)),
    "bodies of 400 kB of half pairs": (0, partial(floods, request=POST + BIG
                                       + b'["' + b"\\udc00" * 66_666 + b'"]')),
}  # fmt: skip


# -- beside them ----------------------------------------------------------------------------------


@dataclass
class Health:
    """Asks ``/health`` on fresh connections until it is told to end."""

    port: int
    address: str
    took: list[float] = field(default_factory=list)
    none: int = 0

    def ask(self, told: threading.Event) -> None:
        while not told.wait(0.05):
            began = time.monotonic()
            try:
                place, own = ("127.0.0.1", self.port), (self.address, 0)
                with socket.create_connection(place, 30, own) as sock:
                    sock.sendall(GET + b"Connection: close\r\n\r\n")
                    answer = sock.recv(100)
            except OSError:
                answer = b""
            if answer.startswith(b"HTTP/1.1 200"):
                self.took.append(time.monotonic() - began)
            else:
                self.none += 1


async def attacked(place: Place, attack: Attack, size: int, seconds: float) -> None:
    """``size`` attackers at once for ``seconds``; who is cut off comes again a second later."""
    loop, ends = asyncio.get_running_loop(), time.monotonic() + seconds

    async def one() -> None:
        while time.monotonic() < ends:
            with socket.socket() as sock, suppress(OSError):
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await loop.sock_connect(sock, ("127.0.0.1", place.port))
                await attack(sock, place)
            await asyncio.sleep(1)

    tasks = [asyncio.create_task(one()) for _ in range(size)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def measured(place: Place, attack: Attack, size: int, seconds: float, address: str) -> Health:
    """Attackers have a process of their own: whoever asks waits for the server alone."""
    health, told = Health(place.port, address), threading.Event()
    attackers = Process(target=lambda: asyncio.run(attacked(place, attack, size, seconds)))
    attackers.start()
    asking = threading.Thread(target=health.ask, args=(told,))
    asking.start()
    attackers.join()
    told.set()
    asking.join()
    return health


@contextmanager
def target(folder: Path) -> Iterator[Place]:
    """A server with one original of some megabytes."""
    out = BytesIO()
    Image.frombytes("RGB", (1600, 1200), os.urandom(1600 * 1200 * 3)).save(out, "PNG")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(out.getvalue())))
            self.end_headers()
            self.wfile.write(out.getvalue())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    origin = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{origin.server_port}"
    image = {"id": "1", "url": f"http://{host}/1.png", "fileName": "noise", "metadata": {}}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with served(folder, "--allow-host", host, "--workers", "1", "--quiet") as url, httpx.Client(
        base_url=f"{url}/api/v1", headers=headers, trust_env=False, timeout=60
    ) as http:  # fmt: skip
        job = http.post("/import/images", json={"systemName": "a", "images": [image]}).json()["id"]
        while not (found := http.get("/import/images/status", params={"id": job}).json())[
            "finished"
        ]:
            time.sleep(0.1)
        path = found["images"][0]["image"]["originalUrl"].removeprefix(url)
        yield Place(int(url.rpartition(":")[2]), path.encode())
    origin.shutdown()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--connections", type=int, default=400)
    options.add_argument("--only", default="")
    options.add_argument("--address", default="127.0.0.1", help="of who means well")
    options.add_argument("--json", action="store_true", help="figures for a script")
    asked = options.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    with tempfile.TemporaryDirectory() as name, target(Path(name)) as place:
        if not asked.json:
            print(f"{'attack':52}{'at once':>8}{'health':>8}{'slowest':>10}{'none':>6}")
        for words, (size, attack) in ATTACKS.items():
            if asked.only not in words:
                continue
            size = size or asked.connections
            health = measured(place, attack, size, asked.seconds, asked.address)
            slowest = max(health.took, default=float("inf"))
            if asked.json:
                print(json.dumps([words, size, len(health.took), slowest, health.none]))
            else:
                row = f"{words:52}{size:>8,}{len(health.took):>8}{slowest:>8.2f} s{health.none:>6}"
                print(row, flush=True)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
