"""The archive that every crash point imports: 40 rows, 37 good pictures (the last three of them
bytes that other rows have too) and three that fail; as local files and from an origin."""

from __future__ import annotations

import csv
import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image

ROWS = 40
KINDS = ("jpg", "png", "gif", "svg")
TWINS = {35: 1, 36: 2, 37: 3}
CUT, EMPTY, TEXT = 38, 39, 40
BROKEN = {f"id-{n}" for n in (CUT, EMPTY, TEXT)}


@dataclass(frozen=True)
class Archive:
    """``local`` and ``web`` are manifests; ``sources`` are the sha256 of what good rows name."""

    local: Path
    web: Path
    sources: dict[str, str]


def picture(n: int) -> bytes:
    """A picture that no other number gives."""
    kind = KINDS[n % 4]
    if kind == "svg":
        text = f'<svg xmlns="http://www.w3.org/2000/svg" width="{n}" height="9"><script/></svg>'
        return text.encode()
    out = io.BytesIO()
    canvas = Image.new("RGB", (20 + n, 16), (n * 5, n * 3, 99))
    canvas.paste((250, n * 5, 0), (n % 7, 3, 12, 13))
    canvas.save(out, "JPEG" if kind == "jpg" else kind)
    return out.getvalue()


def _bytes(n: int) -> bytes:
    if n in (EMPTY, TEXT):
        return b"" if n == EMPTY else b"no picture at all\n"
    whole = picture(TWINS.get(n, n) if n != CUT else 4)
    return whole[: len(whole) // 2] if n == CUT else whole


def draw(folder: Path) -> None:
    """Its files, and the manifest of them."""
    for n in range(1, ROWS + 1):
        (folder / f"{n}.img").write_bytes(_bytes(n))
    _manifest(folder / "local.csv", "")


@contextmanager
def served(folder: Path, own: Path) -> Iterator[Archive]:
    """A drawn archive and its origin; the manifest of that lies in ``own``."""
    files = {f"id-{n}": folder / f"{n}.img" for n in range(1, ROWS + 1) if f"id-{n}" not in BROKEN}
    sources = {id_: hashlib.sha256(path.read_bytes()).hexdigest() for id_, path in files.items()}
    with _origin(folder) as url:
        yield Archive(folder / "local.csv", _manifest(own / "web.csv", url), sources)


def _manifest(path: Path, before: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "url", "fileName", "metadata.caption"])
        for n in range(1, ROWS + 1):
            rows.writerow([f"id-{n}", f"{before}{n}.img", f"Größe „{n}“", f"row {n}"])
    return path


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients are killed here."""


@contextmanager
def _origin(folder: Path) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()
