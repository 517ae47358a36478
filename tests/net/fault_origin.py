"""An origin that breaks every rule it can, one route for each, beside what a client must make of
it. Plain sockets of 127.0.0.1; nothing of it is a library's idea of HTTP."""

from __future__ import annotations

import gzip
import random
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, repeat
from socketserver import BaseRequestHandler, ThreadingTCPServer

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(61))
"""69 bytes; nobody looks at them here."""
PASSING = (500, 502, 503, 504, 507, 599, 408, 425, 429)
PERMANENT = (400, 401, 403, 404, 410, 416, 418, 501, 505, 201, 203, 205, 300, 305, 999)

Sends = Callable[[int], Iterable[bytes]]
"""What goes over the wire to the nth request (from 1) of a route."""


@dataclass(frozen=True)
class Fault:
    """A route. ``expected`` is the number of bytes that arrive, or the code of the refusal;
    ``waits`` the seconds between three tries, ``says`` a part of the reason. ``ends``: how the
    connection ends, ``close``, ``reset`` or ``stay`` (nothing more comes)."""

    sends: Sends
    expected: int | str
    waits: float = 0.0
    says: str = ""
    ends: str = "close"


def head(
    length: int | None = None, *lines: str, status: str = "200 OK", kind: str | None = "image/png"
) -> bytes:
    """Status line and headers; without ``length`` the body ends with the connection."""
    headers = [f"HTTP/1.1 {status}", *lines, "Connection: close"]
    if kind is not None:
        headers.append(f"Content-Type: {kind}")
    if length is not None:
        headers.append(f"Content-Length: {length}")
    return "\r\n".join(headers).encode("latin-1") + b"\r\n\r\n"


def once(*parts: bytes) -> Sends:
    return lambda number: parts


def whole(*lines: str, body: bytes = IMAGE, **more: str) -> Sends:
    return once(head(len(body), *lines, **more), body)


def chunked(body: bytes) -> Sends:
    return once(head(None, "Transfer-Encoding: chunked"), body)


def redirect(location: str, status: str = "302 Found") -> Sends:
    return once(head(0, f"Location: {location}", status=status))


def packed(body: bytes, name: str = "gzip") -> Sends:
    return whole(f"Content-Encoding: {name}", body=body)


def chunks(size: int) -> bytes:
    pieces = (IMAGE[at : at + size] for at in range(0, len(IMAGE), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"


def bomb() -> Iterator[bytes]:
    """Two gigabytes of zeros, packed."""
    yield head(None, "Content-Encoding: gzip")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(2_000):
        yield packer.compress(bytes(1 << 20))


def slowly(start: bytes) -> Iterator[bytes]:
    """Always another byte, so that no wait for data ever ends by itself."""
    yield start
    while True:
        threading.Event().wait(0.02)
        yield b"y"


def flaky(number: int) -> Iterable[bytes]:
    return whole()(number) if number > 2 else whole(status="503 Busy")(number)


NOISE = random.Random(7).randbytes(2_000)
FAULTS: dict[str, Fault] = {
    # -- whole, if odd
    "ok": Fault(whole(), 69),
    "no-length": Fault(once(head(), IMAGE), 69),
    "chunked": Fault(chunked(chunks(7)), 69),
    "chunked-in-single-bytes": Fault(chunked(chunks(1)), 69),
    "length-too-small": Fault(once(head(20), IMAGE), 20),  # only what was declared counts
    "type-html": Fault(whole(kind="text/html"), 69),  # bytes decide
    "type-missing": Fault(whole(kind=None), 69),
    "page-with-200": Fault(whole(body=b"<h1>Not here</h1>"), 17),
    "name-with-path": Fault(whole("Content-Disposition: attachment; filename=../../x.png"), 69),
    "cookie": Fault(whole("Set-Cookie: a=b"), 69),
    "identity": Fault(packed(IMAGE, "identity"), 69),
    "other-size-each-time": Fault(lambda number: whole(body=bytes(number))(number), 1),
    "better-at-the-third-try": Fault(flaky, 69, 2.5),
    "early-hints": Fault(once(b"HTTP/1.1 103 Early\r\n\r\n" * 3, head(69), IMAGE), 69),
    # -- bodies
    "empty": Fault(whole(body=b""), "empty"),
    "empty-without-length": Fault(once(head()), "empty"),
    "chunked-cut": Fault(chunked(b"45\r\n" + IMAGE[:20]), "incomplete", 2.5),
    "chunked-without-end": Fault(chunked(chunks(7)[:-5]), "incomplete", 2.5),
    "chunked-bad-size": Fault(chunked(b"ZZ\r\n" + IMAGE), "bad-http"),
    "chunked-huge-size": Fault(chunked(b"7fffffffffffffff\r\n" + IMAGE), "incomplete", 2.5),
    "length-too-large": Fault(once(head(1_069), IMAGE), "incomplete", 2.5),
    "length-negative": Fault(once(head(-5), IMAGE), "bad-http"),
    "length-twice": Fault(once(head(69, "Content-Length: 5"), IMAGE), "bad-http"),
    "length-of-10-gb": Fault(
        lambda number: (head(10 << 30), *repeat(bytes(65_536), 64)), "too-many-bytes",
        says="10,737,418,240 bytes",
    ),
    "endless": Fault(lambda number: (head() if n == 0 else NOISE * 32 for n in count()),
                     "too-many-bytes"),
    "gzip": Fault(packed(gzip.compress(IMAGE)), 69),
    "gzip-by-another-name": Fault(packed(gzip.compress(IMAGE), "X-GZIP"), 69),
    "gzip-of-gzip": Fault(packed(gzip.compress(gzip.compress(IMAGE)), "gzip, gzip"), 69),
    "gzip-and-what-is-none": Fault(packed(gzip.compress(IMAGE), "aws-chunked,gzip"), 69),
    "gzip-lie": Fault(packed(IMAGE), 69),
    "gzip-cut": Fault(packed(gzip.compress(IMAGE)[:-9]), "incomplete", 2.5),
    "gzip-damaged": Fault(packed(gzip.compress(IMAGE)[:12] + bytes(40)), "encoded-body"),
    "gzip-bomb": Fault(lambda number: bomb(), "too-many-bytes"),
    "packed-twice": Fault(packed(IMAGE, "gzip, br"), "encoded-body", says="(br)"),
    "packed-by-zstd": Fault(packed(IMAGE, "zstd"), "encoded-body"),
    "packed-unknown": Fault(packed(IMAGE, "x-unheard-of"), 69),
    **{f"labelled-{name}": Fault(packed(IMAGE, name), 69)
       for name in ("aws-chunked", "none", "UTF-8", "binary", "null", "base64", "")},
    # -- heads
    "endless-headers": Fault(
        lambda number: (b"HTTP/1.1 200 OK\r\n" if n == 0 else b"X-A: " + b"b" * 8_000 + b"\r\n"
                        for n in count()),
        "bad-http", says="65,536 bytes of headers",
    ),
    "huge-header": Fault(whole("X-Big: " + "a" * 1_000_000), "bad-http"),
    "endless-interim-answers": Fault(
        lambda number: repeat(b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n"), "bad-http",
        says="10 interim answers",
    ),
    "status-of-letters": Fault(once(b"HTTP/1.1 abc OK\r\n\r\n"), "bad-http"),
    "noise": Fault(once(NOISE), "bad-http"),
    "another-protocol": Fault(once(b"SSH-2.0-OpenSSH_9.2\r\n"), "bad-http"),
    "no-head": Fault(once(IMAGE), "bad-http"),
    # -- silence and loss
    "never-answers": Fault(once(), "timeout", ends="stay"),
    "stops-in-the-body": Fault(once(head(69), IMAGE[:30]), "timeout", ends="stay"),
    "slow-headers": Fault(lambda number: slowly(b"HTTP/1.1 200 OK\r\nX: "), "timeout"),
    "slow-body": Fault(lambda number: slowly(head(10_000_000)), "timeout"),
    "closes-at-once": Fault(once(), "connection-lost", 2.5),
    "resets-at-once": Fault(once(), "connection-lost", 2.5, ends="reset"),
    "resets-in-the-body": Fault(once(head(69), IMAGE[:30]), "connection-lost", 2.5, ends="reset"),
    # -- redirects
    "redirect": Fault(redirect("/ok"), 69),
    "redirect-relative": Fault(redirect("ok?x=1", "307 Temporary"), 69),
    "redirect-with-a-torn-line": Fault(
        once(b"HTTP/1.1 302 X\r\nLocation: /ok\n\rX: y\r\nContent-Length: 0\r\n\r\n"), 69
    ),
    "redirect-loop": Fault(redirect("/redirect-loop"), "too-many-redirects",
                           says="after 5 redirects"),
    "redirect-to-a-longer-url": Fault(
        lambda number: redirect(f"/redirect-to-a-longer-url?{'x' * number}")(number),
        "too-many-redirects",
    ),
    "redirect-nowhere": Fault(once(head(0, status="302 Found")), "bad-redirect"),
    "redirect-to-metadata": Fault(redirect("http://169.254.169.254/latest/"),
                                  "address-not-allowed", says="--allow-host 169.254.169.254"),
    "redirect-to-a-private-network": Fault(redirect("http://10.0.0.1/", "307 T"),
                                           "address-not-allowed"),
    "redirect-to-loopback": Fault(redirect("http://[::1]/", "301 M"), "address-not-allowed"),
    "redirect-to-another-port": Fault(redirect("//127.0.0.1:1/x"), "address-not-allowed"),
    "redirect-to-a-number": Fault(redirect("http://2130706433/"), "bad-url"),
    "redirect-to-a-file": Fault(redirect("file:///etc/passwd"), "bad-url"),
    "redirect-to-gopher": Fault(redirect("gopher://127.0.0.1:6379/_x"), "bad-url"),
    "redirect-with-password": Fault(redirect("http://user:pass@127.0.0.1/"), "bad-url",
                                    says="user name or password"),
    # -- statuses
    "not-modified": Fault(once(head(status="304 Same")), "origin-304"),
    "no-content": Fault(once(b"HTTP/1.1 204 None\r\n\r\n"), "origin-204"),
    "a-part": Fault(whole("Content-Range: bytes 0-68/99", status="206 Part"), "origin-206"),
    "rest-of-3-s": Fault(whole("Retry-After: 3", status="429 Slow"), "origin-429", 6.0),
    "rest-until-2037": Fault(whole("Retry-After: Wed, 21 Oct 2037 07:28:00 GMT",
                                   status="429 Slow"), "origin-429", 60.0),
    "rest-until-2037-in-asctime": Fault(whole("Retry-After: Wed Oct 21 07:28:00 2037",
                                              status="503 Busy"), "origin-503", 60.0),
    "rest-for-ever": Fault(whole("Retry-After: 99999999999", status="503 Busy"),
                           "origin-503", 60.0),
    "rest-of-nonsense": Fault(whole("Retry-After: -1 abc", status="503 Busy"), "origin-503", 2.5),
    "rest-when-it-is-hopeless": Fault(whole("Retry-After: 3", status="404 No"), "origin-404"),
}  # fmt: skip
FAULTS |= {f"status-{n}": Fault(whole(status=f"{n} X"), f"origin-{n}", 2.5) for n in PASSING}
FAULTS |= {f"status-{n}": Fault(whole(status=f"{n} X"), f"origin-{n}") for n in PERMANENT}


class FaultOrigin:
    """Serves ``FAULTS``, each under its name."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self._closed = threading.Event()
        self._server = ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda request, address: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65_536) or b"\r\n\r\n"
        name = request.split(b" ", 2)[1].decode().partition("?")[0].removeprefix("/")
        self.asked[name] = self.asked.get(name, 0) + 1
        fault = FAULTS[name]
        for part in fault.sends(self.asked[name]):
            connection.sendall(part)
            if self._closed.is_set():
                return
        if fault.ends == "stay":
            self._closed.wait(60.0)
        elif fault.ends == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _handler(self) -> type[BaseRequestHandler]:
        origin = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                origin.serve(self.request)

            def finish(self) -> None:
                self.request.close()

        return Handler
